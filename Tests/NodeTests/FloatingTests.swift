import Model
import Node
import Synchronization
import Testing

/// The store and the kernel of floating addresses in a test's hands.
private final class FakeFloor: Sendable {
  struct Lost: Error, CustomStringConvertible { let description = "lost" }

  struct State {
    var kept: [FloatingIP]? = []
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
      return kept
    }
    port.adopt = { self.state.withLock { $0.kernel } }
    port.save = { rows in
      try self.state.withLock { state in
        if state.storeFails { throw Lost() }
        state.kept = rows
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
}
