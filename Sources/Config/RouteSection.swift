import Model

extension Reader {
  func route(_ node: Node, _ listener: Listener) -> Route? {
    guard let fields = Fields(node, .route, self, label: "route") else { return nil }
    let isHTTP = listener.transport == .http
    var match = Match()
    if let node = fields["match"], let read = self.match(node, listener.transport) { match = read }
    if !isHTTP {
      for key in ["redirect", "respond", "rewrite", "request-headers", "response-headers", "timeouts", "mirror"]
      where fields.has(key) {
        error(fields.keyPlace(key), "`\(key)` is for http listeners; this one is \(listener.transport.rawValue)")
      }
    }
    let action = self.action(fields, listener)
    // Without an action the rest is still read, for its errors.
    var route = Route(match: match, action: action ?? .respond(FixedResponse(status: 500)))
    route.name = fields.value("name", .name)
    if let node = fields["rewrite"] { route.rewrite = rewrite(node, match) }
    route.requestHeaders = headerEdits(fields, "request-headers", isRequest: true)
    route.responseHeaders = headerEdits(fields, "response-headers", isRequest: false)
    fields.with("timeouts", .routeTimeouts) { timeouts in
      timeouts.read("request", .duration(), into: &route.timeouts.request)
      timeouts.read("per-try", .duration(), into: &route.timeouts.perTry)
      if let request = route.timeouts.request, let perTry = route.timeouts.perTry, perTry > request {
        timeouts.error(at: "per-try", "`per-try`: longer than `request` (\(Units.text(request))), which ends all tries")
      }
    }
    fields.with("retry", .retry) { route.retry = retry($0) }
    fields.with("mirror", .mirror) { route.mirror = mirror($0, listener) }
    switch action {
    case .redirect, .respond:
      for key in ["rewrite", "request-headers", "retry", "timeouts", "mirror"] where fields.has(key) {
        error(fields.keyPlace(key), "`\(key)`: the route answers itself and sends nothing to a backend")
      }
    case nil: return nil
    default: break
    }
    return route
  }

  private func action(_ fields: Fields, _ listener: Listener) -> Action? {
    guard let kind = fields.exactlyOne(of: ["pool", "split", "redirect", "respond"], label: "route"),
      let node = fields[kind]
    else { return nil }
    switch kind {
    case "pool":
      guard let pool = fields.value("pool", .nonEmpty) else { return nil }
      use(pool, node.place, listener)
      return .pool(pool)
    case "split": return split(node, fields, listener)
    case "redirect": return Fields(node, .redirect, self, label: kind).flatMap(redirect)
    default: return Fields(node, .respond, self, label: kind).flatMap(respond)
    }
  }

  private func split(_ node: Node, _ fields: Fields, _ listener: Listener) -> Action? {
    let entries = fields.names("split")
    guard case .map = node.content else { return nil }
    var pools: [WeightedPool] = []
    for entry in entries {
      use(entry.key, entry.keyPlace, listener)
      if let weight = scalar(entry.value, .integer(0...65_535), label: entry.key.shortened) {
        pools.append(WeightedPool(pool: entry.key, weight: weight))
      }
    }
    if pools.count == entries.count, !pools.contains(where: { $0.weight > 0 }) {
      error(node.place, "`split`: expected at least one pool with a weight above 0")
    }
    return .split(pools)
  }

  private func redirect(_ fields: Fields) -> Action? {
    var result = Redirect()
    let codes = [301, 302, 303, 307, 308]
    let status = Kind<Int>("301, 302, 303, 307 or 308") { Int($0).flatMap { codes.contains($0) ? $0 : nil } }
    fields.read("status", status, into: &result.status)
    fields.read("scheme", .choice([("http", "http"), ("https", "https")]), into: &result.scheme)
    fields.read("host", .authority, into: &result.host)
    fields.read("path", .path, into: &result.path)
    fields.read("keep-query", .boolean, into: &result.keepQuery)
    if fields.lacks("scheme"), fields.lacks("host"), fields.lacks("path") {
      error(fields.place, "`redirect`: expected `scheme`, `host` or `path`; without one it leads to itself")
    }
    return .redirect(result)
  }

