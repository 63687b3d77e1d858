import Health
import Model
import Node
import Testing

@Suite(.timeLimit(.minutes(1))) struct PaceTests {
  func topology(rise: Int = 2, fall: Int = 2, initial: Probe.Initial = .down) -> Topology {
    .sample {
      $0.pools[0].probe?.rise = rise
      $0.pools[0].probe?.fall = fall
      $0.pools[0].probe?.initial = initial
    }
  }

  @Test func theProberHearsWhenAVerdictIsAboutToChangeAndWhenNoMore() async throws {
    let (node, fake) = try await servingNode(topology())
    #expect(fake.paces == [])
    try await node.apply(.probe(.failed(.web(1))))
    #expect(fake.paces == [[.web(1): true]])
    try await node.apply(.probe(.failed(.web(1))))
    #expect(fake.paces == [[.web(1): true], [.web(1): false]])
    // Down: more of the same changes nothing, a first success does.
    try await node.apply(.probe(.failed(.web(1))))
    #expect(fake.paces.count == 2)
    try await node.apply(.probe(.passed(.web(1))))
    try await node.apply(.probe(.passed(.web(1))))
    #expect(fake.paces.dropFirst(2) == [[.web(1): true], [.web(1): false]])
  }

  @Test func aFailureThatPassesIsForgotten() async throws {
    let (node, fake) = try await servingNode(topology(fall: 3))
    try await node.apply(.probe(.failed(.web(2))))
    try await node.apply(.probe(.passed(.web(2))))
    #expect(fake.paces == [[.web(2): true], [.web(2): false]])
  }

  @Test func aFirstFailureOfABackendThatIsTakenForUpIsAChange() async throws {
    let fake = FakePorts()
    let node = Node(version: "test") { _ in fake.ports }
    await node.begin(topology(initial: .up))
    try await node.apply(.probe(.failed(.web(1))))
    #expect(fake.paces == [[.web(1): true]])
  }

  @Test func aReloadThatStartsTheCountingAnewTakesTheWordBack() async throws {
    let (node, fake) = try await servingNode(topology())
    try await node.apply(.probe(.failed(.web(1))))
    try await node.apply(.load(topology()))
    #expect(fake.paces == [[.web(1): true]])
    try await node.apply(.load(topology(fall: 5)))
    #expect(fake.paces == [[.web(1): true], [.web(1): false]])
  }
}
