import HTTP
import Model
import Reactor
import Routing

/// Requests whose client belongs to another site.
extension Worker {
  /// The way to the request's site; nil: it is served here.
  mutating func routeToSite(_ exchange: UInt32, _ affinity: CompiledAffinity) -> CompiledRoute? {
    let choice = chooseSite(affinity)
    exchanges[exchange].site = choice
    guard let other = affinity.other(choice) else { return nil }
    if choice.isForward {
      counters.add(site: other.row, .forwarded)
      return other.route
    }
    counters.add(site: other.row, .kept)
    return nil
  }

  mutating func chooseSite(_ affinity: CompiledAffinity) -> SiteChoice {
    var isMarked = false
    for line in 0..<head.fields.count
    where incoming.matches(head.fields[line].nameRange, lowercase: CompiledAffinity.markName) {
      isMarked = true
    }
    guard let value = cookie(affinity.cookie) else { return isMarked ? .marked : .newcomer }
    return affinity.table.choose(cookie: incoming.bytes(value), isMarked: isMarked)
  }

  /// What a choice was, for a log: the site, and what was done about it.
  mutating func siteForLog(_ exchange: UInt32, _ listener: CompiledListener?) -> (name: String, deed: StaticString)? {
    guard let affinity = listener?.affinity else { return nil }
    let choice = exchanges[exchange].site
    switch choice {
    case .off: return nil
    case .newcomer, .unknown: return (affinity.model.site, "bound")
    case .own: return (affinity.model.site, "own")
    case .forward: return affinity.other(choice).map { ($0.name, "forwarded") }
    case .unwell: return affinity.other(choice).map { ($0.name, "unwell") }
    case .marked: return (affinity.model.site, "received")
    }
  }
}

extension CompiledAffinity {
  /// For people.
  func explain(_ choice: SiteChoice) -> String? {
    let here = "served here"
    switch choice {
    case .off: return nil
    case .newcomer: return "\(here), and bound to this site, \(model.site): there is no cookie \(model.cookie.name)"
    case .unknown: return "\(here), and bound to this site, \(model.site): the cookie names no site that is known"
    case .own: return "\(here): the cookie names this site, \(model.site)"
    case .marked: return "\(here): another site has passed it on"
    case .forward:
      return other(choice).map { "passed on to \($0.name), by the pool \(pool(of: $0.name)): the cookie names it" }
    case .unwell:
      return other(choice).map {
        "\(here), and bound to this site, \(model.site): the cookie names \($0.name), and that is \($0.ailment ?? "not well")"
      }
    }
  }

  private func pool(of site: String) -> String { model.forward.first { $0.site == site }?.pool ?? "" }
}
