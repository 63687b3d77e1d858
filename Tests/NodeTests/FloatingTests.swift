import Model
import Node
import Peering
import Synchronization
import Testing

/// The store and the kernel of floating addresses in a test's hands.
private final class FakeFloor: Sendable {
  struct Lost: Error, CustomStringConvertible { let description = "lost" }

  struct State {
    var kept: [FloatingIP]? = []
    var words: [FloatingWord] = []
    var kernel = FloatingPlan()
    var storeFails = false
    var kernelFails = false
  }

  let state = Mutex(State())
  let fake = FakePorts()

  var port: FloatingPort {
    var port = FloatingPort()
    port.restore = {
      guard let kept = self.state.withLock({ $0.kept }) else { throw Lost() }
      return FloatingRecord(rows: kept, words: self.state.withLock { $0.words })
    }
    port.adopt = { self.state.withLock { $0.kernel } }
    port.save = { record in
      try self.state.withLock { state in
        if state.storeFails { throw Lost() }
        state.kept = record.rows
        state.words = record.words
      }
    }
    port.apply = { plan in
      try self.state.withLock { state in
        if state.kernelFails { throw Lost() }
        state.kernel = plan
      }
      return FloatingOutcome()
    }
    return port
  }

  var kept: [FloatingIP] { state.withLock { $0.kept ?? [] } }
  var kernel: FloatingPlan { state.withLock { $0.kernel } }
}

@Suite struct FloatingNodeTests {
  private let first = IPAddress(203, 0, 113, 1), second = IPAddress(203, 0, 113, 2)
  private func server(_ last: UInt8) -> IPAddress { IPAddress(10, 0, 0, last) }

  private func started(
    _ floor: FakeFloor, vip: String? = nil, failovers: [FloatingSettings.Failover] = [], probed: Bool = false
  ) async throws -> Node {
    let node = Node(version: "test") { _ in
      var ports = floor.fake.ports
      ports.floating = floor.port
      ports.store.path = "/state.db"
      return ports
    }
    let topology = Topology.sample(probed: probed) { topology in
      var settings = FloatingSettings()
      settings.pools = [.init(name: "public", ranges: [first...second], device: "eth0", vip: vip)]
      settings.failovers = failovers
      topology.floating = settings
      if let vip { topology.vips = [VIP(name: vip, interface: "eth0", addresses: [], virtualRouter: 1)] }
    }
    await node.begin(topology)
    if probed { for number in 1...3 { try await node.apply(.probe(.passed(.web(number)))) } }
    try await node.apply(.tick)
    try await node.settled()
    return node
  }

  @Test func anOrderIsKeptAndCarriedOut() async throws {
    let floor = FakeFloor()
    let node = try await started(floor)
    #expect(try await node.order(floating: .allocate(pool: nil, nil)) == first)
    #expect(try await node.order(floating: .associate(first, server(1))) == first)
    #expect(floor.kept == [FloatingIP(address: first, pool: "public", fixed: server(1))])
    #expect(floor.kernel.mappings == [first: server(1)] && floor.kernel.places == [first: "eth0"])
  }

  @Test func whatTheStoreOrTheKernelRefusesHasNotHappened() async throws {
    let floor = FakeFloor()
    let node = try await started(floor)
    _ = try await node.order(floating: .allocate(pool: nil, first))
    let (kept, kernel) = (floor.kept, floor.kernel)
    for isStore in [true, false] {
      floor.state.withLock { ($0.storeFails, $0.kernelFails) = (isStore, !isStore) }
      await #expect(throws: Refusal.self) { try await node.order(floating: .move(first, server(1))) }
      #expect(floor.kept == kept && floor.kernel == kernel)
      #expect(await node.floatingView().table.sorted == kept)
    }
  }

  @Test func aStartMakesRulesWhatTheStoreSays() async throws {
    let floor = FakeFloor()
    floor.state.withLock { state in
      state.kept = [FloatingIP(address: first, pool: "public", fixed: server(2))]
      state.kernel.mappings = [second: server(9)]
    }
    let node = try await started(floor)
    _ = try await node.order(floating: .move(first, server(2)))
    #expect(floor.kernel.mappings == [first: server(2)])
  }

