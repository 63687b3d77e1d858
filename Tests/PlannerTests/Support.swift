import Model
import Planner

let epoch = Instant(nanoseconds: 1_000_000_000)

func address(_ host: Int) -> SocketAddress { .ip(Endpoint(IPAddress(v4: 0x0a00_0000 + UInt32(host)), 80)) }

func makePool(_ weights: [Int], name: String = "web", priorities: [Int]? = nil) -> Pool {
  var pool = Pool(
    name: name, backends: weights.indices.map { Backend(name: "b\($0)", address: address($0)) })
  for index in weights.indices {
    pool.backends[index].weight = weights[index]
    pool.backends[index].priority = priorities?[index] ?? 0
  }
  return pool
}

func topology(_ pools: Pool...) -> Topology {
  var topology = Topology()
  topology.pools = pools
  return topology
}

func key(_ index: Int, pool: String = "web") -> BackendKey { BackendKey(pool: pool, backend: "b\(index)") }

/// The World of one pool with a letter of health per backend: u up, d down, w warming, e ejected.
func world(_ pool: Pool, _ health: String, at now: Instant = epoch, _ edit: (inout PlannerInput) -> Void = { _ in })
  -> World
{
  var input = PlannerInput(topology: topology(pool))
  for (index, letter) in health.enumerated() {
    let state: Verdict.State =
      switch letter {
      case "u": .up
      case "w": .warming
      case "e": .ejected
      default: .down
      }
    input.observations[key(index)] = Observation(Verdict(state, reason: "test", since: epoch))
  }
  edit(&input)
  return Planner.plan(input, at: now)
}

extension World {
  var weights: [Int] { standings[0].map(\.effectiveWeight) }
  var persistent: String { standings[0].map { $0.acceptsPersistent ? "y" : "n" }.joined() }
  var slots: [UInt32] { standings.flatMap { $0.map(\.slot.index) } }
}
