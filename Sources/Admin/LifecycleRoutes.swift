internal import Hummingbird

/// The endpoints of a node's own life: another process, another configuration.
extension AdminRouter {
  static func addLifecycle(_ router: Router<BasicRequestContext>, _ operations: some LifecycleOperations) {
    on(
      router, "v1/upgrade",
      [
        .post: { request, _ in
          try json(try await operations.upgrade(within: try seconds(request, "within", 1...600) ?? 60))
        }
      ])
    on(
      router, "v1/apply",
      [
        .post: { request, _ in
          let text = try await configuration(request)
          let limit = try seconds(request, "confirm-within", 1...86_400)
          return try json(try await operations.apply(text, name: name(request), confirmWithin: limit))
        }
      ])
    on(router, "v1/confirm", [.post: { _, _ in try json(try await operations.confirm()) }])
    on(router, "v1/revert", [.post: { _, _ in try json(try await operations.revert()) }])
    on(
      router, "v1/diff",
      [
        .post: { request, _ in
          let text = try await configuration(request)
          return try json(try await operations.diff(text, name: name(request)))
        }
      ])
  }

  /// The text of a configuration in the body.
  static func configuration(_ request: Request) async throws -> String {
    guard let text = String(validating: try await body(request), as: UTF8.self) else {
      throw AdminError(.malformed, "the configuration is not UTF-8", hint: "send the file's text as the body")
    }
    return text
  }

  private static func name(_ request: Request) -> String {
    request.uri.queryParameters["name"].map(String.init) ?? "config"
  }

  private static func seconds(_ request: Request, _ name: Substring, _ range: ClosedRange<Int>) throws -> Int? {
    guard let text = request.uri.queryParameters[name] else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw AdminError(
        .malformed, "\(name) is not a number of seconds in \(range.lowerBound)...\(range.upperBound)",
        hint: "for example \(name)=60")
    }
    return number
  }
}
