package import Model

/// What a hand-over asks of the data plane.
package struct PartingPort: Sendable {
  /// Of HTTP clients of these addresses, each answer is the last of its connection; none: no longer.
  package var part: @Sendable ([IPAddress]) -> Void = { _ in }
  /// Their connections as the kernel knows them, from the handshake until the last byte is acknowledged; nil: it does
  /// not tell.
  package var connections: @Sendable ([IPAddress]) async -> Set<UInt64>? = { _ in [] }
  /// Clients that come to these addresses hear nothing, and try again in a moment; none: all are heard again.
  package var dropNew: @Sendable ([IPAddress]) -> Void = { _ in }

  package init() {}
}

extension Node {
  /// How often connections are looked at, if a look takes no time.
  private static let look = Duration.milliseconds(20)
  /// How long newcomers hear nothing: who was not heard tries again after a second (RFC 6298 §2), and shall be by then.
  private static let lastRequests = Duration.milliseconds(700)
  /// For a peer to hear that it is to have the address, and to say that it wants it.
  private static let claiming = Duration.milliseconds(250)
  /// For the other node to take over.
  private static let takeover = Duration.seconds(5)

  /// Gives a VIP, with its group, to another node without cutting a request that ends in time.
  ///
  /// First every HTTP connection to its addresses is asked to end with its next answer, while new ones are served. When
  /// those that were there are gone, SYNs to the addresses are dropped, so that clients come back to whoever has the
  /// address in a second. When what came meanwhile is answered, down to the last acknowledgement, the VIP is released.
  /// If that takes too long for those who wait, they are heard again, and it begins anew, until `limit` is over.
  ///
  /// - Parameter text: the peer that shall have it; nil: whoever is the next choice. One that is none of the peers is not
  ///   steered.
  package func handOver(_ name: String, to text: String? = nil, within limit: Duration) async throws(Refusal) {
    guard truth.topology.vips.contains(where: { $0.name == name }) else { throw .noSuchVIP(name) }
    let members = Set(truth.topology.vipsMoving(with: name))
    var target: String?
    if let text { target = try self.target(text, of: name) }
    // It would cut what the other one still waits for.
    if isHandingOver { throw .handingOver }
    guard floating.activeVIPs.contains(name), limit > .zero || target != nil else {
      return try apply(.vip(.handover(name, .release)))
    }
    isHandingOver = true
    let start = ports.now()
    let moving = truth.topology.vips.filter { members.contains($0.name) }
    defer { Task { await endHandover(of: name) } }
    if limit > .zero {
      let left = await quieten(moving.flatMap { $0.addresses + $0.companions }.map(\.address), until: start + limit)
      let words = left.map { "\($0.count) HTTP connections are open" } ?? "the kernel does not tell who is connected"
      record(
        .vip, subject: name, "drained for \((ports.now() - start).milliseconds) ms before the hand-over; \(words)")
    }
    if let own = truth.topology.node.name { share(VIPMove(from: own, to: target), of: name) }
    if let target { await claimed(by: target, name) }
    // Whoever comes now waits for the next node: it shall not wait for a timer.
    try apply(.vip(.handover(name, .resign)))
  }

  /// The target is the first choice before this node resigns; where it does not say so in time, the priorities decide.
  private func claimed(by target: String, _ name: String) async {
    let deadline = ports.now() + Node.claiming
    while !hasClaimed(target, name), floating.activeVIPs.contains(name), ports.now() < deadline {
      do { try await Task.sleep(for: .milliseconds(2)) } catch { return }
    }
  }

  /// - Returns: who is connected still, with newcomers unheard.
  private func quieten(_ addresses: [IPAddress], until deadline: Instant) async -> Set<UInt64>? {
    ports.parting.part(addresses)
    while true {
      let old = await ports.parting.connections(addresses)
      let rest = await connections(to: addresses, until: deadline) { old.map($0.isDisjoint) ?? false }
      ports.parting.dropNew(addresses)
      // Who has used up the time already is waited for no longer.
      let stubborn = old.flatMap { old in rest?.intersection(old) } ?? []
      // A SYN that came just before is seen by the second look.
      let left = await connections(to: addresses, until: ports.now() + Node.lastRequests, looks: 2) {
        $0.isSubset(of: stubborn)
      }
      if ports.now() >= deadline || left.map({ $0.isSubset(of: stubborn) }) ?? true { return left }
      ports.parting.dropNew([])
    }
  }

  /// Looks until it is enough so many times in a row, or late.
  private func connections(
    to addresses: [IPAddress], until deadline: Instant, looks: Int = 1, _ isEnough: (Set<UInt64>) -> Bool
  ) async -> Set<UInt64>? {
    var row = 0
    while true {
      let begin = ports.now()
      let found = await ports.parting.connections(addresses)
      row = found.map(isEnough) ?? false ? row + 1 : 0
      let now = ports.now()
      if row >= looks || now >= deadline { return found }
      // Where there are very many, looking shall not be all that the kernel does.
      let pause = max(Node.look, .nanoseconds((now - begin).nanoseconds * 4))
      do { try await Task.sleep(for: pause) } catch { return found }
    }
  }

  /// Listens again when the address is elsewhere, or was not taken.
  private func endHandover(of name: String) async {
    let deadline = ports.now() + Node.takeover
    while floating.activeVIPs.contains(name), ports.now() < deadline {
      do { try await Task.sleep(for: Node.look) } catch { break }
    }
    ports.parting.dropNew([])
    ports.parting.part([])
    isHandingOver = false
  }
}
