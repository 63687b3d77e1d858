import Model
import Routing

/// A listener's site affinity, with what this World says of the other sites.
final class CompiledAffinity: Sendable {
  /// A request that was passed on carries this field with the name of the site that did it. Backends never see it.
  static let mark = "X-Sluice-Site"
  static let markName = Array(mark.lowercased().utf8)

  struct Other: Sendable {
    let name: String
    /// Of counters.
    let row: UInt32
    /// To the site's pool, as a route: the request goes on as it came, but for the mark.
    let route: CompiledRoute
    /// nil: it is well.
    let ailment: String?
  }

  let model: SiteAffinity
  let cookie: [UInt8]
  /// "Set-Cookie: …\r\n"; empty while this site is to get no clients.
  let line: [UInt8]
  let table: SiteTable
  let others: [Other]

  /// - Parameter rows: of counters, by site.
  /// - Parameter ailments: by site, why nobody is to be sent there now.
  init(
    _ model: SiteAffinity, rows: [String: UInt32], poolRows: [String: UInt32], dropped: [String],
    ailments: [String: String], copied: Set<String>
  ) {
    self.model = model
    cookie = Array(model.cookie.name.utf8)
    line = ailments[model.site] == nil ? model.cookie.line(model.site) : []
    others = model.forward.map { forward in
      var route = Route(action: .pool(forward.pool))
      route.requestHeaders = [.set(name: CompiledAffinity.mark, value: model.site)]
      return Other(
        name: forward.site, row: rows[forward.site] ?? 0,
        route: CompiledRoute(route, poolRows: poolRows, dropped: dropped, copied: copied),
        ailment: ailments[forward.site])
    }
    table = SiteTable(
      own: model.site, others: others.map { SiteTable.Other(name: $0.name, isWell: $0.ailment == nil) })
  }

  /// The other site that a choice is about.
  func other(_ choice: SiteChoice) -> Other? {
    switch choice {
    case .forward(let index), .unwell(let index): Int(index) < others.count ? others[Int(index)] : nil
    case .off, .newcomer, .unknown, .own, .marked: nil
    }
  }
}

extension SiteAffinity {
  /// By site, why nobody is to be sent there: what observers and operators say of it, and what probes say of the
  /// servers that lead there. Panic does not count: this site is a better answer than a guess.
  func ailments(_ world: World) -> [String: String] {
    var result: [String: String] = [:]
    for site in [site] + forward.map(\.site) {
      guard let standing = world.sites[site], !standing.isUp else { continue }
      result[site] = "\(standing.state.rawValue): \(standing.reason)"
    }
    for other in forward where result[other.site] == nil {
      let index = world.topology.pools.firstIndex { $0.name == other.pool }
      let isServed = index.map { world.standings[$0].contains { $0.effectiveWeight > 0 && $0.verdict.takesTraffic } }
      if isServed != true { result[other.site] = "nobody of the pool \(other.pool) is well" }
    }
    return result
  }
}
