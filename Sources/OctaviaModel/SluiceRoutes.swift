/// The routes of one HTTP listener: its policies in their order, then its default pool.
struct SluiceRoutes {
  typealias Unsupported = SluiceConfig.Unsupported

  let listener: Record
  let tree: Tree
  /// Names of headers that requests get.
  let headers: [String]

  func all(_ pool: Record?) throws(Unsupported) -> [JSON] {
    var routes: [JSON] = []
    let request = try requestHeaders()
    for policy in tree.policies(of: listener.id) where policy.isEnabled && !policy.isDeleted {
      guard let action = try action(policy, request) else { continue }
      let rules = tree.all(.rule, "l7policy_id", policy.id).filter {
        $0.isEnabled && !$0.isDeleted && $0.provisioning != .error
      }
      if rules.isEmpty { continue }
      for match in try SluiceMatch.alternatives(rules) {
        var route = JSONObject([("match", match)])
        route.merge(action)
        routes.append(finished(route))
      }
    }
    var last = JSONObject()
    if let pool {
      last = to(pool, request)
    } else {
      last["respond"] = .object(["status": 503])
    }
    return routes + [finished(last)]
  }

  private func to(_ pool: Record, _ request: JSON?) -> JSONObject {
    var route = JSONObject([("pool", .string(SluiceConfig.name(pool, listener)))])
    if let request { route["request-headers"] = request }
    return route
  }

  /// What every answer of the listener has.
  private func finished(_ route: JSONObject) -> JSON {
    guard let age = listener["hsts_max_age"].int else { return .object(route) }
    var route = route
    let more =
      (listener.flag("hsts_include_subdomains") ? "; includeSubDomains" : "")
      + (listener.flag("hsts_preload") ? "; preload" : "")
    let header: JSON = .object(["Strict-Transport-Security": .string("max-age=\(age)\(more)")])
    route["response-headers"] = .object(["set": header])
    return .object(route)
  }

  private func requestHeaders() throws(Unsupported) -> JSON? {
    let isSecure = listener.text("protocol") == "TERMINATED_HTTPS"
    var set = JSONObject()
    for name in headers {
      switch name {
      case "X-Forwarded-For": break
      case "X-Forwarded-Port": set[name] = .string(String(listener.number("protocol_port")))
      case "X-Forwarded-Proto": set[name] = isSecure ? "https" : "http"
      case "X-SSL-Client-DN": set[name] = "%{client-cert-subject}"
      case "X-SSL-Client-Verify" where listener.text("client_authentication") == "MANDATORY": set[name] = "0"
      case "X-SSL-Client-Has-Cert" where listener.text("client_authentication") == "MANDATORY": set[name] = "1"
      default: throw Unsupported("the header \(name)")
      }
    }
    return set.isEmpty ? nil : .object(["set": .object(set)])
  }

  // MARK: policies

  /// nil: the policy sends to a pool that takes no traffic, and so is as if it were not there.
  private func action(_ policy: Record, _ request: JSON?) throws(Unsupported) -> JSONObject? {
    let code = policy["redirect_http_code"].isNull ? 302 : policy["redirect_http_code"]
    switch policy.text("action") {
    case "REJECT": return JSONObject([("respond", .object(["status": 403]))])
    case "REDIRECT_TO_POOL":
      guard let pool = tree[.pool, policy.text("redirect_pool_id")], pool.isEnabled, !pool.isDeleted else { return nil }
      return to(pool, request)
    case "REDIRECT_PREFIX":
      var redirect = try redirect(policy.text("redirect_prefix"))
      if let path = redirect["path"]?.string, path != "/" {
        throw Unsupported("a redirect_prefix with a path (\(path))")
      }
      redirect["path"] = nil
      redirect["status"] = code
      return JSONObject([("redirect", .object(redirect))])
    default:
      var redirect = try redirect(policy.text("redirect_url"))
      redirect["keep-query"] = false
      redirect["status"] = code
      return JSONObject([("redirect", .object(redirect))])
    }
  }

