/// The configuration of Sluice's own data plane inside an amphora. JSON is YAML.
package enum SluiceConfig {
  /// What the API can say and Sluice cannot do: the change is refused as a whole, never done by half.
  package struct Unsupported: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = "the provider sluice cannot do this: \(description)" }
  }

  /// What the amphora adds to the load balancer.
  package struct Place: Sendable {
    /// The directory of its Unix sockets.
    var sockets: String
    /// The directory of the load balancer's certificates.
    var certificates: String
    /// Keys persistence cookies, the same on both amphorae.
    var secret: String

    package init(sockets: String, certificates: String, secret: String) {
      self.sockets = sockets
      self.certificates = certificates
      self.secret = secret
    }
  }

  /// A pool of nobody: without a backend to choose, connections end at once (503 in HTTP).
  package static let nobody = "nobody"

  /// Listeners that Sluice carries; of an `amphora` load balancer, those that HAProxy does not.
  package static func listeners(_ tree: Tree, onlyDatagrams: Bool) -> [Record] {
    guard tree.loadBalancer.isEnabled else { return [] }
    return tree.all(.listener).filter { listener in
      let name = listener.text("protocol")
      return listener.isEnabled && !listener.isDeleted && listener.provisioning != .error
        && (onlyDatagrams ? name == "UDP" : name != "SCTP")
    }
  }

  package static func document(_ tree: Tree, _ place: Place, onlyDatagrams: Bool) throws(Unsupported) -> JSON {
    var listeners = JSONObject()
    var pools = JSONObject()
    for listener in self.listeners(tree, onlyDatagrams: onlyDatagrams) {
      for pool in carried(listener, tree) {
        pools[name(pool, listener)] = try self.pool(pool, listener, tree, place)
      }
      let (document, needsNobody) = try self.listener(listener, tree, place)
      listeners[listener.id] = document
      if needsNobody { pools[nobody] = .object(["backends": .array([absent])]) }
    }
    return .object([
      "admin": .object(["socket": .string(SocketPlace.sluice(place.sockets, tree.id))]), "drain-timeout": "5s",
      "access-log": "off", "secret": .string(place.secret), "listeners": .object(listeners), "pools": .object(pools),
    ])
  }

  /// A pool for each of its listeners, as in HAProxy: timeouts are a listener's, and names have at most 64 characters.
  static func name(_ pool: Record, _ listener: Record) -> String {
    "\(pool.id).\(listener.id.filter { $0 != "-" }.suffix(12))"
  }

  /// The pool that a name in this configuration belongs to.
  package static func poolID(_ name: String) -> String { String(name.prefix { $0 != "." }) }

  static let absent: JSON = .object([
    "name": .string(nobody), "address": "127.0.0.1:1", "state": "maintenance",
  ])

  static func isHTTP(_ listener: Record) -> Bool { ["HTTP", "TERMINATED_HTTPS"].contains(listener.text("protocol")) }

  /// The listener's pools that may get traffic.
  static func carried(_ listener: Record, _ tree: Tree) -> [Record] {
    tree.pools(of: listener).filter { $0.isEnabled && !$0.isDeleted }
  }

  static func socket(_ address: String, _ port: Int) -> JSON {
    .string(HostText.endpoint(address, port))
  }

  /// Octavia's 0 is no limit.
  static func milliseconds(_ number: Int) -> JSON { .string(number > 0 ? "\(number)ms" : "24d") }

  // MARK: listeners

  private static func listener(
    _ listener: Record, _ tree: Tree, _ place: Place
  ) throws(Unsupported) -> (JSON, needsNobody: Bool) {
    let name = listener.text("protocol")
    if name == "PROMETHEUS" { throw Unsupported("a PROMETHEUS listener") }
    let isHTTP = isHTTP(listener)
    var out = JSONObject([
      ("bind", .array(tree.vipAddresses.map { socket($0, listener.number("protocol_port")) })),
      ("protocol", isHTTP ? "http" : name == "UDP" ? "udp" : "tcp"),
    ])
    if !listener["allowed_cidrs"].strings.isEmpty { out["access"] = .object(["allow": listener["allowed_cidrs"]]) }
    if name != "UDP" {
      if listener.number("connection_limit") > 0 {
        out["limits"] = .object(["connections": listener["connection_limit"]])
      }
      let patience = milliseconds(listener.number("timeout_client_data"))
      out["timeouts"] = isHTTP ? .object(["idle": patience, "tunnel": patience]) : .object(["tunnel": patience])
    }
    if name == "TERMINATED_HTTPS" { out["tls"] = try encryption(listener, place) }
    let pool = tree[.pool, listener.text("default_pool_id")].flatMap { $0.isEnabled && !$0.isDeleted ? $0 : nil }
    guard isHTTP else {
      out["pool"] = .string(pool.map { self.name($0, listener) } ?? nobody)
      return (.object(out), pool == nil)
    }
    let headers = listener["insert_headers"].object?.members.filter { $0.value.string?.lowercased() == "true" } ?? []
    out["http"] = .object([
      "x-forwarded": headers.contains { $0.key == "X-Forwarded-For" } ? "append" : "off", "via": "off",
      "request-id": "off",
    ])
    out["routes"] = .array(try SluiceRoutes(listener: listener, tree: tree, headers: headers.map(\.key)).all(pool))
    return (.object(out), false)
  }

  private static func encryption(_ listener: Record, _ place: Place) throws(Unsupported) -> JSON {
    func file(_ reference: CertificateReference) -> JSON { .string("\(place.certificates)/\(reference.fileName)") }
    var tls = JSONObject([
      ("certificates", .array(CertificateReference.of(listener).map { .object(["certificate": file($0)]) }))
    ])
    if let authority = listener["client_ca_tls_container_ref"].string, listener.text("client_authentication") != "NONE"
    {
      let mode: JSON = listener.text("client_authentication") == "MANDATORY" ? "require" : "optional"
      var clients = JSONObject([("mode", mode), ("ca", file(CertificateReference(authority)))])
      if let list = listener["client_crl_container_ref"].string { clients["crl"] = file(CertificateReference(list)) }
      tls["client-auth"] = .object(clients)
    }
    let ciphers = listener.text("tls_ciphers").split(separator: ":").map(String.init)
    let old = ciphers.filter { !$0.hasPrefix("TLS_") }
    let new = ciphers.filter { $0.hasPrefix("TLS_") }
    if !old.isEmpty { tls["ciphers"] = .strings(old) }
    if !new.isEmpty { tls["cipher-suites"] = .strings(new) }
    // Sluice has nothing below 1.2.
    let versions = ["TLSv1.2": "1.2", "TLSv1.3": "1.3"].filter {
      listener["tls_versions"].strings.contains($0.key)
    }.values
    guard let least = versions.min(), let most = versions.max() else { throw Unsupported("TLS below version 1.2") }
    tls["min-version"] = .string(least)
    tls["max-version"] = .string(most)
    return .object(tls)
  }
}