  @Test func withoutAStoreTheKernelIsTakenOver() async throws {
    let floor = FakeFloor()
    floor.state.withLock { state in
      state.kept = nil
      state.kernel.mappings = [first: server(2)]
      state.kernel.places = [first: "eth0", second: "eth0"]
    }
    let node = try await started(floor)
    _ = try await node.order(floating: .move(first, server(2)))
    #expect(floor.kernel.mappings == [first: server(2)])
    #expect(
      await node.floatingView().table.sorted == [
        FloatingIP(address: first, pool: "public", fixed: server(2)), FloatingIP(address: second, pool: "public"),
      ])
  }

  @Test func healthMovesAnAddressAlsoWithoutTheStore() async throws {
    let floor = FakeFloor()
    let node = try await started(
      floor, failovers: [.init(name: "shop", address: first, pool: "web", servers: ["b2", "b1"])], probed: true)
    // An order is worked off behind what came before it.
    _ = try await node.order(floating: .allocate(pool: nil, second))
    #expect(floor.kernel.mappings == [first: server(2)])
    floor.state.withLock { $0.storeFails = true }
    // Worlds that nobody asked for keep a distance.
    floor.fake.advance(.seconds(1))
    try await node.apply(.probe(.failed(.web(2))))
    await #expect(throws: Refusal.self) { try await node.order(floating: .release(second)) }
    #expect(floor.kernel.mappings == [first: server(1)])
    await #expect(throws: Refusal.self) { try await node.order(floating: .disassociate(first)) }
  }

  @Test func addressesGoWithTheirVIP() async throws {
    let floor = FakeFloor()
    let node = try await started(floor, vip: "front")
    _ = try await node.order(floating: .allocate(pool: nil, first))
    #expect(floor.kernel.places.isEmpty)
    for (kind, places) in [(VIPReport.Kind.active, [first: "eth0"]), (.backup, [:])] {
      try await node.apply(.vip(.report(VIPReport(vip: "front", kind: kind, message: ""))))
      _ = try await node.order(floating: .move(first, server(kind == .active ? 1 : 2)))
      #expect(floor.kernel.places == places)
    }
  }

  // MARK: Shared among nodes

  /// What the peers' driver was told.
  private final class Told: Sendable {
    let registers = Mutex<Registers>(Registers())
    var words: [String: String] {
      registers.withLock { Dictionary($0.entries.values.map { ($0.key.pool, $0.value) }) { first, _ in first } }
    }
  }

  private func sharing(_ floor: FakeFloor, _ told: Told, name: String = "a", vip: String? = "front") async throws
    -> Node
  {
    let node = Node(version: "test") { _ in
      var ports = floor.fake.ports
      ports.floating = floor.port
      ports.store.path = "/state.db"
      ports.sayToPeers = { content in told.registers.withLock { $0 = content.registers } }
      return ports
    }
    let topology = Topology.sample(probed: false) { topology in
      topology.node.name = name
      topology.peers = PeerSettings(
        key: "key", nodes: [.init(name: "b", address: Endpoint(IPAddress(10, 0, 0, 9), 7946))])
      var settings = FloatingSettings()
      settings.pools = [.init(name: "public", ranges: [first...second], device: "eth0", vip: vip)]
      topology.floating = settings
      topology.vips = [VIP(name: "front", interface: "eth0", addresses: [], virtualRouter: 1)]
    }
    await node.begin(topology)
    try await node.apply(.tick)
    try await node.settled()
    return node
  }

  private func said(_ address: IPAddress, _ word: String, at milliseconds: UInt64, by node: String = "b") -> Register {
    Register(key: RegisterKey(floating: address), value: word, stamp: Stamp(time: milliseconds << 16, node: node))
  }

  /// Whatever was heard is worked off before the next order is.
  private func settle(_ node: Node) async throws {
    _ = try? await node.order(floating: .move(IPAddress.loopbackV4, server(9)))
  }

  @Test func anOrderIsSaidToTheOthersAndCarriedOutByWhoHasTheVIP() async throws {
    let (floor, told) = (FakeFloor(), Told())
    let node = try await sharing(floor, told)
    _ = try await node.order(floating: .allocate(pool: nil, first))
    _ = try await node.order(floating: .associate(first, server(1)))
    #expect(told.words == ["203.0.113.1": "mapped 10.0.0.1 public"])
    #expect(floor.kernel == FloatingPlan(), "another node has it")
    try await node.apply(.vip(.report(VIPReport(vip: "front", kind: .active, message: ""))))
    try await settle(node)
    #expect(floor.kernel.mappings == [first: server(1)] && floor.kernel.places == [first: "eth0"])
    _ = try await node.order(floating: .disassociate(first))
    _ = try await node.order(floating: .release(first))
    #expect(told.words == ["203.0.113.1": "released"])
  }

  @Test func aLaterWordFromAnotherNodeHoldsHereAndAnEarlierOneDoesNot() async throws {
    let (floor, told) = (FakeFloor(), Told())
    let node = try await sharing(floor, told)
    try await node.apply(.vip(.report(VIPReport(vip: "front", kind: .active, message: ""))))
    try await node.apply(.peer(.registers(peer: "b", [said(first, "mapped 10.0.0.1 public", at: 9_000_000)])))
    try await settle(node)
    #expect(floor.kernel.mappings == [first: server(1)])
    #expect(floor.state.withLock { $0.words }.map(\.node) == ["b"], "it is kept")
    // Our clock is behind, and yet our word is the later one.
    _ = try await node.order(floating: .move(first, server(2)))
    try await node.apply(.peer(.registers(peer: "b", [said(first, "mapped 10.0.0.3 public", at: 8_000_000)])))
    try await settle(node)
    #expect(floor.kernel.mappings == [first: server(2)])
    #expect(await node.events(after: 0).events.contains { $0.message == "mapped to 10.0.0.1, said on b" })
  }

  @Test func whoReturnsIsAsOldAsItsStore() async throws {
    let (floor, told) = (FakeFloor(), Told())
    floor.state.withLock { state in
      state.kept = [FloatingIP(address: first, pool: "public", fixed: server(1))]
      state.words = [FloatingWord(first, .mapped(server(1), pool: "public"), time: 5 << 16, node: "a")]
    }
    let node = try await sharing(floor, told)
    try await settle(node)
    #expect(told.words == ["203.0.113.1": "mapped 10.0.0.1 public"])
    try await node.apply(.peer(.registers(peer: "b", [said(first, "released", at: 6)])))
    try await settle(node)
    #expect(await node.floatingView().table.entries.isEmpty)
    #expect(floor.kept.isEmpty)
  }

  @Test func whatOnlyThisNodeKnewIsTheOldestWord() async throws {
    let (floor, told) = (FakeFloor(), Told())
    floor.state.withLock { state in
      state.kept = [
        FloatingIP(address: first, pool: "public", fixed: server(1)), FloatingIP(address: second, pool: "public"),
      ]
    }
    let node = try await sharing(floor, told)
    try await settle(node)
    #expect(told.words == ["203.0.113.1": "mapped 10.0.0.1 public", "203.0.113.2": "allocated public"])
    try await node.apply(.peer(.registers(peer: "b", [said(first, "mapped 10.0.0.2 public", at: 1)])))
    try await settle(node)
    #expect(await node.floatingView().table.entries[first]?.fixed == server(2))
  }

  @Test func theNextOrderSettlesAConflictForAllTime() async throws {
    let (floor, told) = (FakeFloor(), Told())
    let node = try await sharing(floor, told)
    try await node.apply(
      .peer(
        .registers(
          peer: "b", [said(first, "mapped 10.0.0.1 public", at: 5), said(second, "mapped 10.0.0.1 public", at: 6)])))
    try await settle(node)
    #expect(await node.floatingView().table.entries[first]?.fixed == nil)
    #expect(await node.events(after: 0).events.contains { $0.message.contains("stands behind 203.0.113.2") })
    _ = try await node.order(floating: .disassociate(second))
    #expect(told.words == ["203.0.113.1": "allocated public", "203.0.113.2": "allocated public"])
    try await settle(node)
    #expect(await node.floatingView().table.entries[first]?.fixed == nil, "it does not come back by itself")
  }

  @Test func poolsWithoutAVIPAreThisNodesAlone() async throws {
    let (floor, told) = (FakeFloor(), Told())
    let node = try await sharing(floor, told, vip: nil)
    _ = try await node.order(floating: .allocate(pool: nil, first))
    try await node.apply(.peer(.registers(peer: "b", [said(second, "mapped 10.0.0.1 public", at: 5)])))
    try await settle(node)
    #expect(await node.floatingView().table.sorted.map(\.address) == [first])
    #expect(told.words.keys.sorted() == ["203.0.113.2"])
  }
}
