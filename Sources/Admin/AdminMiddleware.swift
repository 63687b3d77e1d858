internal import Hummingbird

/// Turns every error into its status and an `ErrorReport`.
struct AnswerErrors: RouterMiddleware {
  func handle(
    _ request: Request, context: BasicRequestContext, next: (Request, BasicRequestContext) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch let error as AdminError {
      return try answer(error)
    } catch let error as HTTPError where error.status == .notFound {
      return try answer(AdminError(.notFound, "there is no such endpoint", hint: "the endpoints begin with /v1/"))
    } catch let error as HTTPError {
      let report = ErrorReport(error: error.body ?? error.status.reasonPhrase, hint: "see the API's documentation")
      return try AdminRouter.json(report, status: error.status)
    }
  }

  private func answer(_ error: AdminError) throws -> Response {
    var response = try AdminRouter.json(error.report, status: .init(code: error.kind.rawValue))
    if let allow = error.allow { response.headers[.allow] = allow }
    if error.kind == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer realm=\"sluice\"" }
    // What is left of a refused body is not worth reading.
    if error.kind == .tooLarge { response.headers[.connection] = "close" }
    return response
  }
}

struct CheckAccess: RouterMiddleware {
  let rule: AccessRule

  func handle(
    _ request: Request, context: BasicRequestContext, next: (Request, BasicRequestContext) async throws -> Response
  ) async throws -> Response {
    try rule.check(
      authorization: request.headers[.authorization], origin: request.headers[.origin],
      authority: request.head.authority, isOrder: ![.get, .head].contains(request.method))
    return try await next(request, context)
  }
}
