internal import FoundationEssentials
internal import NIOConcurrencyHelpers
internal import OctaviaModel

/// Asks Keystone (API v3) who a token belongs to, and remembers it for a while.
package final class Keystone: TokenSource {
  private struct Known { var identity: Identity; var until: ContinuousClock.Instant }

  private let client: OpenStackClient
  private let known = NIOLockedValueBox<[String: Known]>([:])
  static let memory = Duration.seconds(60)
  static let memoryLimit = 10_000

  package init(client: OpenStackClient) { self.client = client }

  package func identity(token: String) async throws -> Identity {
    let clock = ContinuousClock.now
    if let known = known.withLockedValue({ $0[token] }), known.until > clock { return known.identity }
    let answer: HTTPAnswer
    do {
      answer = try await client.identity("GET", "/auth/tokens", subject: token)
    } catch {
      throw APIError(503, title: "Service Unavailable", description: "The identity service does not answer.")
    }
    guard answer.status == 200, let document = try? JSON(parsing: answer.body) else { throw API.unauthorized }
    var identity = Identity()
    let body = document["token"]
    identity.project = body["project"]["id"].string
    identity.user = body["user"]["id"].string
    identity.roles = Set((body["roles"].array ?? []).compactMap { $0["name"].string?.lowercased() })
    let found = identity
    known.withLockedValue { table in
      if table.count >= Self.memoryLimit { table = table.filter { $0.value.until > clock } }
      if table.count < Self.memoryLimit { table[token] = Known(identity: found, until: clock + Self.memory) }
    }
    return identity
  }
}

/// OpenStack's other services, with this controller's own credentials.
package final class OpenStackClient: Sendable {
  struct Token: Sendable {
    var text: String
    /// By the type of a service.
    var catalog: [String: [Endpoint]]
    var until: ContinuousClock.Instant
  }

  struct Endpoint: Sendable {
    var region: String
    var url: String
  }

  private let http = HTTPClient()
  private let base: String
  private let user: String
  private let password: String
  private let project: String
  private let domain: String
  private let token = NIOLockedValueBox<Token?>(nil)

  package init(url: String, user: String, password: String, project: String, domain: String) {
    base = url
    self.user = user
    self.password = password
    self.project = project
    self.domain = domain
  }

  func identity(_ method: String, _ path: String, subject: String) async throws -> HTTPAnswer {
    for attempt in 0..<2 {
      let own = try await ownToken(fresh: attempt > 0)
      let answer = try await http.send(
        HTTPCall(method: method, url: base + path, headers: ["X-Auth-Token": own.text, "X-Subject-Token": subject]))
      if answer.status != 401 { return answer }
    }
    return HTTPAnswer(status: 401, body: [])
  }

  /// A call to a service's own URL.
  func call(
    _ method: String, _ url: String, _ body: JSON? = nil, headers: [String: String] = [:],
    deadline: Duration = .seconds(60)
  ) async throws -> HTTPAnswer {
    for attempt in 0..<2 {
      let own = try await ownToken(fresh: attempt > 0)
      var all = headers
      all["X-Auth-Token"] = own.text
      all["Accept"] = "application/json"
      let answer = try await http.send(
        HTTPCall(method: method, url: url, headers: all, json: body, deadline: deadline))
      if answer.status != 401 { return answer }
    }
    return HTTPAnswer(status: 401, body: [])
  }

  /// A service's address in the catalogue: the public one, in this region or in any.
  func endpoint(_ type: String, region: String?) async throws -> String {
    let all = try await ownToken(fresh: false).catalog[type] ?? []
    if let endpoint = all.first(where: { region == nil || $0.region == region }) {
      return endpoint.url.hasSuffix("/") ? String(endpoint.url.dropLast()) : endpoint.url
    }
    throw StepFailure("Keystone's catalogue has no \(type) service\(region.map { " in region \($0)" } ?? "")")
  }

  private static func catalog(_ body: [UInt8]) -> [String: [Endpoint]] {
    var catalog: [String: [Endpoint]] = [:]
    for service in (try? JSON(parsing: body))?["token"]["catalog"].array ?? [] {
      for endpoint in service["endpoints"].array ?? [] where endpoint["interface"].string == "public" {
        guard let type = service["type"].string, let url = endpoint["url"].string else { continue }
        catalog[type, default: []].append(
          Endpoint(region: endpoint["region"].string ?? endpoint["region_id"].string ?? "", url: url))
      }
    }
    return catalog
  }

  private func ownToken(fresh: Bool) async throws -> Token {
    if !fresh, let token = token.withLockedValue({ $0 }), token.until > .now { return token }
    let scope: JSON = .object([
      "project": .object(["name": .string(project), "domain": .object(["name": .string(domain)])])
    ])
    let login: JSON = .object([
      "name": .string(user), "password": .string(password), "domain": .object(["name": .string(domain)]),
    ])
    let identity: JSON = .object(["methods": ["password"], "password": .object(["user": login])])
    let body: JSON = .object(["auth": .object(["identity": identity, "scope": scope])])
    let answer = try await http.send(
      HTTPCall(method: "POST", url: base + "/auth/tokens", json: body))
    guard answer.status == 201, let text = answer.headers["x-subject-token"] else {
      throw StepFailure("Keystone refuses this controller: status \(answer.status)", passing: true)
    }
    let token = Token(text: text, catalog: Self.catalog(answer.body), until: .now + .seconds(600))
    self.token.withLockedValue { $0 = token }
    return token
  }
}
