internal import Hummingbird
internal import Wire

/// What the API can ask of the node's BGP speakers.
package protocol BGPOperations: Sendable {
  func bgpStatus() async -> BGPStatusReport
  func bgpRoutes(peer: String) async throws(AdminError) -> BGPRoutesReport
  func bgp(_ order: AnnouncementOrder, announcement: String) async throws(AdminError) -> BGPStatusReport
  func bgp(_ order: BGPNodeOrder) async throws(AdminError) -> BGPStatusReport
}

extension AdminRouter {
  static func addBGP(_ router: Router<BasicRequestContext>, _ operations: some BGPOperations) {
    on(router, "v1/bgp", [.get: { _, _ in try json(await operations.bgpStatus()) }])
    on(
      router, "v1/bgp/routes/{peer}",
      [.get: { _, context in try json(try await operations.bgpRoutes(peer: try segment("peer", context))) }])
    for order in AnnouncementOrder.allCases {
      on(
        router, "v1/bgp/announcements/{name}/\(order.rawValue)",
        [.post: { _, context in try json(try await operations.bgp(order, announcement: try segment("name", context))) }]
      )
    }
    for order in BGPNodeOrder.allCases {
      on(router, "v1/bgp/\(order.rawValue)", [.post: { _, _ in try json(try await operations.bgp(order)) }])
    }
  }

  private static func segment(_ name: String, _ context: BasicRequestContext) throws -> String {
    guard let value = context.parameters.get(name).flatMap({ PathSegment.decode($0) }) else {
      throw AdminError(.malformed, "the path is not valid percent-encoded UTF-8", hint: "encode \"/\" as %2F")
    }
    return value
  }
}