  private func respond(_ fields: Fields) -> Action? {
    guard fields.has("status") else {
      if fields.lacks("status") { error(fields.place, "`respond`: expected `status`") }
      return nil
    }
    guard let status = fields.value("status", .integer(200...599)) else { return nil }
    var result = FixedResponse(status: status)
    fields.read("content-type", .headerValue, into: &result.contentType)
    fields.read("body", .text, into: &result.body)
    if status == 204 || status == 304, !result.body.isEmpty {
      fields.error(at: "body", "`body`: a response with status \(status) has none (RFC 9110 §6.4.1)")
    }
    return .respond(result)
  }

  private func rewrite(_ node: Node, _ match: Match) -> PathRewrite? {
    guard let fields = Fields(node, .rewrite, self, label: "rewrite"),
      let kind = fields.exactlyOne(of: ["prefix", "path"], label: "rewrite"), let path = fields.value(kind, .path)
    else { return nil }
    guard kind == "prefix" else { return .path(path) }
    guard case .prefix = match.path else {
      error(
        fields.keyPlace(kind),
        "`prefix`: replaces what a path prefix matched, and the route matches none; expected `path`")
      return nil
    }
    return .prefix(path)
  }

  private func headerEdits(_ fields: Fields, _ key: String, isRequest: Bool) -> [HeaderEdit] {
    var edits: [HeaderEdit] = []
    fields.with(key, .headers) { headers in
      for node in headers["remove"]?.oneOrMany ?? [] {
        guard let name = editable(node, isRequest: isRequest, only: "set") else { continue }
        edits.append(.remove(name: name))
      }
      for kind in ["set", "add"] {
        for entry in headers.names(kind) {
          let keyNode = Node(place: entry.keyPlace, content: .scalar(Scalar(text: entry.key, isQuoted: true)))
          let name = editable(keyNode, isRequest: isRequest, only: kind == "set" ? nil : "set")
          guard let value = scalar(entry.value, .headerValue, label: entry.key.shortened), let name else { continue }
          if value.hasPrefix("%{") {
            if let edit = factEdit(name, value, entry.value.place, kind) { edits.append(edit) }
            continue
          }
          edits.append(kind == "set" ? .set(name: name, value: value) : .add(name: name, value: value))
        }
      }
    }
    return edits
  }

  /// `%{client-cert-subject}` and the like: a field that says what is known of the connection.
  private func factEdit(_ name: String, _ value: String, _ place: Place, _ kind: String) -> HeaderEdit? {
    guard kind == "set" else {
      error(place, "`\(name)`: expected it under `set`, so that a client cannot send one of its own")
      return nil
    }
    guard value.hasSuffix("}"), let fact = ConnectionFact(rawValue: String(value.dropFirst(2).dropLast())) else {
      let known = ConnectionFact.allCases.map { "`%{\($0.rawValue)}`" }.joined(separator: ", ")
      error(place, "`\(name)`: expected one of \(known), found `\(value.shortened)`")
      return nil
    }
    return .setFact(name: name, fact: fact)
  }

  /// A header's name that an operator may edit; with `only`, Host may not (a request has exactly one).
  private func editable(_ node: Node, isRequest: Bool, only: String?) -> String? {
    guard let name = scalar(node, .headerName, label: "header") else { return nil }
    if HTTPRules.framing.contains(name.lowercased()) {
      error(node.place, "header `\(name)`: frames the message or belongs to one connection; it cannot be edited")
      return nil
    }
    if name.lowercased() == "host" {
      if !isRequest {
        error(node.place, "header `\(name)`: a response has none")
        return nil
      }
      if let only {
        error(node.place, "header `\(name)`: a request has exactly one; expected it under `\(only)`")
        return nil
      }
    }
    return name
  }

  func retry(_ fields: Fields) -> RetryPolicy {
    var result = RetryPolicy()
    fields.read("attempts", .integer(0...7), into: &result.attempts)
    fields.read("on-reset", .boolean, into: &result.onReset)
    fields.read("on-unavailable", .boolean, into: &result.onUnavailable)
    result.onStatus = fields.list("on-status", .integer(400...599)) ?? []
    fields.read("budget", .share(), into: &result.budget)
    return result
  }
}
