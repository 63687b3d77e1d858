import Model

/// A pool and the places that later checks point at.
struct ReadPool {
  var pool: Pool
  var place: Place
  var fields: Fields
  /// Where each backend stands, in the pool's order.
  var backendPlaces: [Place]
}

extension Reader {
  func pool(_ entry: Node.Entry) -> ReadPool? {
    let name = entry.key
    _ = scalar(Node(place: entry.keyPlace, content: .scalar(Scalar(text: name, isQuoted: true))), .name, label: "pool")
    guard let fields = Fields(entry.value, .pool, self, label: name) else { return nil }
    var result = Pool(name: name, backends: [])
    let backends = self.backends(fields, entry)
    result.backends = backends.map(\.backend)
    if let node = fields["balance"], let policy = balance(node) { result.policy = policy }
    if let node = fields["probe"] { result.probe = probe(node) }
    fields.with("agent", .agent) { result.agent = agent($0) }
    fields.with("outlier", .outlier) { result.outlier = outlier($0) }
    fields.with("persistence", .persistence) { result.persistence = persistence($0) }
    fields.with("retry", .retry) { result.retry = retry($0) }
    fields.with("timeouts", .poolTimeouts) { timeouts in
      timeouts.read("connect", .duration(), into: &result.timeouts.connect)
      timeouts.read("response", .duration(), into: &result.timeouts.response)
      timeouts.read("keep-alive", .duration(), into: &result.timeouts.keepAlive)
      timeouts.read("drain", .duration(), into: &result.timeouts.drain)
    }
    fields.with("queue", .queue) { queue in
      queue.read("length", .integer(0...1_000_000), into: &result.queue.length)
      queue.read("timeout", .duration(), into: &result.queue.timeout)
    }
    fields.read("slow-start", .duration(atLeast: .zero), into: &result.slowStart)
    fields.read("panic-threshold", .share(), into: &result.panicThreshold)
    fields.read("priority-threshold", .share(), into: &result.priorityThreshold)
    fields.read("send-proxy", .choice([("v1", ProxyVersion.v1), ("v2", ProxyVersion.v2)]), into: &result.sendProxy)
    fields.read("protocol", .word, into: &result.protocol)
    if result.protocol != .h1, result.sendProxy != nil {
      fields.error(
        at: "send-proxy",
        "`send-proxy`: connections of a pool that speaks h2 are shared by clients; none is one client's")
    }
    fields.read("idle-connections", .integer(0...100_000), into: &result.idleConnections)
    fields.with("tls", .poolTLS) { result.tls = poolTLS($0, result.protocol) }
    if result.protocol == .auto, fields.lacks("tls") {
      fields.error(at: "protocol", "`protocol`: auto is agreed on by TLS, and `tls` is not given; expected h1 or h2")
    }
    fields.with("drift", .drift) { drift in
      drift.read("watch", .boolean, into: &result.drift.isWatched)
      var weight: Double?
      drift.read("weight", .share(0.01...1), into: &weight)
      result.drift.weight = weight.map { Int(($0 * 100).rounded()) } ?? 100
      drift.read("every", .duration(atLeast: .milliseconds(100)), into: &result.drift.every)
    }
    fields.with("versions", .versions) { result.versions = versions($0, result) }
    return ReadPool(pool: result, place: entry.keyPlace, fields: fields, backendPlaces: backends.map(\.place))
  }

  private func balance(_ node: Node) -> BalancePolicy? {
    let words: [(String, BalancePolicy)] = [
      ("round-robin", .roundRobin), ("least-connections", .leastConnections), ("random", .random), ("p2c", .p2c),
      ("peak-ewma", .peakEWMA), ("maglev", .maglev(.source)), ("source", .maglev(.source)), ("first", .first),
    ]
    guard case .map = node.content else { return scalar(node, .choice(words), label: "balance") }
    guard let fields = Fields(node, .balance, self, label: "balance"),
      let kind = fields.exactlyOne(of: Section.balance.keys, label: "balance"), let inner = fields[kind]
    else { return nil }
    if kind == "maglev" { return hashKey(inner, "maglev").map(BalancePolicy.maglev) }
    guard let bounded = Fields(inner, .boundedLoad, self, label: kind) else { return nil }
    guard let keyNode = bounded["key"] else {
      if bounded.lacks("key") {
        error(bounded.place, "`bounded-load`: expected `key`: source, uri, { header: … } or { cookie: … }")
      }
      return nil
    }
    let factor = bounded.has("factor") ? bounded.value("factor", .decimal(1.01...10)) : 1.25
    guard let key = hashKey(keyNode, "key"), let factor else { return nil }
    return .boundedLoad(key, factor: factor)
  }

