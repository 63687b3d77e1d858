package import Model

/// What differs between two Worlds, in words and in shares of traffic.
package struct WorldDiff: Hashable, Sendable, CustomStringConvertible {
  package struct Change: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable {
      case added = "+"
      case removed = "-"
      case changed = "~"
    }
    package var kind: Kind
    /// "listener web", "pool api", "backend api/a".
    package var subject: String
    /// What of it changed.
    package var details: [String]

    package var description: String {
      "\(kind.rawValue) \(subject)" + (details.isEmpty ? "" : ": \(details.joined(separator: ", "))")
    }
  }

  /// A backend's share of its pool's new clients, in percent; nil where it is not in the pool.
  package struct Share: Hashable, Sendable {
    package var backend: BackendKey
    package var before: Double?
    package var after: Double?
  }

  package private(set) var changes: [Change] = []
  /// Of the pools in which some share moves.
  package private(set) var shares: [Share] = []

  package init(from old: World?, to new: World) {
    listeners(old?.topology.listeners ?? [], new.topology.listeners)
    pools(old?.topology.pools ?? [], new.topology.pools)
    vips(old?.topology.vips ?? [], new.topology.vips)
    service(old?.topology.names, new.topology.names)
    if let old { node(old.topology, new.topology) }
    move(old.map(WorldDiff.percentages) ?? [:], WorldDiff.percentages(new), order: (old.map(names) ?? []) + names(new))
  }

  package var isEmpty: Bool { changes.isEmpty && shares.isEmpty }

  package var description: String {
    guard !isEmpty else { return "nothing changes" }
    var lines = changes.map(\.description)
    var pool: String?
    for share in shares {
      if share.backend.pool != pool { lines.append("traffic of pool \(share.backend.pool):") }
      pool = share.backend.pool
      lines.append(
        "  \(share.backend.backend): \(WorldDiff.percent(share.before)) -> \(WorldDiff.percent(share.after))")
    }
    return lines.joined(separator: "\n")
  }

  // MARK: Words

  private mutating func listeners(_ old: [Listener], _ new: [Listener]) {
    compare(old, new, name: \.name, subject: "listener ") { before, after in
      var details: [String] = []
      note("protocol", before.transport, after.transport, &details, \.rawValue)
      if before.binds != after.binds {
        let was = Set(before.binds.map(\.address)), now = Set(after.binds.map(\.address))
        details += after.binds.filter { !was.contains($0.address) }.map { "binds \($0.address)" }
        details += before.binds.filter { !now.contains($0.address) }.map { "no longer binds \($0.address)" }
        if was == now { details.append("bind options") }
      }
      if before.routes != after.routes {
        details.append(
          before.routes.count == after.routes.count
            ? "routes" : "routes \(before.routes.count) -> \(after.routes.count)")
      }
      note("access", before.access, after.access, &details)
      note("accept-proxy-from", before.acceptProxyFrom, after.acceptProxyFrom, &details)
      note("limits", before.limits, after.limits, &details)
      note("timeouts", before.timeouts, after.timeouts, &details)
      note("http", before.http, after.http, &details)
      note("udp", before.udp, after.udp, &details)
      note("affinity", before.affinity, after.affinity, &details)
      return details
    }
  }

  private mutating func pools(_ old: [Pool], _ new: [Pool]) {
    compare(old, new, name: \.name, subject: "pool ") { before, after in
      var details: [String] = []
      note("balance", before.policy, after.policy, &details, WorldDiff.word)
      note("probe", before.probe, after.probe, &details)
      note("agent", before.agent, after.agent, &details)
      note("outlier", before.outlier, after.outlier, &details)
      note("persistence", before.persistence, after.persistence, &details)
      note("retry", before.retry, after.retry, &details)
      note("timeouts", before.timeouts, after.timeouts, &details)
      note("queue", before.queue, after.queue, &details)
      note("slow-start", before.slowStart, after.slowStart, &details) { "\($0.milliseconds)ms" }
      note("panic-threshold", before.panicThreshold, after.panicThreshold, &details)
      note("priority-threshold", before.priorityThreshold, after.priorityThreshold, &details)
      note("send-proxy", before.sendProxy, after.sendProxy, &details)
      note("drift", before.drift, after.drift, &details)
      note("versions", before.versions, after.versions, &details)
      note("idle-connections", before.idleConnections, after.idleConnections, &details) { "\($0)" }
      return details
    }
    let known = Dictionary(old.map { ($0.name, $0.backends) }, uniquingKeysWith: { first, _ in first })
    for pool in new {
      compare(known[pool.name] ?? [], pool.backends, name: \.name, subject: "backend \(pool.name)/") { before, after in
        var details: [String] = []
        note("address", before.address, after.address, &details, \.description)
        note("weight", before.weight, after.weight, &details) { "\($0)" }
        note("state", before.state, after.state, &details, \.rawValue)
        note("priority", before.priority, after.priority, &details) { "\($0)" }
        note("max-connections", before.maxConnections, after.maxConnections, &details) { $0.map { "\($0)" } ?? "none" }
        note("version", before.version, after.version, &details) { $0 ?? "none" }
        note("probe-port", before.probePort, after.probePort, &details) { $0.map { "\($0)" } ?? "none" }
        return details
      }
    }
  }

  private mutating func node(_ old: Topology, _ new: Topology) {
    var details: [String] = []
    note("workers", old.workers, new.workers, &details) { $0.map { "\($0)" } ?? "auto" }
    note("admin", old.admin, new.admin, &details)
    note("access-log", old.accessLog, new.accessLog, &details)
    note("access-log format", old.accessLogTemplate, new.accessLogTemplate, &details)
    note("drain-timeout", old.drainTimeout, new.drainTimeout, &details) { "\($0.milliseconds)ms" }
    note("state", old.state, new.state, &details) { $0 ?? "none" }
    note("vip-realtime", old.isVIPRealtime, new.isVIPRealtime, &details) { "\($0)" }
    note("tracing", old.tracing, new.tracing, &details)
    note("secret", old.secret, new.secret, &details)
    note("bgp", old.bgp, new.bgp, &details)
    if !details.isEmpty { changes.append(Change(kind: .changed, subject: "node", details: details)) }
  }

  mutating func add(_ kind: Change.Kind, _ subject: String, _ details: [String] = []) {
    changes.append(Change(kind: kind, subject: subject, details: details))
  }

  mutating func compare<Item: Equatable>(
    _ old: [Item], _ new: [Item], name: (Item) -> String, subject: String, details: (Item, Item) -> [String]
  ) {
    let before = Dictionary(old.map { (name($0), $0) }, uniquingKeysWith: { first, _ in first })
    let after = Set(new.map(name))
    for item in old where !after.contains(name(item)) {
      changes.append(Change(kind: .removed, subject: subject + name(item), details: []))
    }
    for item in new {
      guard let was = before[name(item)] else {
        changes.append(Change(kind: .added, subject: subject + name(item), details: []))
        continue
      }
      guard was != item else { continue }
      let found = details(was, item)
      if !found.isEmpty { changes.append(Change(kind: .changed, subject: subject + name(item), details: found)) }
    }
  }

  // MARK: Traffic

  private mutating func move(_ old: [BackendKey: Double], _ new: [BackendKey: Double], order: [BackendKey]) {
    var seen: Set<BackendKey> = []
    let rows = order.filter { seen.insert($0).inserted }.map { Share(backend: $0, before: old[$0], after: new[$0]) }
    let moving = Set(rows.filter { abs(($0.before ?? 0) - ($0.after ?? 0)) >= 0.05 }.map(\.backend.pool))
    var pools: [String] = []
    for row in rows where moving.contains(row.backend.pool) && !pools.contains(row.backend.pool) {
      pools.append(row.backend.pool)
    }
    shares = pools.flatMap { pool in rows.filter { $0.backend.pool == pool } }
  }

  private static func percentages(_ world: World) -> [BackendKey: Double] {
    var result: [BackendKey: Double] = [:]
    for (pool, standings) in zip(world.topology.pools, world.standings) {
      let sum = standings.reduce(0) { $0 + $1.effectiveWeight }
      for (backend, standing) in zip(pool.backends, standings) {
        result[BackendKey(pool: pool.name, backend: backend.name)] =
          sum > 0 ? 100 * Double(standing.effectiveWeight) / Double(sum) : 0
      }
    }
    return result
  }

  private static func percent(_ share: Double?) -> String {
    guard let share else { return "absent" }
    let tenths = Int(share * 10 + 0.5)
    return "\(tenths / 10).\(tenths % 10)%"
  }

  private static func word(_ policy: BalancePolicy) -> String {
    switch policy {
    case .roundRobin: "round-robin"
    case .leastConnections: "least-connections"
    case .random: "random"
    case .p2c: "p2c"
    case .peakEWMA: "peak-ewma"
    case .maglev(let key): "maglev (\(word(key)))"
    case .boundedLoad(let key, let factor): "bounded-load (\(word(key)), \(factor))"
    case .first: "first"
    }
  }

  private static func word(_ key: BalancePolicy.HashKey) -> String {
    switch key {
    case .source: "source"
    case .uri: "uri"
    case .header(let name): "header \(name)"
    case .cookie(let name): "cookie \(name)"
    }
  }
}

private func names(_ world: World) -> [BackendKey] {
  world.topology.pools.flatMap { pool in pool.backends.map { BackendKey(pool: pool.name, backend: $0.name) } }
}

/// Adds to `details` what changed, with both values where `text` can say them.
func note<Value: Equatable>(
  _ what: String, _ old: Value, _ new: Value, _ details: inout [String], _ text: ((Value) -> String)? = nil
) {
  guard old != new else { return }
  details.append(text.map { "\(what) \($0(old)) -> \($0(new))" } ?? what)
}
