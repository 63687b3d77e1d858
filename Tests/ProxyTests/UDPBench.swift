import Glibc
import Kernel
import Model
import Planner
import Proxy
import Synchronization
import Telemetry

/// A running data plane with one UDP listener on all addresses and one pool.
final class UDPBench {
  let plane: DataPlane
  let port: UInt16
  var topology = Topology()
  private var world: World?
  let reports: Reports

  final class Reports: Sendable {
    let all = Mutex<[OutlierReport]>([])
  }

  init(
    _ backends: [Endpoint], workers: Int = 1, _ change: (inout Listener, inout Pool) -> Void = { _, _ in }
  ) throws {
    let reports = Reports()
    self.reports = reports
    // A port that was free a moment ago.
    port = try UDPSocket().local.port
    let bind = Bind(.ip(Endpoint(.anyV4, port)))
    var listener = Listener(name: "dns", transport: .udp, binds: [bind], routes: [Route(action: .pool("dns"))])
    var pool = Pool(
      name: "dns", backends: backends.enumerated().map { Backend(name: "b\($0.offset)", address: .ip($0.element)) })
    pool.policy = .roundRobin
    change(&listener, &pool)
    topology.listeners = [listener]
    topology.pools = [pool]
    plane = try DataPlane(workers: workers) { report in reports.all.withLock { $0.append(report) } }
    try apply()
  }

  deinit { plane.stop() }

  /// Serves by the topology as it is now.
  func apply() throws {
    var input = PlannerInput.allUp(topology, at: Clock.now())
    input.previous = world
    let next = Planner.plan(input, at: Clock.now())
    try plane.apply(next)
    world = next
  }

  var target: Endpoint { Endpoint(.loopbackV4, port) }

  var listener: ListenerStatistics { plane.statistics().listeners["dns"] ?? ListenerStatistics() }

  func backend(_ index: Int) -> BackendStatistics {
    guard let slot = world?.standings[0][index].slot else { return BackendStatistics() }
    return plane.statistics().backends[slot] ?? BackendStatistics()
  }

  /// Waits until the condition holds, for five seconds at most.
  func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = Clock.now() + .seconds(5)
    while !condition() {
      if Clock.now() > deadline { return false }
      _ = usleep(500)
    }
    return true
  }
}
