package import Model

/// What a hand-over asks of the data plane.
package struct PartingPort: Sendable {
  /// Whether each answer is the last of its connection.
  package var part: @Sendable (Bool) -> Void = { _ in }
  /// HTTP clients that were there when `part` began, and all that are there now.
  package var clients: @Sendable () async -> (old: Int, all: Int) = { (0, 0) }
  /// Clients that come to these addresses hear nothing, and try again in a moment; none: all are heard again.
  package var dropNew: @Sendable ([IPAddress]) -> Void = { _ in }

  package init() {}
}

extension Node {
  /// How often clients are counted.
  private static let look = Duration.milliseconds(20)
  /// For the last requests, while newcomers hear nothing; then for the other node to take over.
  private static let lastRequests = Duration.milliseconds(500), takeover = Duration.seconds(5)

  /// Gives a VIP, with its group, to another node without cutting a request that ends in time.
  ///
  /// First every HTTP connection is asked to end with its next answer, while new ones are served. When the old ones are
  /// gone, or `limit` is over, SYNs to the addresses are dropped, so that clients come back to whoever has the address
  /// in a second; what came meanwhile is answered, and the VIP is released.
  package func handOver(_ name: String, within limit: Duration) async throws(Refusal) {
    guard truth.topology.vips.contains(where: { $0.name == name }) else { throw .noSuchVIP(name) }
    let members = Set(truth.topology.vipsMoving(with: name))
    guard floating.activeVIPs.contains(name), limit > .zero, !isHandingOver else {
      return try apply(.vip(.handover(name, .release)))
    }
    isHandingOver = true
    let start = ports.now()
    ports.parting.part(true)
    await clients(until: start + limit) { $0.old == 0 }
    let moving = truth.topology.vips.filter { members.contains($0.name) }
    ports.parting.dropNew(moving.flatMap { $0.addresses + $0.companions }.map(\.address))
    let left = await clients(until: ports.now() + Node.lastRequests) { $0.all == 0 }
    record(
      .vip, subject: name,
      "drained for \((ports.now() - start).milliseconds) ms before the hand-over; \(left.all) HTTP connections are open"
    )
    defer { Task { await endHandover(of: name) } }
    try apply(.vip(.handover(name, .release)))
  }

  /// Counts until it is enough, or late.
  @discardableResult private func clients(
    until deadline: Instant, _ isEnough: (_ count: (old: Int, all: Int)) -> Bool
  ) async -> (old: Int, all: Int) {
    while true {
      let count = await ports.parting.clients()
      if isEnough(count) || ports.now() >= deadline { return count }
      do { try await Task.sleep(for: Node.look) } catch { return count }
    }
  }

  /// Listens again when the address is elsewhere, or was not taken.
  private func endHandover(of name: String) async {
    let deadline = ports.now() + Node.takeover
    while floating.activeVIPs.contains(name), ports.now() < deadline {
      do { try await Task.sleep(for: Node.look) } catch { break }
    }
    ports.parting.dropNew([])
    ports.parting.part(false)
    isHandingOver = false
  }
}