  private func hashKey(_ node: Node, _ label: String) -> BalancePolicy.HashKey? {
    guard case .map = node.content else {
      let words = Kind<BalancePolicy.HashKey>.choice([("source", .source), ("uri", .uri)])
      return scalar(
        node, Kind(words.expected + ", or a mapping with `header` or `cookie`", parse: words.parse), label: label)
    }
    guard let fields = Fields(node, .hashKey, self, label: label),
      let kind = fields.exactlyOne(of: Section.hashKey.keys, label: label)
    else { return nil }
    if kind == "header" { return fields.value(kind, .headerName).map { .header($0.lowercased()) } }
    return fields.value(kind, .token).map { .cookie($0) }
  }

  private func outlier(_ fields: Fields) -> OutlierPolicy {
    var result = OutlierPolicy()
    fields.read("consecutive-failures", .integer(1...10_000), into: &result.consecutiveFailures)
    fields.read("server-errors", .boolean, into: &result.countServerErrors)
    fields.read("base-ejection", .duration(), into: &result.baseEjection)
    fields.read("max-ejection", .duration(), into: &result.maxEjection)
    fields.read("max-ejected", .share(), into: &result.maxEjectedShare)
    if result.maxEjection < result.baseEjection {
      let key = fields.has("max-ejection") ? "max-ejection" : "base-ejection"
      fields.error(
        at: key,
        "`\(key)`: `base-ejection` (\(Units.text(result.baseEjection))) is longer than `max-ejection` (\(Units.text(result.maxEjection)))"
      )
    }
    return result
  }

  private func persistence(_ fields: Fields) -> Persistence? {
    guard let kind = fields.exactlyOne(of: Section.persistence.keys, label: "persistence"), let node = fields[kind]
    else {
      return nil
    }
    switch kind {
    case "cookie":
      return Fields(node, .cookie, self, label: kind).flatMap { insertedCookie($0, "SLUICE") }.map { .cookie($0) }
    case "source":
      guard let source = Fields(node, .sourcePersistence, self, label: kind) else { return nil }
      var (v4, v6, idle, entries) = (32, 128, Duration.seconds(1800), 100_000)
      source.read("prefix-v4", .integer(1...32), into: &v4)
      source.read("prefix-v6", .integer(1...128), into: &v6)
      source.read("idle", .duration(), into: &idle)
      source.read("max-entries", .integer(1...10_000_000), into: &entries)
      return .source(prefixV4: v4, prefixV6: v6, idle: idle, maxEntries: entries)
    default:
      guard let header = Fields(node, .headerPersistence, self, label: kind) else { return nil }
      var (idle, entries) = (Duration.seconds(1800), 100_000)
      header.read("idle", .duration(), into: &idle)
      header.read("max-entries", .integer(1...10_000_000), into: &entries)
      guard let name = header.value("name", .headerName) else {
        if header.lacks("name") { error(header.place, "`header`: expected `name`") }
        return nil
      }
      return .header(name: name.lowercased(), idle: idle, maxEntries: entries)
    }
  }

  /// - Parameter usual: its name when none is given.
  func insertedCookie(_ fields: Fields, _ usual: String) -> InsertedCookie? {
    var cookie = InsertedCookie(name: usual)
    let name = fields.has("name") ? fields.value("name", .token) : usual
    let sites = ["strict": "Strict", "lax": "Lax", "none": "None"]
    cookie.sameSite = fields.value(
      "same-site", Kind<String>.choice(["strict", "lax", "none"].map { ($0, sites[$0] ?? $0) }))
    fields.read("secure", .boolean, into: &cookie.secure)
    if cookie.sameSite == "None", !cookie.secure {
      fields.error(at: "same-site", "`same-site`: browsers drop a cookie with `none` unless `secure` is true")
    }
    cookie.maxAge = fields.value("max-age", .duration(atLeast: .seconds(1)))
    guard let name else { return nil }
    cookie.name = name
    return cookie
  }
}
