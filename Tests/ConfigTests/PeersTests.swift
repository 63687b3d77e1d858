import Config
import Model
import Testing

@Suite struct PeersTests {
  private func load(_ text: String) throws -> Topology {
    try Config.load(text + "\nlisteners: {}\n", file: "x.yaml", baseDirectory: "/").topology
  }

  private func diagnostics(_ text: String) -> [String] {
    do {
      _ = try load(text)
      return []
    } catch let error as ConfigError {
      return error.diagnostics.filter { $0.severity == .error }.map(\.message)
    } catch {
      return ["\(error)"]
    }
  }

  @Test func oneFileForAllNodes() throws {
    let topology = try load(
      """
      node: { name: a, site: eu }
      peers: { key: "0123456789abcdef", heartbeat: 50ms, nodes: { a: "10.0.0.1:7946", b: "[fd00::2]:7946" } }
      """)
    #expect(topology.node.name == "a" && topology.node.site == "eu")
    let peers = try #require(topology.peers)
    #expect(peers.nodes.map(\.name) == ["a", "b"])
    #expect(peers.heartbeat == .milliseconds(50) && peers.timeout == .milliseconds(200))
    #expect(peers.bind == nil)
  }

  @Test(arguments: [
    ("peers: { key: 0123456789abcdef, nodes: {} }", "node.name"),
    ("node: { name: a }\npeers: { nodes: { a: \"10.0.0.1:1\" } }", "expected `key`"),
    ("node: { name: a }\npeers: { key: short, nodes: { a: \"10.0.0.1:1\" } }", "at least 16"),
    ("node: { name: a }\npeers: { key: 0123456789abcdef }", "expected `nodes`"),
    ("node: { name: a }\npeers: { key: 0123456789abcdef, nodes: { b: \"10.0.0.1:1\" } }", "no address to listen on"),
    ("node: { name: a }\npeers: { key: 0123456789abcdef, nodes: { a: \"10.0.0.1:0\" } }", "the port"),
    ("node: { name: a }\npeers: { key: 0123456789abcdef, nodes: { a: \"10.0.0.1:1\", b: \"10.0.0.1:1\" } }", "twice"),
    (
      "node: { name: a }\npeers: { key: 0123456789abcdef, heartbeat: 1s, timeout: 1s, nodes: { a: \"10.0.0.1:1\" } }",
      "at least two heartbeats"
    ),
  ]) func whatIsWrongIsSaid(_ text: String, _ part: String) {
    let found = diagnostics(text)
    #expect(found.contains { $0.contains(part) }, "\(found)")
  }
}
