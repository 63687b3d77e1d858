/// The configuration of the HAProxy inside an amphora.
package struct HAProxyConfig: Sendable {
  private let tree: Tree
  private let base: String
  private let sockets: String
  private let peers: [(name: String, address: String)]
  private var out = ""

  /// - Parameter base: the agent's directory on the amphora; `sockets` is that of its Unix sockets.
  /// - Parameter peers: each amphora's name as a peer, and its own address; none without a standby.
  package static func text(_ tree: Tree, base: String, sockets: String, peers: [(name: String, address: String)])
    -> String
  {
    var config = HAProxyConfig(tree: tree, base: base, sockets: sockets, peers: peers)
    config.write()
    return config.out
  }

  private init(tree: Tree, base: String, sockets: String, peers: [(name: String, address: String)]) {
    self.tree = tree
    self.base = base
    self.sockets = sockets
    self.peers = peers
  }

  /// Listeners that HAProxy carries. UDP and SCTP are not among them.
  package static func listeners(_ tree: Tree) -> [Record] {
    guard tree.loadBalancer.isEnabled else { return [] }
    return tree.all(.listener).filter {
      $0.isEnabled && !$0.isDeleted && $0.provisioning != .error && !["UDP", "SCTP"].contains($0.text("protocol"))
    }
  }

  private mutating func line(_ text: String) { out += text + "\n" }
  private mutating func option(_ text: String) { out += "    \(text)\n" }

  private func pools(_ listener: Record) -> [Record] {
    tree.pools(of: listener).filter { $0.isEnabled && !$0.isDeleted }
  }

  private var peersName: String { "\(tree.id.filter { $0 != "-" })_peers" }

  private mutating func write() {
    let listeners = Self.listeners(tree)
    writeGlobal(listeners)
    if peers.count > 1 {
      line("\npeers \(peersName)")
      for peer in peers { option("peer \(peer.name) \(peer.address):1025") }
    }
    for listener in listeners {
      if listener.text("protocol") == "PROMETHEUS" {
        writePrometheus(listener)
        continue
      }
      writeFrontend(listener)
      for pool in pools(listener) { writeBackend(pool, listener) }
    }
  }

  private mutating func writeGlobal(_ listeners: [Record]) {
    line("# Load balancer \(tree.id)\nglobal")
    option("daemon")
    option("stats socket \(SocketPlace.haproxy(sockets, tree.id)) mode 0666 level user")
    option("server-state-file \(base)/\(tree.id)/servers-state")
    let limits = listeners.map { $0.number("connection_limit") < 0 ? 50_000 : $0.number("connection_limit") }
    if !limits.isEmpty { option("maxconn \(min(limits.reduce(0, +), 1_000_000))") }
    if listeners.contains(where: { pools($0).contains { monitor($0)?.text("type") == "PING" } }) {
      option("external-check")
      option("insecure-fork-wanted")
    }
    line("\ndefaults")
    for text in [
      "no log", "retries 3", "option redispatch", "option splice-request", "option splice-response",
      "option http-keep-alive",
    ] {
      option(text)
    }
  }

  private func monitor(_ pool: Record) -> Record? {
    tree.healthMonitor(of: pool.id).flatMap { $0.isEnabled && !$0.isDeleted ? $0 : nil }
  }

  private func mode(_ name: String) -> String {
    ["HTTP", "TERMINATED_HTTPS", "PROMETHEUS"].contains(name) ? "http" : "tcp"
  }

  private mutating func writeBinds(_ listener: Record) {
    for address in tree.vipAddresses {
      option("bind \(HostText.endpoint(address, listener.number("protocol_port")))\(tls(listener))")
    }
  }

  private func tls(_ listener: Record) -> String {
    guard listener.text("protocol") == "TERMINATED_HTTPS" else { return "" }
    let place = "\(base)/\(tree.id)/certs"
    var text = " ssl"
    for reference in CertificateReference.of(listener) { text += " crt \(place)/\(reference.fileName)" }
    if let authority = listener["client_ca_tls_container_ref"].string, listener.text("client_authentication") != "NONE"
    {
      let verify = listener.text("client_authentication") == "MANDATORY" ? "required" : "optional"
      text += " ca-file \(place)/\(CertificateReference(authority).fileName) verify \(verify)"
      if let list = listener["client_crl_container_ref"].string {
        text += " crl-file \(place)/\(CertificateReference(list).fileName)"
      }
    }
    let ciphers = listener.text("tls_ciphers").split(separator: ":")
    let old = ciphers.filter { !$0.hasPrefix("TLS_") }
    let new = ciphers.filter { $0.hasPrefix("TLS_") }
    if !old.isEmpty { text += " ciphers \(old.joined(separator: ":"))" }
    if !new.isEmpty { text += " ciphersuites \(new.joined(separator: ":"))" }
    let versions = listener["tls_versions"].strings
    for (name, option) in [
      ("SSLv3", "sslv3"), ("TLSv1", "tlsv10"), ("TLSv1.1", "tlsv11"), ("TLSv1.2", "tlsv12"), ("TLSv1.3", "tlsv13"),
    ]
    where !versions.contains(name) { text += " no-\(option)" }
    let protocols = listener["alpn_protocols"].strings
    if !protocols.isEmpty { text += " alpn \(protocols.joined(separator: ","))" }
    return text
  }

  private mutating func writePrometheus(_ listener: Record) {
    line("\nfrontend \(listener.id)")
    writeBinds(listener)
    option("mode http")
    option("timeout client \(listener.number("timeout_client_data"))")
    option("http-request use-service prometheus-exporter if { path /metrics }")
  }

  private mutating func writeFrontend(_ listener: Record) {
    let name = listener.text("protocol")
    line("\nfrontend \(listener.id)")
    option("maxconn \(listener.number("connection_limit") < 0 ? 50_000 : listener.number("connection_limit"))")
    if name == "TERMINATED_HTTPS" {
      option("redirect scheme https if !{ ssl_fc }")
      if let age = listener["hsts_max_age"].int {
        let more =
          (listener.flag("hsts_include_subdomains") ? "; includeSubDomains" : "")
          + (listener.flag("hsts_preload") ? "; preload" : "")
        option("http-response set-header Strict-Transport-Security \"max-age=\(age)\(more)\"")
      }
    }
    writeBinds(listener)
    option("mode \(mode(name))")
    for policy in tree.policies(of: listener.id) where policy.isEnabled && !policy.isDeleted {
      writePolicy(policy, listener)
    }
    if let pool = tree[.pool, listener.text("default_pool_id")], pool.isEnabled, !pool.isDeleted {
      option("default_backend \(pool.id):\(listener.id)")
    }
    option("timeout client \(listener.number("timeout_client_data"))")
    if listener.number("timeout_tcp_inspect") > 0 {
      option("tcp-request inspect-delay \(listener.number("timeout_tcp_inspect"))")
    }
    for network in listener["allowed_cidrs"].strings.isEmpty
      ? [] : [listener["allowed_cidrs"].strings.joined(separator: " ")]
    {
      option("tcp-request connection reject if !{ src \(network) }")
    }
  }

  private mutating func writePolicy(_ policy: Record, _ listener: Record) {
    let rules = tree.all(.rule, "l7policy_id", policy.id).filter { $0.isEnabled && !$0.isDeleted }
    if rules.isEmpty { return }
    for rule in rules { option("acl \(rule.id) \(Self.condition(rule))") }
    let all = rules.map { ($0.flag("invert") ? "!" : "") + $0.id }.joined(separator: " ")
    let code = policy["redirect_http_code"].int.map { " code \($0)" } ?? ""
    switch policy.text("action") {
    case "REJECT": option("http-request deny if \(all)")
    case "REDIRECT_TO_URL": option("redirect\(code) location \(policy.text("redirect_url")) if \(all)")
    case "REDIRECT_PREFIX": option("redirect\(code) prefix \(policy.text("redirect_prefix")) if \(all)")
    default:
      if let pool = tree[.pool, policy.text("redirect_pool_id")], pool.isEnabled, !pool.isDeleted {
        option("use_backend \(pool.id):\(listener.id) if \(all)")
      }
    }
  }

  private static func condition(_ rule: Record) -> String {
    let match =
      [
        "REGEX": "-m reg ", "STARTS_WITH": "-m beg ", "ENDS_WITH": "-m end ", "CONTAINS": "-m sub ",
        "EQUAL_TO": "-m str ",
      ][
        rule.text("compare_type")] ?? ""
    // A value is one word of the line.
    let value = rule.text("value").replacing(" ", with: "\\ ").replacing("#", with: "\\#")
    switch rule.text("type") {
    case "HOST_NAME": return "req.hdr(host) -i \(match)\(value)"
    case "PATH": return "path \(match)\(value)"
    // "path_end -m str" would compare the whole path.
    case "FILE_TYPE": return "path_end \(rule.text("compare_type") == "REGEX" ? match : "")\(value)"
    case "HEADER": return "req.hdr(\(rule.text("key"))) \(match)\(value)"
    case "COOKIE": return "req.cook(\(rule.text("key"))) \(match)\(value)"
    case "SSL_CONN_HAS_CERT": return "ssl_c_used"
    case "SSL_VERIFY_RESULT": return "ssl_c_verify eq \(value)"
    default: return "ssl_c_s_dn(\(rule.text("key"))) \(match)\(value)"
    }
  }

  // MARK: backends

  private mutating func writeBackend(_ pool: Record, _ listener: Record) {
    let name = pool.text("protocol")
    let isHTTP = mode(listener.text("protocol")) == "http"
    line("\nbackend \(pool.id):\(listener.id)")
    option("mode \(isHTTP ? "http" : "tcp")")
    if isHTTP { option("http-reuse safe") }
    let balance = ["ROUND_ROBIN": "roundrobin", "LEAST_CONNECTIONS": "leastconn", "SOURCE_IP": "source"]
    option("balance \(balance[pool.text("lb_algorithm")] ?? "roundrobin")")
    writePersistence(pool)
    let monitor = monitor(pool)
    if let monitor { writeMonitor(monitor) }
    if isHTTP { writeHeaders(listener) }
    option("fullconn \(listener.number("connection_limit") < 0 ? 50_000 : listener.number("connection_limit"))")
    option("option allbackups")
    option("timeout connect \(listener.number("timeout_member_connect"))")
    option("timeout server \(listener.number("timeout_member_data"))")
    for member in tree.all(.member, "pool_id", pool.id) where !member.isDeleted && member.provisioning != .error {
      writeServer(member, pool, monitor, proxy: name)
    }
  }

  private mutating func writePersistence(_ pool: Record) {
    let persistence = pool["session_persistence"]
    let shared = peers.count > 1 ? " peers \(peersName)" : ""
    switch persistence["type"].string {
    case "SOURCE_IP":
      option("stick-table type ipv6 size 10k\(shared)")
      option("stick on src")
    case "APP_COOKIE":
      let name = persistence["cookie_name"].string ?? ""
      option("stick-table type string len 64 size 10k\(shared)")
      option("stick store-response res.cook(\(name))")
      option("stick match req.cook(\(name))")
    case "HTTP_COOKIE": option("cookie SRV insert indirect nocache")
    default: break
    }
  }

  private mutating func writeMonitor(_ monitor: Record) {
    option("load-server-state-from-file global")
    option("timeout check \(monitor.number("timeout"))s")
    switch monitor.text("type") {
    case "HTTP", "HTTPS":
      var version = ""
      if case .double(let number) = monitor["http_version"] { version = " HTTP/\(number)" }
      option("option httpchk \(monitor.text("http_method")) \(monitor.text("url_path"))\(version)")
      if let host = monitor["domain_name"].string { option("http-check send hdr Host \(host)") }
      let codes = StatusCodes(monitor.text("expected_codes"))?.codes ?? [200]
      option("http-check expect rstatus \(codes.map(String.init).joined(separator: "|"))")
    case "PING":
      option("option external-check")
      option("external-check command \(sockets)/ping-wrapper.sh")
    default: break
    }
  }

  private mutating func writeHeaders(_ listener: Record) {
    let headers = listener["insert_headers"].object ?? JSONObject()
    func wants(_ name: String) -> Bool { headers[name]?.string?.lowercased() == "true" }
    if wants("X-Forwarded-For") { option("option forwardfor") }
    if wants("X-Forwarded-Port") { option("http-request set-header X-Forwarded-Port %[dst_port]") }
    if wants("X-Forwarded-Proto") {
      option(
        "http-request set-header X-Forwarded-Proto \(listener.text("protocol") == "TERMINATED_HTTPS" ? "https" : "http")"
      )
    }
    for name in ["X-Forwarded-IP", "X-Client-IP", "X-Real-IP"] where wants(name) {
      option("http-request set-header \(name) %[src]")
    }
    let tls = [
      ("X-SSL-Client-Verify", "ssl_c_verify"), ("X-SSL-Client-Has-Cert", "ssl_c_used"),
      ("X-SSL-Client-DN", "{+Q}[ssl_c_s_dn]"),
      ("X-SSL-Client-CN", "{+Q}[ssl_c_s_dn(cn)]"), ("X-SSL-Issuer", "{+Q}[ssl_c_i_dn]"),
      ("X-SSL-Client-SHA1", "{+Q}[ssl_c_sha1,hex]"),
      ("X-SSL-Client-Not-Before", "{+Q}[ssl_c_notbefore]"), ("X-SSL-Client-Not-After", "{+Q}[ssl_c_notafter]"),
    ]
    for (name, fetch) in tls where wants(name) {
      option("http-request set-header \(name) %\(fetch.hasPrefix("{") ? fetch : "[\(fetch)]")")
    }
  }

  private mutating func writeServer(_ member: Record, _ pool: Record, _ monitor: Record?, proxy: String) {
    var text =
      "server \(member.id) \(HostText.endpoint(member.text("address"), member.number("protocol_port"))) weight \(member.number("weight"))"
    if let monitor {
      text += " check"
      if monitor.text("type") == "HTTPS" { text += " check-ssl verify none" }
      text +=
        " inter \(monitor.number("delay"))s fall \(monitor.number("max_retries_down")) rise \(monitor.number("max_retries"))"
      if let address = member["monitor_address"].string { text += " addr \(address)" }
      if let port = member["monitor_port"].int { text += " port \(port)" }
    }
    if pool["session_persistence"]["type"] == "HTTP_COOKIE" { text += " cookie \(member.id)" }
    if proxy == "PROXY" { text += " send-proxy" }
    if proxy == "PROXYV2" { text += " send-proxy-v2" }
    if member.flag("backup") { text += " backup" }
    if !member.isEnabled { text += " disabled" }
    if pool.flag("tls_enabled") {
      text += " ssl"
      if let reference = pool["tls_container_ref"].string {
        text += " crt \(base)/\(tree.id)/certs/\(CertificateReference(reference).fileName)"
      }
      if let reference = pool["ca_tls_container_ref"].string {
        text += " ca-file \(base)/\(tree.id)/certs/\(CertificateReference(reference).fileName) verify required"
      } else {
        text += " verify none"
      }
    }
    option(text)
  }
}

/// A container of certificates as requests name it: a URL or a path, whose last part is its name.
package struct CertificateReference: Hashable, Sendable {
  package var name: String
  package var fileName: String { "\(name).pem" }

  package init(_ text: String) {
    let last = text.split(separator: "/").last.map(String.init) ?? ""
    name = last.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    if name.hasPrefix(".") || name.isEmpty { name = "_\(name)" }
  }

  package static func of(_ listener: Record) -> [CertificateReference] {
    let names =
      (listener["default_tls_container_ref"].string.map { [$0] } ?? []) + listener["sni_container_refs"].strings
    return names.map { CertificateReference($0) }
  }

  /// All that a load balancer's amphorae need.
  package static func all(_ tree: Tree) -> Set<CertificateReference> {
    var all: Set<CertificateReference> = []
    for listener in tree.all(.listener) {
      all.formUnion(of(listener))
      for key in ["client_ca_tls_container_ref", "client_crl_container_ref"] {
        if let text = listener[key].string { all.insert(CertificateReference(text)) }
      }
    }
    for pool in tree.all(.pool) {
      for key in ["tls_container_ref", "ca_tls_container_ref", "crl_container_ref"] {
        if let text = pool[key].string { all.insert(CertificateReference(text)) }
      }
    }
    return all
  }
}
