import Model

/// What no single place can tell: names that point nowhere, and values that contradict each other.
extension Reader {
  func checkPoolNames(_ pools: [Node.Entry]) {
    let known = Set(pools.map(\.key))
    for use in poolUses where !known.contains(use.pool) {
      let meant = Nearest.word(to: use.pool, among: pools.map(\.key)).map { "; did you mean `\($0)`?" } ?? ""
      error(use.place, "no pool `\(use.pool.shortened)`\(meant)")
    }
    for use in namedPools where !known.contains(use.pool) {
      let meant = Nearest.word(to: use.pool, among: pools.map(\.key)).map { "; did you mean `\($0)`?" } ?? ""
      error(use.place, "no pool or site `\(use.pool.shortened)`\(meant)")
    }
    // What leads to it may be what is wrong.
    guard !hasErrors else { return }
    let used = Set(poolUses.map(\.pool) + namedPools.map(\.pool))
    for pool in pools where !used.contains(pool.key) {
      warning(pool.keyPlace, "no route leads to the pool `\(pool.key.shortened)`")
    }
  }

  /// A pool must be able to do what each of its listeners' protocols needs.
  func checkUses(_ pools: [ReadPool]) {
    var uses: [String: [PoolUse]] = [:]
    for use in poolUses { uses[use.pool, default: []].append(use) }
    for read in pools {
      if let probe = read.pool.probe { checkProbe(probe, read) }
      if read.pool.agent != nil, let index = firstUnix(read.pool) {
        error(read.backendPlaces[index], "the pool's `agent` asks a port, and a Unix socket has none")
      }
      let uses = uses[read.pool.name] ?? []
      if let use = uses.first(where: { $0.transport != .http }) { checkWithoutHTTP(read, use) }
      if let use = uses.first(where: { $0.transport == .udp }) { checkForDatagrams(read, use) }
    }
  }

  private func checkForDatagrams(_ read: ReadPool, _ use: PoolUse) {
    let notes = [Diagnostic.Note(place: use.place, message: "the listener leads here")]
    if let index = firstUnix(read.pool) {
      error(
        read.backendPlaces[index], "a Unix socket takes no datagrams from the udp listener `\(use.listener)`",
        notes: notes)
    }
    if read.pool.sendProxy == .v1 {
      read.fields.error(
        at: "send-proxy", "`send-proxy`: v1 has no words for datagrams of the udp listener `\(use.listener)`; use v2",
        notes: notes)
    }
  }

  private func checkProbe(_ probe: Probe, _ read: ReadPool) {
    if case .udp = probe.kind, let index = firstUnix(read.pool) {
      error(read.backendPlaces[index], "the pool's probe is udp, and a Unix socket takes no datagrams")
    }
  }

  private func firstUnix(_ pool: Pool) -> Int? {
    pool.backends.firstIndex { if case .unix = $0.address { true } else { false } }
  }

  private func checkWithoutHTTP(_ read: ReadPool, _ use: PoolUse) {
    let reason = "needs HTTP, and the \(use.transport.rawValue) listener `\(use.listener)` uses this pool"
    let notes = [Diagnostic.Note(place: use.place, message: "used here")]
    switch read.pool.policy {
    case .maglev(.source), .boundedLoad(.source, _): break
    case .maglev, .boundedLoad: read.fields.error(at: "balance", "`balance`: the key \(reason)", notes: notes)
    default: break
    }
    switch read.pool.persistence {
    case .cookie, .header: read.fields.error(at: "persistence", "`persistence`: \(reason)", notes: notes)
    case .source, nil: break
    }
  }

  func checkBinds() {
    struct Key: Hashable {
      let address: SocketAddress
      let isUDP: Bool
    }
    var seen: [Key: Place] = [:]
    for bound in boundAddresses {
      let key = Key(address: bound.address, isUDP: bound.isUDP)
      if let first = seen[key] {
        error(
          bound.place, "`bind`: \(bound.address) is bound twice",
          notes: [.init(place: first, message: "first bound here")])
      } else {
        seen[key] = bound.place
      }
    }
  }

  /// Routes that an earlier one hides.
  func checkReachable(_ routes: [(route: Route, place: Place)]) {
    var seen: [Match: Place] = [:]
    for (index, item) in routes.enumerated() {
      if let first = seen[item.route.match] {
        warning(
          item.place, "this route is never reached: an earlier one matches the same",
          notes: [.init(place: first, message: "the earlier route")])
      } else {
        seen[item.route.match] = item.place
      }
      guard item.route.match.isEverything, index + 1 < routes.count else { continue }
      let rest = routes.count - index - 1
      warning(
        routes[index + 1].place,
        rest == 1 ? "this route is never reached" : "this route and those after it are never reached",
        notes: [.init(place: item.place, message: "this one matches everything")])
      return
    }
  }
}

extension Match {
  /// Whether every request matches.
  fileprivate var isEverything: Bool {
    var rest = self
    if case .prefix(let prefix) = path, prefix.allSatisfy({ $0 == "/" }) { rest.path = nil }
    if sources.contains(where: { $0.length == 0 && $0.address.family == .v4 }),
      sources.contains(where: { $0.length == 0 && $0.address.family == .v6 })
    {
      rest.sources = []
    }
    return rest == Match()
  }
}
