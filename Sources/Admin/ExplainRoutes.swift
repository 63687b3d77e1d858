internal import FoundationEssentials
internal import Hummingbird
internal import Wire

/// The endpoints that explain requests.
extension AdminRouter {
  static func addExplain(_ router: Router<BasicRequestContext>, _ operations: some ExplainOperations) {
    on(
      router, "v1/explain",
      [
        .post: { request, _ in
          guard let asked = try? JSONDecoder().decode(ExplainRequest.self, from: Data(try await body(request))) else {
            throw AdminError(
              .malformed, "the body is not a request to explain",
              hint:
                "send {\"method\": \"GET\", \"url\": \"http://…\", \"headers\": [\"Name: value\"], \"from\": \"192.0.2.1\"}"
            )
          }
          return try json(try await operations.explain(asked))
        }
      ])
    on(router, "v1/samples", [.get: { _, _ in try json(await operations.samples()) }])
    on(
      router, "v1/samples/{id}",
      [
        .get: { _, context in
          guard let id = context.parameters.get("id").flatMap({ PathSegment.decode($0) }) else {
            throw AdminError(.malformed, "the path is not valid percent-encoded UTF-8", hint: "encode it")
          }
          return try json(try await operations.explain(sample: id))
        }
      ])
  }
}
