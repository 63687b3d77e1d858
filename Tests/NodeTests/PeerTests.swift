import Health
import Model
import Node
import Peering
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct PeerTests {
  /// What the peers' driver was told.
  final class Told: Sendable {
    let contents = Mutex<[Neighborhood.Content]>([])
    let settings = Mutex<[Neighborhood.Settings?]>([])
    let vips = Mutex<[VIPOrder]>([])
    var last: Neighborhood.Content? { contents.withLock { $0.last } }
  }

  private func node(_ topology: Topology) async throws -> (Node, FakePorts, Told) {
    let (fake, told) = (FakePorts(), Told())
    let node = Node(version: "test") { _ in
      var ports = fake.ports
      ports.applyPeers = { settings in told.settings.withLock { $0.append(settings) } }
      ports.vips.apply = { orders in told.vips.withLock { $0 = orders } }
      ports.sayToPeers = { content in told.contents.withLock { $0.append(content) } }
      return ports
    }
    await node.begin(topology)
    try await node.apply(.tick)
    try await node.settled()
    return (node, fake, told)
  }

  private func topology(_ edit: (inout Topology) -> Void = { _ in }) -> Topology {
    .sample(probed: false) {
      $0.node.name = "a"
      $0.peers = PeerSettings(
        key: "key", nodes: [.init(name: "b", address: Endpoint(IPAddress(10, 0, 0, 9), 7946))])
      edit(&$0)
    }
  }

  private func register(_ value: String, _ backend: String = "b1", time: UInt64) -> Register {
    Register(
      key: RegisterKey(.state, pool: "web", backend: backend), value: value, stamp: Stamp(time: time << 16, node: "b"))
  }

  private func standing(_ node: Node, _ index: Int) async -> Standing { await node.snapshot().standings[0][index] }

  @Test func aNodeSaysHowItsPoolsAre() async throws {
    let (node, _, told) = try await node(topology())
    #expect(told.settings.withLock { $0.map { $0?.name } } == ["a"])
    let pool = told.last?.reports.first { $0.key.name == "web" }
    #expect(pool == .pool("web", .init(up: 3, total: 3, inFlight: 0, capacity: 0)))
    try await node.apply(.override(.web(1), .state(.drain)))
    #expect(
      told.last?.reports.contains(.pool("web", .init(up: 2, total: 3, inFlight: 0, capacity: 0))) == true)
    #expect(told.last?.registers.entries.values.map(\.value) == ["drain"])
  }

  @Test func aPeersOrderHoldsHereAndALaterOneOfOursThere() async throws {
    let (node, _, told) = try await node(topology())
    try await node.apply(.peer(.registers(peer: "b", [register("drain", time: 9_000_000)])))
    #expect(await standing(node, 0).state == .drain)
    // Our clock is behind, and yet our word is the later one.
    try await node.apply(.override(.web(1), .state(.ready)))
    #expect(await standing(node, 0).state == .ready)
    let said = try #require(told.last?.registers.entries.values.first)
    #expect(said.value == "ready" && said.stamp > Stamp(time: 9_000_000 << 16, node: "b"))
    // An older word that comes again changes nothing.
    try await node.apply(.peer(.registers(peer: "b", [register("drain", time: 9_000_000)])))
    #expect(await standing(node, 0).state == .ready)
  }

  @Test func anOrderOfABackendThatIsStillToComeWaitsForIt() async throws {
    let (node, _, _) = try await node(topology())
    try await node.apply(.peer(.registers(peer: "b", [register("maintenance", "b4", time: 5)])))
    var next = topology()
    next.pools[0].backends.append(
      Backend(name: "b4", address: .ip(Endpoint(IPAddress(10, 0, 0, 4), 80))))
    try await node.apply(.load(next))
    #expect(await standing(node, 3).state == .maintenance)
  }

  @Test func aNewFileTakesAWordBackHereAndNobodyElsesIsTouched() async throws {
    let (node, _, told) = try await node(topology())
    try await node.apply(.override(.web(1), .weight(7)))
    try await node.apply(.override(.web(2), .state(.drain)))
    var next = topology()
    next.pools[0].backends[0].weight = 50
    next.pools[0].backends.removeLast()
    try await node.apply(.load(next))
    let words = told.last?.registers.entries.values.map { "\($0.key.backend)=\($0.value)" }.sorted()
    #expect(words == ["b1=", "b2=drain"])
    #expect(await standing(node, 0).weight == 50)
    // A word that was taken back elsewhere changes nothing here.
    let void = Register(
      key: RegisterKey(.state, pool: "web", backend: "b2"), value: "", stamp: Stamp(time: 1 << 50, node: "b"))
    try await node.apply(.peer(.registers(peer: "b", [void])))
    #expect(await standing(node, 1).state == .drain)
  }

  @Test func linksAreInTheEventsAndInTheTruth() async throws {
    let (node, fake, _) = try await node(topology())
    try await node.apply(.peer(.down(peer: "b", reason: "Connection refused")))
    try await node.apply(.peer(.up(peer: "b", .init(site: "eu", version: "1", skew: 5_000))))
    let report = PeerReport.pool("web", .init(up: 1, total: 2, inFlight: 0, capacity: 0))
    try await node.apply(.peer(.reports(peer: "b", [report.key: report])))
    #expect(await node.snapshot().peers.peers["b"]?.pool("web")?.up == 1)
    fake.advance(.seconds(3))
    try await node.apply(.peer(.down(peer: "b", reason: "silent")))
    try await node.apply(.peer(.stale(peer: "b")))
    try await node.apply(.peer(.down(peer: "b", reason: "No route to host")))
    let peer = try #require(await node.snapshot().peers.peers["b"])
    #expect(peer.link == .stale && peer.reason == "No route to host" && peer.pool("web")?.up == 1)
    let kinds = await node.events(after: 0).events.map(\.kind.rawValue).filter { $0.hasPrefix("peer") }
    #expect(kinds == ["peer-up", "peer-down", "peer-stale"])
    try await node.apply(.peer(.gone(peer: "b")))
    #expect(await node.snapshot().peers.peers.isEmpty)
  }

  // MARK: Sites

  private func withSites(quorum: Int?) -> Topology {
    topology {
      var names = NameService()
      var site = Site(name: "eu", addresses: [IPAddress(192, 0, 2, 1)])
      site.quorum = quorum
      site.upAfter = .zero
      site.nodes = ["b"]
      names.sites = [site]
      $0.names = names
    }
  }

  private func says(_ state: PeerReport.VerdictFacts.State, inFlight: UInt32 = 0) -> Change {
    let reports: [PeerReport] = [
      .verdict("eu", .init(state: state, since: 0, reason: "")),
      .pool("web", .init(up: 1, total: 1, inFlight: inFlight, capacity: 200)),
    ]
    return .peer(.reports(peer: "b", Dictionary(uniqueKeysWithValues: reports.map { ($0.key, $0) })))
  }

  private let introduction = PeerObservation.Introduction(site: "eu", version: "test", skew: 0)

  @Test func whatPeersSeeOfASiteDecides() async throws {
    let (node, _, _) = try await node(withSites(quorum: nil))
    try await node.apply(.peer(.up(peer: "b", introduction)))
    try await node.apply(says(.down, inFlight: 50))
    #expect(await node.snapshot().sites["eu"]?.state == .down)
    #expect(await node.snapshot().siteObservers["eu"]?.map(\.isUp) == [false])
    try await node.apply(says(.up, inFlight: 50))
    #expect(await node.snapshot().sites["eu"]?.state == .up)
    try await node.apply(.peer(.heard(peer: "b", roundTrip: nil)))
    #expect(await node.snapshot().siteLoads["eu"] == SiteLoad(underWay: 50, capacity: 200))
  }

  @Test func aPeerThatFallsSilentDeclaresNothingDead() async throws {
    let (node, fake, _) = try await node(withSites(quorum: nil))
    try await node.apply(.peer(.up(peer: "b", introduction)))
    try await node.apply(says(.up))
    try await node.apply(.peer(.down(peer: "b", reason: "cut")))
    try await node.apply(.peer(.stale(peer: "b")))
    fake.advance(.seconds(11))
    try await node.apply(.tick)
    let site = await node.snapshot().sites["eu"]
    #expect(site?.state == .stale && site?.isUp == true)
  }

  @Test func aSitesDrainHoldsOnAllNodesAndEndsOnAll() async throws {
    let (node, fake, told) = try await node(withSites(quorum: nil))
    try await node.apply(.site("eu", .drain(.seconds(60))))
    let said = try #require(told.last?.registers[RegisterKey(site: "eu")])
    let (other, otherFake, _) = try await self.node(withSites(quorum: nil))
    try await other.apply(.peer(.registers(peer: "a", [said])))
    #expect(await other.snapshot().sites["eu"]?.state == .drained)
    otherFake.advance(.seconds(61))
    try await other.apply(.tick)
    #expect(await other.snapshot().sites["eu"]?.state != .drained)
    _ = fake
  }

  @Test func aSiteThatComesLaterIsDrainedIfSomebodySaidSo() async throws {
    let (node, _, _) = try await node(topology())
    let drained = Register(key: RegisterKey(site: "eu"), value: "drain", stamp: Stamp(time: 5 << 16, node: "b"))
    try await node.apply(.peer(.registers(peer: "b", [drained])))
    try await node.apply(.load(withSites(quorum: nil)))
    #expect(await node.snapshot().sites["eu"]?.state == .drained)
  }

  // MARK: Virtual addresses

  private func withVIP() -> Topology {
    topology { topology in
      topology.vips = [
        VIP(name: "front", interface: "eth0", addresses: [VIPAddress(IPAddress(192, 0, 2, 1))], virtualRouter: 51)
      ]
    }
  }

  private func moved(_ word: String, time: UInt64) -> Change {
    .peer(
      .registers(
        peer: "b", [Register(key: RegisterKey(vip: "front"), value: word, stamp: Stamp(time: time << 16, node: "b"))]))
  }

  @Test func aMoveThatNamesThisNodeIsAClaimUntilItIsTakenBack() async throws {
    let (node, _, told) = try await node(withVIP())
    for (time, word, wish) in [
      (1, "move b a", VIPHandover?.some(.claim)), (2, "move a b", .resign), (3, "move b c", nil),
      (4, "move b a", .claim),
      (5, "restore", nil), (6, "move a", .resign), (7, "nonsense", nil), (8, "move c a", .claim),
    ] as [(UInt64, String, VIPHandover?)] {
      try await node.apply(moved(word, time: time))
      #expect(told.vips.withLock { $0.first?.handover } == wish, "\(word)")
    }
    // An operator's restore here is heard everywhere.
    try await node.apply(.vip(.handover("front", nil)))
    #expect(told.last?.registers[RegisterKey(vip: "front")]?.value == "restore")
  }

  @Test func aMoveGoesToAPeerThatCanTakeItOrNowhere() async throws {
    let (node, _, told) = try await node(withVIP())
    func refusal(_ target: String) async -> String? {
      do throws(Refusal) { try await node.handOver("front", to: target, within: .zero) } catch { return "\(error)" }
      return nil
    }
    #expect(await refusal("z") == "z is none of `peers`")
    #expect(await refusal("b") == "b is not connected")
    try await node.apply(.peer(.up(peer: "b", .init(site: "", version: "1", skew: 0))))
    #expect(await refusal("b") == "b has no vip front")
    for (state, expected) in [(PeerReport.VIPFacts.State.fault, "front is in fault on b"), (.backup, nil)] {
      let report = PeerReport.vip("front", .init(state: state, priority: 254, since: 0))
      try await node.apply(.peer(.reports(peer: "b", [report.key: report])))
      try await node.apply(.vip(.report(VIPReport(vip: "front", kind: .active, message: ""))))
      #expect(await refusal(state == .fault ? "b" : "10.0.0.9") == expected)
    }
    #expect(told.last?.registers[RegisterKey(vip: "front")]?.value == "move a b")
    #expect(told.vips.withLock { $0.first?.handover } == .resign)
  }
}
