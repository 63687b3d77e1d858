internal import Hummingbird
internal import Wire

/// The endpoints of virtual addresses.
extension AdminRouter {
  static func addVIPs(_ router: Router<BasicRequestContext>, _ operations: some AdminOperations) {
    on(router, "v1/vips", [.get: { _, _ in try json(await operations.vips()) }])
    for wish in VIPWish.allCases {
      on(
        router, "v1/vips/{vip}/\(wish.rawValue)",
        [
          .post: { request, context in
            guard let name = context.parameters.get("vip").flatMap({ PathSegment.decode($0) }) else {
              throw AdminError(.malformed, "the path is not valid percent-encoded UTF-8", hint: "encode \"/\" as %2F")
            }
            let text = request.uri.queryParameters["drain"].map(String.init) ?? "0"
            guard let drain = Double(text), (0...300).contains(drain) else {
              throw AdminError(.malformed, "drain is no number of seconds", hint: "send ?drain=5, at most 300")
            }
            let target = request.uri.queryParameters["to"].map(String.init)
            return try json(try await operations.order(wish, vip: name, drain: drain, to: target))
          }
        ])
    }
  }
}
