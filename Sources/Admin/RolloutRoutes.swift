internal import FoundationEssentials
internal import Hummingbird
internal import Wire

/// The endpoints of rollouts.
extension AdminRouter {
  static func addRollouts(_ router: Router<BasicRequestContext>, _ operations: some RolloutOperations) {
    on(
      router, "v1/rollouts",
      [
        .get: { _, _ in try json(await operations.rollouts()) },
        .post: { request, _ in
          let asked = try decode(
            RolloutRequest.self, try await body(request), "{\"pool\": …, \"update\": {\"command\": […]}}")
          return try json(try await operations.start(asked))
        },
      ])
    on(
      router, "v1/rollouts/canary",
      [
        .post: { request, _ in
          let asked = try decode(
            CanaryRequest.self, try await body(request), "{\"pool\": …, \"version\": …, \"steps\": [1, 5, 25, 50, 100]}"
          )
          return try json(try await operations.start(asked))
        }
      ])
    on(
      router, "v1/rollouts/{pool}",
      [.get: { _, context in try json(try await operations.rollout(of: try pool(context))) }])
    for order in RolloutOrder.allCases {
      on(
        router, "v1/rollouts/{pool}/\(order.rawValue)",
        [
          .post: { _, context in
            try json(try await operations.order(order, pool: try pool(context)))
          }
        ])
    }
  }

  private static func pool(_ context: BasicRequestContext) throws(AdminError) -> String {
    guard let pool = context.parameters.get("pool").flatMap({ PathSegment.decode($0) }) else {
      throw AdminError(.malformed, "the path is not valid percent-encoded UTF-8", hint: "encode it")
    }
    return pool
  }

  private static func decode<Asked: Decodable>(_ type: Asked.Type, _ body: [UInt8], _ example: String) throws -> Asked {
    do {
      return try JSONDecoder().decode(type, from: Data(body))
    } catch let error as DecodingError {
      throw AdminError(.malformed, "the body is not a rollout: \(reason(error))", hint: "send \(example)")
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
