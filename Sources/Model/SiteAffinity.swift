/// A http listener's clients belong to a site, which a cookie names: whoever came to the wrong one is passed on.
package struct SiteAffinity: Hashable, Sendable {
  /// Another site, and the pool of its front doors.
  package struct Forward: Hashable, Sendable {
    package var site: String
    package var pool: String

    package init(site: String, pool: String) {
      self.site = site
      self.pool = pool
    }
  }

  package static let maxOthers = 64

  /// The node's own, `node.site`.
  package var site: String
  package var cookie = InsertedCookie(name: "SLUICE-SITE")
  package var forward: [Forward] = []

  package init(site: String) { self.site = site }
}
