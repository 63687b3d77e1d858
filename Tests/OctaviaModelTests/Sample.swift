import OctaviaModel
import Synchronization

/// Identifiers in order: 00000000-0000-4000-8000-000000000001, …2, …
final class Counter: Sendable {
  private let value = Atomic(0)
  func next() -> String {
    let text = String(value.add(1, ordering: .relaxed).newValue)
    return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - text.count) + text
  }
}

enum Sample {
  static let counter = Counter()
  static var source: Source { Source(now: Timestamp(microseconds: 1_795_429_052_406_631), makeID: { counter.next() }) }
  static let deployment = Deployment()

  static let whole = """
    {"loadbalancer": {"name": "lb", "vip_subnet_id": "00000000-0000-4000-8000-00000000aaaa", "vip_address": "10.0.0.9", "listeners": [
      {"name": "web", "protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
        "members": [{"address": "10.0.0.1", "protocol_port": 80}, {"address": "10.0.0.2", "protocol_port": 80}],
        "healthmonitor": {"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2}},
       "l7policies": [{"action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "q"}, "rules": [{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/q"}]}]}],
      "pools": [{"name": "q", "protocol": "HTTP", "lb_algorithm": "LEAST_CONNECTIONS"}]}}
    """

  static func tree(_ text: String = whole, _ topology: Deployment.Topology = .activeStandby) throws -> Tree {
    let body = try RequestBody.parse(JSON(parsing: text), .loadBalancer, .create)
    return try Tree(create: body, project: "p1", provider: .amphora, topology: topology, deployment, source)
  }

  static func active(_ topology: Deployment.Topology = .activeStandby) throws -> Tree {
    var tree = try tree(whole, topology)
    var flow = Flow.create(tree, topology, source)
    while case .perform = flow.next {
      flow.apply(flow.next, JSONObject(), to: &tree, source)
      flow.advance()
    }
    return tree
  }
}
