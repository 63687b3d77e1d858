import Health
import Model
import Node
import Synchronization
import Telemetry

/// A data plane and a clock that tests hold in their hands.
final class FakePorts: Sendable {
  struct State {
    var now = Instant(nanoseconds: 1_000_000_000)
    var worlds: [World] = []
    var probes: [[ProbeTarget]] = []
    var paces: [[BackendKey: Bool]] = []
    var failure: String?
    var statistics = DataPlaneStatistics()
    var isAccepting = true
  }

  struct Refused: Error, CustomStringConvertible { let description: String }

  let state = Mutex(State())

  var ports: Ports {
    Ports(
      applyWorld: { world in
        try self.state.withLock { state in
          if let failure = state.failure { throw Refused(description: failure) }
          state.worlds.append(world)
        }
      },
      statistics: { self.state.withLock { $0.statistics } },
      stopAccepting: { self.state.withLock { $0.isAccepting = false } },
      applyProbes: { targets in self.state.withLock { $0.probes.append(targets) } },
      paceProbes: { paces in self.state.withLock { $0.paces.append(paces) } },
      stopProbes: { self.state.withLock { $0.probes.append([]) } },
      now: { self.state.withLock { $0.now } },
      wallClock: { self.state.withLock { $0.now.nanoseconds / 1_000_000 } })
  }

  func advance(_ duration: Duration) { state.withLock { $0.now = $0.now + duration } }
  func fail(_ reason: String?) { state.withLock { $0.failure = reason } }
  var worlds: [World] { state.withLock { $0.worlds } }
  var paces: [[BackendKey: Bool]] { state.withLock { $0.paces } }
  var probes: [[ProbeTarget]] { state.withLock { $0.probes } }
}

extension Topology {
  /// One http listener before one pool of backends 10.0.0.1, .2, …
  static func sample(backends: Int = 3, probed: Bool = true, _ edit: (inout Topology) -> Void = { _ in }) -> Topology {
    var topology = Topology()
    var pool = Pool(
      name: "web",
      backends: (1...backends).map {
        Backend(name: "b\($0)", address: .ip(Endpoint(IPAddress(10, 0, 0, UInt8($0)), 80)))
      })
    if probed {
      var probe = Probe(kind: .tcp(send: [], expect: nil))
      probe.rise = 1
      probe.fall = 1
      pool.probe = probe
    }
    topology.pools = [pool]
    topology.listeners = [
      Listener(
        name: "front", transport: .http, binds: [Bind(.ip(Endpoint(.loopbackV4, 8080)))],
        routes: [Route(action: .pool("web"))])
    ]
    edit(&topology)
    return topology
  }
}

extension BackendKey {
  static func web(_ number: Int) -> BackendKey { BackendKey(pool: "web", backend: "b\(number)") }
}

/// A node that serves, with every backend up, and its World published.
func servingNode(_ topology: Topology = .sample()) async throws -> (Node, FakePorts) {
  let fake = FakePorts()
  let node = Node(version: "test") { _ in fake.ports }
  await node.begin(topology)
  for pool in topology.pools where pool.probe != nil {
    for backend in pool.backends where backend.state != .maintenance {
      try await node.apply(.probe(.passed(BackendKey(pool: pool.name, backend: backend.name))))
    }
  }
  try await node.apply(.tick)
  try await node.settled()
  fake.advance(.seconds(1))
  return (node, fake)
}

extension Change {
  static func probe(_ report: ProbeReport) -> Change { .probes([report]) }
}

extension ProbeReport {
  static func passed(_ key: BackendKey) -> ProbeReport { ProbeReport(key: key, finding: .probe(.success)) }
  static func failed(_ key: BackendKey) -> ProbeReport { ProbeReport(key: key, finding: .probe(.failure("refused"))) }
  static func agent(_ key: BackendKey, _ line: String) -> ProbeReport {
    ProbeReport(key: key, finding: .agent(line: Array(line.utf8)))
  }
}
