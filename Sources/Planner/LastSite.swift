package import Model

/// What another site says of an announcement.
package struct SiteWord: Hashable, Sendable {
  /// The node's name: of sites that are all sick, the one with the lowest keeps announcing.
  package var site: String
  package var isAnnounced: Bool
  /// It is sick and asks, under this number, whether another site stays; 0: it does not ask.
  package var wish: UInt32
  /// The wishes that it has granted: as long as it has not asked anew itself, it stays for them.
  package var promises: [String: UInt32]

  package init(site: String, isAnnounced: Bool, wish: UInt32 = 0, promises: [String: UInt32] = [:]) {
    self.site = site
    self.isAnnounced = isAnnounced
    self.wish = wish
    self.promises = promises
  }
}

/// How sites that guard one announcement agree on who leaves, so that never all do.
///
/// A sick site asks first, and goes only when another one that announces has promised to stay. Who is well promises to
/// anybody; who is sick too promises to those whose names come later. Who has promised and wants to leave asks anew,
/// under a new number, since a promise that it was given earlier may rest on its own. Nobody promises before routers
/// have had the time to hear of him.
///
/// Why never all leave: each that left holds a promise, given after its last wish and before the promiser's last wish.
/// Following promises from site to site, wishes become later and later, so that no circle closes: one has not left.
package struct LastSite: Hashable, Sendable {
  package enum Outcome: Hashable, Sendable {
    /// Well: health decides.
    case well
    /// Sick, and another site stays.
    case out
    /// Sick, and another site has not answered yet.
    case asking
    /// Sick, and nobody else announces.
    case last
  }

  package private(set) var wish: UInt32 = 0
  package private(set) var promises: [String: UInt32] = [:]
  private var lastWish: UInt32 = 0
  /// Since when it announces; nil: it has left, or has just started.
  private var since: Instant?
  /// When it may promise, if somebody waits for that.
  package private(set) var deadline: Instant?

  package init() {}

  /// - Parameters:
  ///   - others: what the sites say that are heard.
  ///   - isDeaf: there are sites that are not heard. Their silence is no evidence: nobody leaves because of it, and
  ///     nobody who has left comes back because of it.
  ///   - convergence: how long routers need to hear of a site.
  package mutating func judge(
    isWell: Bool, name: String, others: [SiteWord], isDeaf: Bool, convergence: Duration, at now: Instant
  ) -> Outcome {
    deadline = nil
    if isWell {
      wish = 0
      promise(others, convergence, at: now)
      return .well
    }
    let isAnnounced = others.contains(where: \.isAnnounced)
    if since == nil, isAnnounced || isDeaf { return .out }
    if wish == 0 { ask() }
    if others.contains(where: { $0.isAnnounced && $0.promises[name] == wish }) {
      leave()
      return .out
    }
    promise(others.filter { name < $0.site }, convergence, at: now)
    return isAnnounced ? .asking : .last
  }

  /// By an operator's order, or because the node leaves: nobody is asked, and nothing more is promised.
  package mutating func leave() {
    since = nil
    deadline = nil
    wish = 0
    promises = [:]
  }

  private mutating func ask() {
    lastWish &+= 1
    if lastWish == 0 { lastWish = 1 }
    wish = lastWish
  }

  private mutating func promise(_ others: [SiteWord], _ convergence: Duration, at now: Instant) {
    let before = promises
    let ready = (since ?? now) + convergence
    since = since ?? now
    promises = [:]
    for other in others where other.wish != 0 && other.isAnnounced {
      if ready <= now { promises[other.site] = other.wish } else { deadline = ready }
    }
    if wish != 0, promises.contains(where: { before[$0.key] != $0.value }) { ask() }
  }
}
