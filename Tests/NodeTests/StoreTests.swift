import Model
import Node
import Synchronization
import Testing

/// A store in a test's hands.
private final class FakeStore: Sendable {
  struct Lost: Error, CustomStringConvertible { let description = "the disk is full" }

  let saved = Mutex<[KeptOrders]>([])

  func port(_ kept: KeptOrders?) -> StorePort {
    var port = StorePort()
    port.path = "/state.db"
    port.restore = {
      guard let kept else { throw Lost() }
      return kept
    }
    port.keep = { orders in self.saved.withLock { $0.append(orders) } }
    return port
  }

  var last: KeptOrders? { saved.withLock { $0.last } }
  var count: Int { saved.withLock { $0.count } }
}

@Suite struct NodeStoreTests {
  private func word(_ number: Int, _ state: AdministrativeState?, _ weight: Int? = nil) -> KeptOverride {
    KeptOverride(key: .web(number), state: state, weight: weight, fileState: .ready, fileWeight: 100)
  }

  private func started(_ kept: KeptOrders?, _ topology: Topology = .sample(probed: false)) async throws -> (
    Node, FakePorts, FakeStore
  ) {
    let (fake, store) = (FakePorts(), FakeStore())
    let node = Node(version: "test") { _ in
      var ports = fake.ports
      ports.store = store.port(kept)
      return ports
    }
    await node.begin(topology)
    try await node.apply(.tick)
    try await node.settled()
    return (node, fake, store)
  }

  @Test func everyWordIsKeptAndNothingElse() async throws {
    let (node, _, store) = try await started(KeptOrders())
    #expect(store.count == 0)
    try await node.apply(.override(.web(1), .state(.drain)))
    try await node.apply(.override(.web(2), .weight(7)))
    #expect(store.last == KeptOrders(overrides: [word(1, .drain), word(2, nil, 7)]))
    try await node.apply(.tick)
    #expect(store.count == 2)
    var next = Topology.sample(probed: false)
    next.pools[0].backends[0].weight = 50
    next.pools[0].backends[1].weight = 50
    try await node.apply(.load(next))
    var rest = word(1, .drain)
    rest.fileWeight = 50
    #expect(store.last == KeptOrders(overrides: [rest]))
  }

  @Test func whatWasKeptHoldsInTheFirstWorld() async throws {
    let (node, fake, store) = try await started(KeptOrders(overrides: [word(1, .drain), word(2, nil, 7)]))
    let first = try #require(fake.worlds.first)
    #expect(first.standings[0].map(\.state) == [.drain, .ready, .ready])
    #expect(first.standings[0].map(\.weight) == [100, 7, 100])
    #expect(store.count == 0)
    #expect(await node.snapshot().store == StoreStanding(path: "/state.db", loss: nil))
  }

  @Test func whatTheFileHasMadeVoidIsDropped() async throws {
    var other = word(2, nil, 7)
    other.fileWeight = 90
    let gone = KeptOverride(
      key: BackendKey(pool: "web", backend: "gone"), state: .drain, weight: nil, fileState: .ready, fileWeight: 100)
    let (node, fake, store) = try await started(KeptOrders(overrides: [word(1, .maintenance), other, gone]))
    #expect(fake.worlds.first?.standings[0].map(\.weight) == [100, 100, 100])
    #expect(store.last == KeptOrders(overrides: [word(1, .maintenance)]))
    #expect(await node.events(after: 0).events.count { $0.kind == .dropped } == 2)
  }

  @Test func aLostStoreIsSaidAndTakesNothingBack() async throws {
    let (node, fake, _) = try await started(nil)
    try await node.apply(.override(.web(1), .state(.drain)))
    #expect(fake.worlds.last?.standings[0].first?.state == .drain)
    #expect(await node.snapshot().store?.loss == "what was kept is not restored: the disk is full")
    try await node.apply(.store(.back))
    #expect(await node.snapshot().store?.loss == nil)
    let kinds = await node.events(after: 0).events.map(\.kind)
    #expect(kinds.contains(.storeLost) && kinds.contains(.storeBack))
  }
}
