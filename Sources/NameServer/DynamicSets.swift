import DNS
import Model

/// The balanced names of all zones with their health: makes the views that workers answer from.
struct DynamicSets: Sendable {
  private struct Entry: Sendable {
    var expansion: Expansion
    var health: [MemberHealth] = []
    var damper: LoadDamper?
    var compiled: CompiledSet?
  }

  var outlook = Outlook()
  var topology = Topology()
  /// In the order of `Zones.dynamicOwners`; nil: an alias.
  private var entries: [Entry?] = []
  private(set) var owners: [Zone.DynamicOwner] = []
  private var aliases: [Name: AliasAddresses] = [:]
  private var renewals: [Name: Instant] = [:]
  /// Grows whenever the view changes.
  private(set) var generation: UInt64 = 0
  private(set) var view = DynamicView()

  /// Follows a configuration; load shares of names that stay are kept.
  mutating func adopt(_ service: NameService, zones: Zones, topology: Topology) {
    var before: [String: Entry] = [:]
    for (owner, entry) in zip(owners, entries) {
      if case .balanced(let name) = owner.kind { before[name] = entry }
    }
    self.topology = topology
    owners = zones.dynamicOwners
    let names = Dictionary(service.names.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    entries = owners.map { owner in
      guard case .balanced(let text) = owner.kind, let name = names[text] else { return nil }
      let expansion = Expansion(name, topology: topology, sites: service.sites)
      var entry = Entry(expansion: expansion)
      if expansion.followsLoad {
        var settings = LoadDamper.Settings()
        // An answer acts until its TTL ends.
        settings.delay = Double(max(name.longestTTL, 1))
        entry.damper = LoadDamper(members: expansion.members.count, settings)
        if let old = before[text], old.expansion.members == expansion.members { entry.damper = old.damper }
      }
      return entry
    }
    generation += 1
  }

  /// The names that aliases lead to and whose addresses are not known, or are old.
  func aliasesDue(at now: Instant) -> Set<Name> {
    Set(
      owners.compactMap { owner in
        guard case .alias(let target, _) = owner.kind else { return nil }
        return renewals[target].map { $0 > now } ?? false ? nil : target
      })
  }

  /// - Parameter addresses: nil when they could not be had: what is known stays, and is asked for again soon.
  mutating func learn(_ target: Name, _ addresses: AliasAddresses?, at now: Instant) {
    renewals[target] = now + .seconds(addresses.map { Int64(min(max($0.ttl, 1), 3600)) } ?? 2)
    guard let addresses, aliases[target] != addresses else { return }
    aliases[target] = addresses
    generation += 1
    view = DynamicView(sets())
  }

  /// Takes load in: by slot, requests and connections under way.
  mutating func measure(_ loads: [BackendSlot: Int], after seconds: Double) {
    guard entries.contains(where: { $0?.damper != nil }) else { return }
    outlook.load = [:]
    for (key, standing, backend) in outlook.backends() {
      guard let underWay = loads[standing.slot] else { continue }
      let capacity = standing.maxConnections ?? backend.maxConnections ?? backend.weight
      outlook.load[key] = SiteLoad(underWay: underWay, capacity: max(capacity, 1))
    }
    for index in entries.indices {
      guard let entry = entries[index], entry.damper != nil else { continue }
      let used = entry.expansion.members.map {
        outlook.utilisation(of: $0, counting: entry.expansion.countsConnections)
      }
      entries[index]?.damper?.observe(used, after: seconds)
    }
  }

  /// Compiles what stands otherwise than before.
  mutating func recompile(at now: Instant) {
    var hasChanged = view.sets.count != entries.count
    for index in entries.indices {
      guard let entry = entries[index] else { continue }
      var health = entry.expansion.members.map {
        outlook.health(of: $0, settle: entry.expansion.settle, at: now)
      }
      if let shares = entry.damper?.shares {
        // In hundredths, so that a breath of load does not make a new view.
        for member in health.indices { health[member].share *= (shares[member] * 100).rounded() / 100 }
      }
      guard entry.compiled == nil || health != entry.health else { continue }
      entries[index]?.health = health
      entries[index]?.compiled = CompiledSet(entry.expansion.set, health: health)
      hasChanged = true
    }
    guard hasChanged else { return }
    generation += 1
    view = DynamicView(sets())
  }

  /// The balanced names as they stand.
  func described() -> [(Zone.DynamicOwner, Expansion, [MemberHealth], ttl: UInt32)] {
    zip(owners, entries).compactMap { owner, entry in
      guard let entry, let compiled = entry.compiled else { return nil }
      return (owner, entry.expansion, entry.health, compiled.ttl)
    }
  }

  /// The same by what the configuration calls them, with what workers answer from.
  func balanced() -> [(name: String, Expansion, [MemberHealth], CompiledSet)] {
    zip(owners, entries).compactMap { owner, entry in
      guard case .balanced(let name) = owner.kind, let entry, let compiled = entry.compiled else { return nil }
      return (name, entry.expansion, entry.health, compiled)
    }
  }

  private func sets() -> [CompiledSet?] {
    zip(owners, entries).map { owner, entry in
      if let entry { return entry.compiled }
      guard case .alias(let target, let ttl) = owner.kind, let known = aliases[target] else { return nil }
      return CompiledSet(.alias(known.addresses, ttl: min(ttl, known.ttl)))
    }
  }
}

/// What the target of an ALIAS resolves to.
struct AliasAddresses: Hashable, Sendable {
  var addresses: [IPAddress]
  var ttl: UInt32
}
