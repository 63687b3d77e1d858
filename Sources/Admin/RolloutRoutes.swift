internal import FoundationEssentials
internal import Hummingbird

/// The endpoints of rollouts.
extension AdminRouter {
  static func addRollouts(_ router: Router<BasicRequestContext>, _ operations: some RolloutOperations) {
    on(
      router, "v1/rollouts",
      [
        .get: { _, _ in try json(await operations.rollouts()) },
        .post: { request, _ in
          let asked: RolloutRequest
          do {
            asked = try JSONDecoder().decode(RolloutRequest.self, from: Data(try await body(request)))
          } catch let error as DecodingError {
            throw AdminError(
              .malformed, "the body is not a rollout: \(reason(error))",
              hint: "send {\"pool\": …, \"update\": {\"command\": […]}}")
          }
          return try json(try await operations.start(asked))
        },
      ])
    for order in RolloutOrder.allCases {
      on(
        router, "v1/rollouts/{pool}/\(order.rawValue)",
        [
          .post: { _, context in
            guard let pool = context.parameters.get("pool").flatMap({ PathSegment.decode($0) }) else {
              throw AdminError(.malformed, "the path is not valid percent-encoded UTF-8", hint: "encode it")
            }
            return try json(try await operations.order(order, pool: pool))
          }
        ])
    }
  }

  private static func reason(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "`\(key.stringValue)` is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      "\(context.codingPath.map(\.stringValue).joined(separator: "."))\(context.codingPath.isEmpty ? "" : ": ")not as expected"
    @unknown default: "not as expected"
    }
  }
}
