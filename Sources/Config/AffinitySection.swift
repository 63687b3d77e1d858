import Model

/// Sites that a listener's clients belong to.
extension Reader {
  /// The own site is filled in when the whole file is read.
  func affinity(_ fields: Fields, _ listener: Listener) -> SiteAffinity? {
    var result = SiteAffinity(site: "")
    fields.with("cookie", .cookie) { cookie in
      if let read = insertedCookie(cookie, result.cookie.name) { result.cookie = read }
    }
    if fields.lacks("forward") { error(fields.place, "`affinity`: expected `forward`: a pool for each other site") }
    var sites: [(name: String, place: Place)] = []
    for entry in fields.names("forward") {
      guard let pool = scalar(entry.value, .nonEmpty, label: entry.key.shortened) else { continue }
      use(pool, entry.value.place, listener)
      sites.append((entry.key, entry.keyPlace))
      result.forward.append(SiteAffinity.Forward(site: entry.key, pool: pool))
    }
    if result.forward.count > SiteAffinity.maxOthers {
      fields.error(
        at: "forward", "`forward`: expected at most \(SiteAffinity.maxOthers) sites, found \(result.forward.count)")
    }
    affinities.append((listener.name, fields.place, sites))
    return result
  }

  /// Sites must be known, and the own one is not among the others.
  func checkAffinities(_ topology: inout Topology) {
    let known = topology.names?.sites.map(\.name) ?? []
    for affinity in affinities {
      guard let own = topology.node.site else {
        error(affinity.place, "`affinity` needs `site` of `node`, the name of the site that this node is at")
        continue
      }
      for (name, place) in affinity.sites {
        if name == own {
          error(place, "`\(name.shortened)` is this node's own site; expected the others")
        } else if !known.isEmpty, !known.contains(name) {
          let meant = Nearest.word(to: name, among: known).map { "; did you mean `\($0)`?" } ?? ""
          error(place, "`dns` has no site `\(name.shortened)`\(meant)")
        }
      }
      for index in topology.listeners.indices where topology.listeners[index].name == affinity.listener {
        topology.listeners[index].affinity?.site = own
      }
    }
  }
}
