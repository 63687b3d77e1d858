package import OctaviaModel

/// Who sends a request.
package struct Identity: Sendable, Hashable {
  package var project: String?
  package var user: String?
  package var roles: Set<String> = []
  /// May do everything, in every project.
  package var isAdmin = false

  package init() {}

  package enum Action: Sendable {
    case read, write
    /// Of the deployment: flavors, amphorae, quotas.
    case administer
  }

  package func check(_ action: Action, project owner: String?) throws(APIError) {
    if isAdmin || roles.contains("admin") || roles.contains("load-balancer_admin") { return }
    let isOwner = owner != nil && owner == project
    let allowed =
      switch action {
      case .read:
        isOwner && !roles.isDisjoint(with: ["reader", "member", "load-balancer_member", "load-balancer_observer"])
          || roles.contains("load-balancer_global_observer")
      case .write: isOwner && !roles.isDisjoint(with: ["member", "load-balancer_member"])
      case .administer: false
      }
    if !allowed { throw .forbidden }
  }

  /// Whether lists show every project.
  package var seesEverything: Bool {
    isAdmin || !roles.isDisjoint(with: ["admin", "load-balancer_admin", "load-balancer_global_observer"])
  }
}

/// How a controller learns who sends a request.
package enum Authentication: Sendable {
  /// Everybody is an administrator; `project` is for requests that name none.
  case none(project: String)
  /// X-Project-Id, X-User-Id and X-Roles, which a proxy in front has checked.
  case headers
  /// X-Auth-Token, which Keystone knows.
  case keystone(any TokenSource)
}

/// What knows tokens: Keystone, with a memory.
package protocol TokenSource: Sendable {
  /// - Throws: `APIError` 401 for one that is not valid, 503 when nobody can say.
  func identity(token: String) async throws -> Identity
}
