import DNS
import Model

/// What is known of every member at one moment: a World, and what has not come into one yet.
struct Outlook: Sendable {
  private var standings: [BackendKey: (standing: Standing, backend: Backend)] = [:]
  private var sites: [String: SiteStanding] = [:]
  /// Whose verdict one more probe may change.
  var changing: Set<BackendKey> = []
  /// In proportion to capacity, where something is measured.
  var load: [BackendKey: SiteLoad] = [:]
  /// By site, as the nodes there tell it.
  var siteLoads: [String: SiteLoad] = [:]

  init() {}

  /// Takes a World over; paces stay.
  mutating func adopt(_ world: World) {
    standings = [:]
    for (pool, list) in zip(world.topology.pools, world.standings) {
      for (backend, standing) in zip(pool.backends, list) {
        standings[BackendKey(pool: pool.name, backend: backend.name)] = (standing, backend)
      }
    }
    sites = world.sites
    changing = changing.filter { standings[$0] != nil }
  }

  func backends() -> [(key: BackendKey, standing: Standing, backend: Backend)] {
    standings.map { ($0.key, $0.value.standing, $0.value.backend) }
  }

  func health(of source: MemberSource, settle: Duration, at now: Instant) -> MemberHealth {
    switch source {
    case .fixed: return MemberHealth()
    case .backend(let key): return health(of: key, settle: settle, at: now)
    case .site(let name, let key):
      var health = health(of: key, settle: settle, at: now)
      guard let site = sites[name] else { return health }
      if site.isUp {
        // Which of its addresses: as it is seen from here, unless nothing is.
        if !sees(name) { health.isUp = true }
      } else {
        health.isUp = false
      }
      if now - site.since < settle { health.trend = .changing }
      if let until = site.until {
        // In the last second nobody may keep the answer.
        health.plannedChange = UInt32(clamping: (until - now).milliseconds / 1000)
      }
      return health
    }
  }

  private func sees(_ site: String) -> Bool {
    let pool = Site.pool(of: site)
    return standings.contains { $0.key.pool == pool && $0.value.standing.effectiveWeight > 0 }
  }

  private func health(of key: BackendKey, settle: Duration, at now: Instant) -> MemberHealth {
    guard let (standing, backend) = standings[key] else { return MemberHealth(isUp: false, trend: .changing) }
    let full = Double(max(backend.weight, 1) * 100)
    var health = MemberHealth(
      isUp: standing.effectiveWeight > 0, share: Double(standing.effectiveWeight) / full)
    if changing.contains(key) || now - standing.verdict.since < settle || standing.verdict.state == .warming {
      health.trend = .changing
    }
    return health
  }

  /// What shares follow: load in proportion to capacity, or the bare number under way; nil where nothing is measured.
  func utilisation(of source: MemberSource, counting: Bool) -> Double? {
    let load =
      switch source {
      case .fixed: SiteLoad?.none
      case .backend(let key): load[key]
      case .site(let name, _): siteLoads[name]
      }
    return load.flatMap { counting ? Double($0.underWay) : $0.share }
  }
}
