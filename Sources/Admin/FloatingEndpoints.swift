internal import FoundationEssentials
internal import Hummingbird

/// What the API can ask of floating addresses.
package protocol FloatingOperations: Sendable {
  func floatingIPs() async -> FloatingReport
  /// The address as it is afterwards; one that was released is mapped to nobody.
  func floating(_ verb: FloatingVerb, _ body: FloatingOrderBody) async throws(AdminError) -> FloatingReport.Address
}

extension AdminRouter {
  static func addFloating(_ router: Router<BasicRequestContext>, _ operations: some FloatingOperations) {
    on(router, "v1/floating-ips", [.get: { _, _ in try json(await operations.floatingIPs()) }])
    for verb in FloatingVerb.allCases {
      on(
        router, "v1/floating-ips/\(verb.rawValue)",
        [
          .post: { request, _ in
            let bytes = try await body(request)
            guard let order = try? JSONDecoder().decode(FloatingOrderBody.self, from: Data(bytes)) else {
              throw AdminError(
                .malformed, "the body is no order", hint: "send {\"address\": …, \"fixed\": …}; allocate takes a pool")
            }
            return try json(try await operations.floating(verb, order))
          }
        ])
    }
  }
}
