internal import Admin
internal import DNS
internal import Model
internal import Node
internal import Telemetry

/// The API's questions and orders about names and sites.
extension Operations {
  func nameService() async throws(AdminError) -> NameServiceReport {
    guard let report = node.ports.names.report() else { throw .noNames }
    return NameServiceReport(report, await node.snapshot())
  }

  func nameAnswer(_ name: String, _ type: String, client: String?) async throws(AdminError) -> NameAnswerReport {
    var address: IPAddress?
    if let client {
      address = IPAddress(client)
      guard address != nil else { throw AdminError(.malformed, "\(client) is no address", hint: "write 192.0.2.1") }
    }
    guard node.ports.names.report() != nil else { throw .noNames }
    do {
      return NameAnswerReport(text: try node.ports.names.answer(name, type, address))
    } catch {
      throw AdminError(.malformed, "\(error)", hint: "as in `sluice dns query www.example.com AAAA`")
    }
  }

  func nameBudget(_ name: String, resolverFloor: Double) async throws(AdminError) -> NameBudgetReport {
    let topology = await node.topology
    guard let names = topology.names else { throw .noNames }
    let asked = Name(name)
    guard let balanced = names.names.first(where: { Name($0.name) == asked }) else {
      throw AdminError(.notFound, "\(name) is no balanced name", hint: "`sluice dns status` lists them")
    }
    var slowest: (name: String, budget: NameFailoverBudget)?
    for (label, pool) in watchers(balanced.root, balanced.name, topology, names) {
      guard let probe = pool.probe else { continue }
      let site = names.sites.first { $0.pool == pool.name }
      // Another observer's word comes with its next report.
      let needsOthers = site.map { ($0.quorum ?? 2) > 1 && !$0.nodes.isEmpty } ?? false
      let budget = NameFailoverBudget(
        probe, shortestTTL: balanced.shortestTTL, longestTTL: balanced.longestTTL,
        sharing: needsOthers ? .seconds(1) : .zero, resolverFloor: .milliseconds(Int64(resolverFloor * 1000)))
      if slowest.map({ budget.total > $0.budget.total }) ?? true { slowest = (label, budget) }
    }
    guard let (label, budget) = slowest else {
      throw AdminError(
        .unprocessable, "nothing checks the addresses of \(name)", hint: "give it, its pools or its sites a probe")
    }
    return NameBudgetReport(
      name: balanced.name, slowest: label, firstSign: budget.firstSign.inSeconds,
      detection: budget.detection.inSeconds, publication: budget.publication.inSeconds,
      shortestTTL: budget.shortestTTL.inSeconds, longestTTL: budget.longestTTL.inSeconds,
      resolverFloor: budget.resolverFloor.inSeconds, total: budget.total.inSeconds)
  }

  func order(site: String, drained seconds: Double?) async throws(AdminError) -> NameServiceReport {
    let order: SiteOrder =
      if let seconds { .drain(seconds == 0 ? nil : .milliseconds(Int64(seconds * 1000))) } else { .ready }
    do {
      try await node.apply(.site(site, order))
    } catch {
      throw await explained(error)
    }
    await node.ports.store.settle()
    return try await nameService()
  }

  /// The pools whose probes decide about a group's addresses, and how people call them.
  private func watchers(
    _ group: NameGroup, _ name: String, _ topology: Topology, _ names: NameService
  ) -> [(String, Pool)] {
    group.choices.flatMap { choice -> [(String, Pool)] in
      switch choice.target {
      case .group(let inner): return watchers(inner, name, topology, names)
      case .pool(let pool): return topology.pools.filter { $0.name == pool }.map { ("pool \(pool)", $0) }
      case .site(let site):
        return topology.pools.filter { $0.name == Site.pool(of: site) }.map { ("site \(site)", $0) }
      case .address(let address, let key):
        if let key, let pool = topology.pools.first(where: { $0.name == key.pool }) { return [("\(address)", pool)] }
        return topology.pools.filter { pool in
          pool.backends.contains {
            if case .ip(let endpoint) = $0.address { endpoint.address == address } else { false }
          }
        }.prefix(1).map { ("\(address)", $0) }
      }
    }
  }
}

extension AdminError {
  fileprivate static var noNames: AdminError {
    AdminError(.notFound, "this node serves no names", hint: "the configuration has no `dns`")
  }
}

extension Duration {
  fileprivate var inSeconds: Double { Double(milliseconds) / 1_000 }
}

extension NameServiceReport {
  init(_ report: NameReport, _ snapshot: NodeSnapshot) {
    let counts = report.statistics
    self.init(
      zones: report.zones.map {
        Zone(name: $0.name, serial: $0.serial, records: $0.records, delegationSigners: $0.delegationSigners)
      },
      names: report.names.map { name in
        Name(
          name: name.name, balance: name.policy, ttl: name.ttl, longestTTL: name.longestTTL,
          members: name.members.map {
            Member(address: "\($0.address)", source: $0.source, up: $0.isUp, share: $0.share)
          })
      },
      sites: snapshot.sites.sorted { $0.key < $1.key }.map { name, standing in
        var site = Site(
          name: name, state: standing.state.rawValue, answered: standing.isUp, reason: standing.reason,
          sinceSeconds: (snapshot.now - standing.since).inSeconds)
        site.remainingSeconds = standing.until.map { max(0, ($0 - snapshot.now).inSeconds) }
        site.load = snapshot.siteLoads[name]?.share
        site.underWay = snapshot.siteLoads[name]?.underWay
        site.observers = (snapshot.siteObservers[name] ?? []).map {
          Site.Observer(node: $0.node, up: $0.isUp, ageSeconds: $0.age.inSeconds, counts: $0.counts)
        }
        return site
      },
      counters: [
        "queriesUDP": counts.datagrams, "queriesTCP": counts.streams, "queriesTLS": counts.secured,
        "answered": counts.answered,
        "noError": counts.noError, "nameError": counts.nameError, "refused": counts.refused,
        "serverFailure": counts.serverFailure, "formatError": counts.formatError,
        "notImplemented": counts.notImplemented, "otherCode": counts.otherCode, "truncated": counts.truncated,
        "dropped": counts.dropped, "rateLimited": counts.limited, "malformed": counts.malformed,
        "connections": counts.accepted, "evicted": counts.evicted, "transfers": counts.transfers,
        "signatures": counts.signed,
      ])
    if let secure = snapshot.topology.names?.secure { tls = TLSReport(secure.tls, counts.tls) }
  }
}

/// Zones that secondaries have, and whose records changed while the serial did not grow.
func staleSerials(from old: Topology, to new: Topology) -> [String] {
  let before = Dictionary((old.names?.zones ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  return (new.names?.zones ?? []).compactMap { zone in
    guard zone.transfer != TransferPolicy(), let was = before[zone.name], was.texts != zone.texts,
      let old = was.compiled?.value as? Zone, let new = zone.compiled?.value as? Zone, !new.hasSameRecords(old),
      !serial(new.serial, isNewerThan: old.serial)
    else { return nil }
    return "zone \(zone.name): its serial \(new.serial) is no newer than before: secondaries keep what they have"
  }
}
