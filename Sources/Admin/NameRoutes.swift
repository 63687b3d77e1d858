internal import Hummingbird
internal import Wire

/// The endpoints of the name service.
extension AdminRouter {
  static func addNames(_ router: Router<BasicRequestContext>, _ operations: some NameOperations) {
    on(router, "v1/dns", [.get: { _, _ in try json(try await operations.nameService()) }])
    on(
      router, "v1/dns/query",
      [
        .get: { request, _ in
          let parameters = request.uri.queryParameters
          guard let name = parameters["name"].map(String.init) else {
            throw AdminError(.malformed, "the name is missing", hint: "ask ?name=www.example.com&type=A")
          }
          return try json(
            try await operations.nameAnswer(
              name, parameters["type"].map(String.init) ?? "A", client: parameters["client"].map(String.init)))
        }
      ])
    on(
      router, "v1/dns/budget",
      [
        .get: { request, _ in
          let parameters = request.uri.queryParameters
          guard let name = parameters["name"].map(String.init) else {
            throw AdminError(.malformed, "the name is missing", hint: "ask ?name=api.example.com")
          }
          return try json(
            try await operations.nameBudget(
              name, resolverFloor: parameters["floor"].flatMap { Double($0) } ?? 0))
        }
      ])
    on(
      router, "v1/dns/sites/{site}/drain",
      [
        .post: { request, context in
          let seconds = request.uri.queryParameters["for"].map { Double($0) ?? -1 } ?? 0
          guard seconds >= 0, seconds <= 31_536_000 else {
            throw AdminError(.malformed, "`for` is no number of seconds", hint: "ask ?for=3600, a year at most")
          }
          return try json(try await operations.order(site: try site(context), drained: seconds))
        }
      ])
    on(
      router, "v1/dns/sites/{site}/ready",
      [.post: { _, context in try json(try await operations.order(site: try site(context), drained: nil)) }])
  }

  private static func site(_ context: BasicRequestContext) throws -> String {
    guard let site = context.parameters.get("site").flatMap({ PathSegment.decode($0) }) else {
      throw AdminError(.malformed, "the path is not valid percent-encoded UTF-8", hint: "encode \"/\" as %2F")
    }
    return site
  }
}