  private func redirect(_ url: String) throws(Unsupported) -> JSONObject {
    let isSecure = url.lowercased().hasPrefix("https")
    let rest = url.dropFirst(isSecure ? 8 : 7)
    let host = rest.prefix { !"/?#".contains($0) }
    let path = rest.dropFirst(host.count)
    if path.contains("?") || path.contains("#") { throw Unsupported("a redirect with a query or a fragment (\(url))") }
    return JSONObject([
      ("scheme", isSecure ? "https" : "http"), ("host", .string(String(host))),
      ("path", .string(path.isEmpty ? "/" : String(path))),
    ])
  }
}

/// A policy's rules, which must all hold, as matches of routes.
enum SluiceMatch {
  typealias Unsupported = SluiceConfig.Unsupported

  /// What a rule looks at. Those that look at the same become one expression.
  private enum Look: Hashable {
    case path
    case header(String)
    case cookie(String)
    case certificate

    var order: String {
      switch self {
      case .path: "0"
      case .header(let name): "1\(name)"
      case .cookie(let name): "2\(name)"
      case .certificate: "3"
      }
    }
  }

  /// Absent fields double the routes: each is there and matches, or is not there.
  private static let limit = 4

  static func alternatives(_ rules: [Record]) throws(Unsupported) -> [JSON] {
    var looks: [Look: [Record]] = [:]
    for rule in rules { looks[try look(rule), default: []].append(rule) }
    var choices: [[(Look, JSON)]] = []
    for (look, rules) in looks.sorted(by: { $0.key.order < $1.key.order }) {
      if look == .certificate {
        guard Set(rules.map { $0.flag("invert") }).count == 1 else { return [] }
        choices.append([(look, .object(["present": .bool(!rules[0].flag("invert"))]))])
        continue
      }
      let prefix = look == .header("host") ? "(?i)" : ""
      var choice: [(Look, JSON)] = [(look, .object(["regex": .string("\(prefix)^" + rules.map(expression).joined())]))]
      // What is not there is not what it shall not be.
      if look != .path, rules.allSatisfy({ $0.flag("invert") }) {
        choice.append((look, .object(["present": false])))
      }
      choices.append(choice)
    }
    guard choices.count(where: { $0.count > 1 }) <= limit else {
      throw Unsupported("more than \(limit) inverted rules on different headers and cookies in one policy")
    }
    var all: [[(Look, JSON)]] = [[]]
    for choice in choices { all = all.flatMap { before in choice.map { before + [$0] } } }
    return all.map(match)
  }

  private static func look(_ rule: Record) throws(Unsupported) -> Look {
    switch rule.text("type") {
    case "PATH", "FILE_TYPE": return .path
    case "HOST_NAME": return .header("host")
    case "HEADER": return .header(rule.text("key").lowercased())
    case "COOKIE": return .cookie(rule.text("key"))
    case "SSL_CONN_HAS_CERT": return .certificate
    default: throw Unsupported("a rule of the type \(rule.text("type"))")
    }
  }

  private static func match(_ parts: [(Look, JSON)]) -> JSON {
    var match = JSONObject()
    var headers = JSONObject()
    var cookies = JSONObject()
    for (look, condition) in parts {
      switch look {
      case .path: match["path"] = condition
      case .header(let name): headers[name] = condition
      case .cookie(let name): cookies[name] = condition
      case .certificate: match["client-cert"] = condition
      }
    }
    if !headers.isEmpty { match["header"] = .object(headers) }
    if !cookies.isEmpty { match["cookie"] = .object(cookies) }
    return .object(match)
  }

  /// A look ahead from the start of the text.
  private static func expression(_ rule: Record) -> String {
    let value = rule.text("value")
    // Quotes around a value are for what has spaces and the like in it, and not a part of it.
    let isQuoted = value.count > 1 && value.hasPrefix("\"") && value.hasSuffix("\"")
    let literal = escaped(isQuoted ? String(value.dropFirst().dropLast()) : value)
    let inner: String
    switch (rule.text("type"), rule.text("compare_type")) {
    case (_, "REGEX"): inner = ".*(?:\(value))"
    case ("FILE_TYPE", _), (_, "ENDS_WITH"): inner = ".*\(literal)$"
    case (_, "STARTS_WITH"): inner = literal
    case (_, "CONTAINS"): inner = ".*\(literal)"
    default: inner = "\(literal)$"
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
}
