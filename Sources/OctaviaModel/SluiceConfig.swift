/// The configuration of Sluice's own data plane inside an amphora, and of its VRRP. JSON is YAML.
package enum SluiceConfig {
  /// Listeners that Sluice carries; of an `amphora` load balancer, those that HAProxy does not.
  package static func listeners(_ tree: Tree, onlyDatagrams: Bool) -> [Record] {
    guard tree.loadBalancer.isEnabled else { return [] }
    return tree.all(.listener).filter { listener in
      let name = listener.text("protocol")
      return listener.isEnabled && !listener.isDeleted && listener.provisioning != .error
        && (onlyDatagrams ? name == "UDP" : ["HTTP", "TCP", "HTTPS", "UDP"].contains(name))
    }
  }

  package static func document(_ tree: Tree, sockets: String, onlyDatagrams: Bool) -> JSON {
    let listeners = listeners(tree, onlyDatagrams: onlyDatagrams)
    var pools = JSONObject()
    for listener in listeners {
      for pool in tree.pools(of: listener) where !pool.isDeleted { pools[pool.id] = self.pool(pool, listener, tree) }
    }
    return .object([
      "admin": .object(["socket": .string(SocketPlace.sluice(sockets, tree.id))]), "drain-timeout": "5s",
      "access-log": "off",
      "secret": .string("persistence-of-\(tree.id)"),
      "listeners": .object(JSONObject(listeners.map { ($0.id, self.listener($0, tree)) })), "pools": .object(pools),
    ])
  }

  private static func bind(_ address: String, _ port: Int) -> JSON {
    .string(address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)")
  }

  private static func listener(_ listener: Record, _ tree: Tree) -> JSON {
    let name = listener.text("protocol")
    let isHTTP = name == "HTTP"
    var out = JSONObject([
      ("bind", .array(tree.vipAddresses.map { bind($0, listener.number("protocol_port")) })),
      ("protocol", isHTTP ? "http" : name == "UDP" ? "udp" : "tcp"),
    ])
    if !listener["allowed_cidrs"].isNull { out["access"] = .object(["allow": listener["allowed_cidrs"]]) }
    if listener.number("connection_limit") > 0 {
      out["limits"] = .object(["connections": listener["connection_limit"]])
    }
    if name != "UDP" {
      out["timeouts"] = .object([
        isHTTP ? "idle" : "tunnel": .string("\(max(listener.number("timeout_client_data"), 1))ms")
      ])
    }
    if isHTTP {
      let wanted =
        listener["insert_headers"].object?.members.contains { $0.value.string?.lowercased() == "true" } ?? false
      out["http"] = .object(["x-forwarded": wanted ? "append" : "off", "via": "off", "request-id": "off"])
      var routes: [JSON] = []
      for policy in tree.policies(of: listener.id) where policy.isEnabled && !policy.isDeleted {
        if let route = route(policy, tree) { routes.append(route) }
      }
      out["routes"] = .array(routes + [defaultRoute(listener, tree)])
    } else if let pool = tree[.pool, listener.text("default_pool_id")] {
      out["pool"] = .string(pool.id)
    }
    return .object(out)
  }

  private static func defaultRoute(_ listener: Record, _ tree: Tree) -> JSON {
    if let pool = tree[.pool, listener.text("default_pool_id")], pool.isEnabled, !pool.isDeleted {
      return .object(["pool": .string(pool.id)])
    }
    return .object(["respond": .object(["status": 503])])
  }

  // MARK: policies

  private static func route(_ policy: Record, _ tree: Tree) -> JSON? {
    let rules = tree.all(.rule, "l7policy_id", policy.id).filter { $0.isEnabled && !$0.isDeleted }
    guard !rules.isEmpty, let match = match(rules) else { return nil }
    let code = policy["redirect_http_code"].isNull ? 302 : policy["redirect_http_code"]
    switch policy.text("action") {
    case "REJECT": return .object(["match": match, "respond": .object(["status": 403])])
    case "REDIRECT_TO_POOL":
      guard let pool = tree[.pool, policy.text("redirect_pool_id")], pool.isEnabled, !pool.isDeleted else { return nil }
      return .object(["match": match, "pool": .string(pool.id)])
    default:
      let isPrefix = policy.text("action") == "REDIRECT_PREFIX"
      var redirect = self.redirect(policy.text(isPrefix ? "redirect_prefix" : "redirect_url"), isPrefix: isPrefix)
      redirect["status"] = code
      return .object(["match": match, "redirect": .object(redirect)])
    }
  }

  private static func redirect(_ url: String, isPrefix: Bool) -> JSONObject {
    let secure = url.lowercased().hasPrefix("https")
    let rest = url.dropFirst(secure ? 8 : 7)
    let host = rest.prefix { $0 != "/" }
    var out = JSONObject([("scheme", secure ? "https" : "http"), ("host", .string(String(host)))])
    let path = rest.dropFirst(host.count)
    if !isPrefix {
      out["path"] = .string(path.isEmpty ? "/" : String(path))
      out["keep-query"] = false
    }
    return out
  }

  /// Rules are alternatives of nothing: all must hold. Those that look at the same thing become one expression.
  private static func match(_ rules: [Record]) -> JSON? {
    var looks: [String: [Record]] = [:]
    for rule in rules {
      switch rule.text("type") {
      case "PATH", "FILE_TYPE": looks["path", default: []].append(rule)
      case "HOST_NAME": looks["header host", default: []].append(rule)
      case "HEADER": looks["header \(rule.text("key").lowercased())", default: []].append(rule)
      case "COOKIE": looks["cookie \(rule.text("key"))", default: []].append(rule)
      // Client certificates belong to TLS listeners.
      default: return nil
      }
    }
    var match = JSONObject()
    var headers = JSONObject()
    var cookies = JSONObject()
    for (look, rules) in looks.sorted(by: { $0.key < $1.key }) {
      let prefix = look == "header host" ? "(?i)" : ""
      let expression: JSON = .object(["regex": .string("\(prefix)^" + rules.map(expression).joined())])
      let words = look.split(separator: " ", maxSplits: 1)
      switch words[0] {
      case "path": match["path"] = expression
      case "header": headers[String(words[1])] = expression
      default: cookies[String(words[1])] = expression
      }
    }
    if !headers.isEmpty { match["header"] = .object(headers) }
    if !cookies.isEmpty { match["cookie"] = .object(cookies) }
    return .object(match)
  }

  /// A look ahead from the start of the text.
  private static func expression(_ rule: Record) -> String {
    let value = rule.text("value")
    let literal = escaped(value)
    let inner: String
    if rule.text("type") == "FILE_TYPE" {
      inner = rule.text("compare_type") == "REGEX" ? ".*(?:\(value))" : ".*\(literal)$"
    } else {
      switch rule.text("compare_type") {
      case "STARTS_WITH": inner = literal
      case "ENDS_WITH": inner = ".*\(literal)$"
      case "CONTAINS": inner = ".*\(literal)"
      case "REGEX": inner = ".*(?:\(value))"
      default: inner = "\(literal)$"
      }
    }
    return rule.flag("invert") ? "(?!\(inner))" : "(?=\(inner))"
  }

  private static func escaped(_ text: String) -> String {
    var out = ""
    for character in text {
      if "\\^$.|?*+()[]{}".contains(character) { out.append("\\") }
      out.append(character)
    }
    return out
  }

  // MARK: pools

  private static func pool(_ pool: Record, _ listener: Record, _ tree: Tree) -> JSON {
    let balance = ["ROUND_ROBIN": "round-robin", "LEAST_CONNECTIONS": "least-connections", "SOURCE_IP": "source"]
    var out = JSONObject([("balance", .string(balance[pool.text("lb_algorithm")] ?? "round-robin"))])
    let persistence = pool["session_persistence"]
    switch persistence["type"].string {
    case "SOURCE_IP": out["persistence"] = .object(["source": .object([:])])
    case "HTTP_COOKIE": out["persistence"] = .object(["cookie": .object(["name": "SRV"])])
    case "APP_COOKIE": out["balance"] = .object(["maglev": .object(["cookie": persistence["cookie_name"]])])
    default: break
    }
    let monitor = tree.healthMonitor(of: pool.id).flatMap { $0.isEnabled && !$0.isDeleted ? $0 : nil }
    if let monitor { out["probe"] = probe(monitor) }
    if listener.text("protocol") != "UDP" {
      out["timeouts"] = .object([
        "connect": .string("\(max(listener.number("timeout_member_connect"), 1))ms"),
        "response": .string("\(max(listener.number("timeout_member_data"), 1))ms"),
      ])
    }
    if pool.text("protocol") == "PROXY" { out["send-proxy"] = "v1" }
    if pool.text("protocol") == "PROXYV2" { out["send-proxy"] = "v2" }
    let members = tree.all(.member, "pool_id", pool.id).filter { !$0.isDeleted && $0.provisioning != .error }
    out["backends"] = .array(
      members.map { member in
        var backend = JSONObject([
          ("name", .string(member.id)), ("address", bind(member.text("address"), member.number("protocol_port"))),
          ("weight", member["weight"]),
        ])
        if !member.isEnabled { backend["state"] = "maintenance" }
        if member.flag("backup") { backend["backup"] = true }
        if monitor != nil, let port = member["monitor_port"].int { backend["probe-port"] = .int(port) }
        return .object(backend)
      })
    return .object(out)
  }

  private static func probe(_ monitor: Record) -> JSON {
    var out = JSONObject()
    switch monitor.text("type") {
    case "HTTP":
      var http = JSONObject([("method", monitor["http_method"]), ("path", monitor["url_path"])])
      http["expect"] = .array((StatusCodes(monitor.text("expected_codes"))?.codes ?? [200]).map { .int($0) })
      if let host = monitor["domain_name"].string { http["host"] = .string(host) }
      out["http"] = .object(http)
    case "UDP-CONNECT": out["udp"] = .object(["send": "\n"])
    default: out["tcp"] = .object([:])
    }
    out["every"] = .string("\(max(monitor.number("delay"), 1))s")
    out["timeout"] = .string("\(min(max(monitor.number("timeout"), 1), max(monitor.number("delay"), 1)))s")
    out["rise"] = monitor["max_retries"]
    out["fall"] = monitor["max_retries_down"]
    out["initial"] = "up"
    return .object(out)
  }

  // MARK: VRRP

  /// - Parameter prefix: the length of the VIP's network.
  package static func vrrp(
    _ tree: Tree, of amphora: Record, interface: String, prefix: Int, interval: Duration, sockets: String
  ) -> JSON {
    let peers = tree.amphorae.filter { $0.id != amphora.id && !$0["vrrp_ip"].isNull }.map { $0["vrrp_ip"] }
    let milliseconds = Int(interval / .milliseconds(1))
    let vip: JSON = .object([
      "interface": .string(interface), "addresses": .strings(tree.vipAddresses.map { "\($0)/\(prefix)" }),
      "router-id": amphora["vrrp_id"], "version": 3, "priority": amphora["vrrp_priority"],
      "interval": .string("\(milliseconds)ms"), "preempt": false, "source": amphora["vrrp_ip"], "peers": .array(peers),
    ])
    return .object([
      "admin": .object(["socket": .string(SocketPlace.vrrp(sockets))]), "workers": 1, "access-log": "off",
      "listeners": .object([:]),
      "pools": .object([:]), "vips": .object(["vip": vip]),
    ])
  }
}
