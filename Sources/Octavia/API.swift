package import OctaviaModel

/// The v2 API: a request in, an answer out.
package struct API: Sendable {
  package var store: Store
  package var deployment: Deployment
  package var authentication: Authentication
  package var networks: any Networks
  package var healthcheck = false
  /// What clients see in links, where a proxy hides this server's own address.
  package var baseURI: String?
  package var now: @Sendable () -> Timestamp
  package var makeID: @Sendable () -> String
  /// Tells the worker that there is something to do.
  package var wake: @Sendable () -> Void

  package init(
    store: Store, deployment: Deployment, authentication: Authentication, networks: any Networks,
    now: @escaping @Sendable () -> Timestamp, makeID: @escaping @Sendable () -> String,
    wake: @escaping @Sendable () -> Void
  ) {
    self.store = store
    self.deployment = deployment
    self.authentication = authentication
    self.networks = networks
    self.now = now
    self.makeID = makeID
    self.wake = wake
  }

  var source: Source { Source(now: now(), makeID: makeID) }

  package func answer(_ request: APIRequest) async -> APIResponse {
    do {
      if request.method == "OPTIONS" { return APIResponse(200) }
      try checkMedia(request)
      return try await route(request)
    } catch let error as APIError {
      return APIResponse(error)
    } catch {
      return APIResponse(APIError(500, "\(error)"))
    }
  }

  private func checkMedia(_ request: APIRequest) throws(APIError) {
    if let accept = request.headers["accept"], !accept.isEmpty,
      !["application/json", "application/*", "*/*"].contains(where: accept.contains)
    {
      throw APIError(406, title: "Not Acceptable", description: "Only content type application/json is accepted.")
    }
    if ["POST", "PUT"].contains(request.method), !request.body.isEmpty, let type = request.headers["content-type"],
      !type.contains("json")
    {
      throw APIError(415, "Unknown mimetype: \(type)")
    }
  }

  private static let collections: [String: Kind] = [
    "loadbalancers": .loadBalancer, "listeners": .listener, "pools": .pool, "healthmonitors": .healthMonitor,
    "l7policies": .policy, "flavors": .flavor, "flavorprofiles": .flavorProfile, "availabilityzones": .zone,
    "availabilityzoneprofiles": .zoneProfile,
  ]

  private func route(_ request: APIRequest) async throws -> APIResponse {
    var path = request.path[...]
    guard let root = path.popFirst() else {
      try allow(request, "GET")
      return APIResponse(200, VersionDocument.document(base: baseURI ?? request.base))
    }
    if root == "healthcheck" {
      guard healthcheck else { throw APIError.noRoute() }
      return APIResponse(204)
    }
    if root == "load-balancer" {
      var inner = request
      inner.path = Array(path)
      inner.base += "/load-balancer"
      return try await route(inner)
    }
    guard ["v2", "v2.0"].contains(root) else { throw APIError.noRoute() }
    if path.isEmpty { return APIResponse(200, "v2") }
    let identity = try await identify(request)
    if path.first == "octavia" {
      path.removeFirst()
      guard path.popFirst() == "amphorae" else { throw APIError.noRoute() }
      return try await amphorae(request, Array(path), identity)
    }
    if path.first == "lbaas" { path.removeFirst() }
    guard let name = path.popFirst() else { return APIResponse(200, "v2") }
    switch name {
    case "quotas": return try await quotas(request, Array(path), identity)
    case "providers": return try await providers(request, Array(path), identity)
    default: break
    }
    if let kind = Self.collections[name] {
      return kind == .loadBalancer || kind.isChild
        ? try await resources(request, kind, Array(path), identity)
        : try await catalogue(request, kind, Array(path), identity)
    }
    if let answer = try await networkCatalog(request, name, Array(path)) { return answer }
    throw APIError.noRoute()
  }

  /// - Throws: 405 with what is allowed.
  func allow(_ request: APIRequest, _ methods: String...) throws(APIError) {
    if methods.contains(request.method) { return }
    throw APIError(405, title: "Method Not Allowed", description: "", allow: methods.sorted().joined(separator: ", "))
  }

  func identify(_ request: APIRequest) async throws -> Identity {
    var identity = Identity()
    switch authentication {
    case .none(let project):
      identity.isAdmin = true
      identity.project = request.headers["x-project-id"] ?? project
    case .headers:
      identity.project = request.headers["x-project-id"]
      identity.user = request.headers["x-user-id"]
      identity.roles = Set(
        (request.headers["x-roles"] ?? "").split(separator: ",").map {
          String($0.drop { $0 == " " }).lowercased()
        })
    case .keystone(let tokens):
      guard let token = request.headers["x-auth-token"] else { throw API.unauthorized }
      identity = try await tokens.identity(token: token)
    }
    return identity
  }

  package static let unauthorized = APIError(
    401, title: "Unauthorized", description: "The request you have made requires authentication.")

  // MARK: pieces that all resources share

  func document(_ request: APIRequest) throws(APIError) -> JSON {
    do {
      return try JSON(parsing: request.body)
    } catch {
      throw APIError(400, "Request is not in valid JSON format")
    }
  }

  func url(_ request: APIRequest) -> String { (baseURI ?? request.base) + request.rawPath }

  func list(_ views: [JSONObject], _ kind: Kind, _ query: ListQuery, _ request: APIRequest) throws -> APIResponse {
    let page = try query.page(views, url: url(request))
    return APIResponse(
      200, .object([kind.roots: .array(page.items.map { .object($0) }), kind.linksKey: .array(page.links)]))
  }

  func one(_ view: JSONObject, _ kind: Kind, _ request: APIRequest, status: Int = 200) -> APIResponse {
    let fields = request.query.filter { $0.0 == "fields" }.map(\.1)
    let view =
      fields.isEmpty ? view : JSONObject(view.members.filter { fields.contains($0.key) }.map { ($0.key, $0.value) })
    return APIResponse(status, .object([kind.root: .object(view)]))
  }

  func checkQuota(_ kind: Kind, _ project: String, adding count: Int = 1, _ rows: Rows) throws {
    guard deployment.enforcesQuotas, let quota = try rows.record(.quota, project) else { return }
    let limit = quota[kind.quotaField].int ?? -1
    if limit >= 0, try rows.count(kind, project: project) + count > limit { throw APIError.quota(kind.title) }
  }
}

extension Kind {
  var quotaField: String { rawValue }
}
