import Model

extension Reader {
  func listener(_ entry: Node.Entry) -> Listener? {
    let name = entry.key
    _ = scalar(
      Node(place: entry.keyPlace, content: .scalar(Scalar(text: name, isQuoted: true))), .name, label: "listener")
    guard let fields = Fields(entry.value, .listener, self, label: name) else { return nil }
    guard let transport = fields.value("protocol", .word) as Listener.Transport? else {
      if fields.lacks("protocol") {
        error(entry.keyPlace, "listener `\(name.shortened)`: expected `protocol`: tcp, udp or http")
      }
      return nil
    }
    var result = Listener(name: name, transport: transport, binds: [], routes: [])
    result.binds = binds(fields, entry, transport)
    refuseKeys(fields, transport)
    result.acceptProxyFrom = fields.list("accept-proxy-from", .prefix) ?? []
    fields.with("access", .access) { access in
      result.access.allow = access.list("allow", .prefix) ?? []
      result.access.deny = access.list("deny", .prefix) ?? []
    }
    fields.with("limits", .limits) { limits($0, into: &result.limits) }
    fields.with("timeouts", .listenerTimeouts) { timeouts in
      timeouts.read("head", .duration(), into: &result.timeouts.head)
      timeouts.read("idle", .duration(), into: &result.timeouts.idle)
      timeouts.read("keep-alive", .duration(), into: &result.timeouts.keepAlive)
      timeouts.read("tunnel", .duration(), into: &result.timeouts.tunnel)
      timeouts.read("half-closed", .duration(), into: &result.timeouts.halfClosed)
    }
    fields.with("http", .http) { http($0, into: &result.http) }
    fields.with("http2", .http2) { http2($0, into: &result.http2) }
    fields.with("udp", .udp) { udp in
      udp.read("balance", .word, into: &result.udp.balancing)
      udp.read("idle", .duration(), into: &result.udp.idle)
      udp.read("max-sessions", .integer(1...10_000_000), into: &result.udp.maxSessions)
      udp.read("replies", .integer(1...1_000_000), into: &result.udp.replies)
    }
    fields.with("affinity", .affinity) { result.affinity = affinity($0, result) }
    fields.with("tls", .listenerTLS) { result.tls = listenerTLS($0, result) }
    result.routes = routes(fields, entry, result)
    return result
  }

  private func routes(_ fields: Fields, _ entry: Node.Entry, _ listener: Listener) -> [Route] {
    if fields.has("pool") {
      if fields.has("routes") {
        error(
          fields.keyPlace("routes"), "`routes`: `pool` is given too, and is short for one route",
          notes: [.init(place: fields.keyPlace("pool"), message: "`pool` is here")])
      }
      guard let pool = fields.value("pool", .nonEmpty), let node = fields["pool"] else { return [] }
      use(pool, node.place, listener)
      return [Route(action: .pool(pool))]
    }
    guard let node = fields["routes"] else {
      if fields.lacks("pool"), fields.lacks("routes") {
        error(entry.keyPlace, "listener `\(entry.key.shortened)`: expected `pool` or `routes`")
      }
      return []
    }
    guard case .list(let items) = node.content, !items.isEmpty else {
      error(
        node.place, "`routes`: expected a list of routes, found \(node.scalar == nil ? "an empty one" : node.found)")
      return []
    }
    let routes = items.compactMap { item in route(item, listener).map { (route: $0, place: item.place) } }
    checkReachable(routes)
    return routes.map(\.route)
  }

  func use(_ pool: String, _ place: Place, _ listener: Listener) {
    poolUses.append(PoolUse(pool: pool, place: place, transport: listener.transport, listener: listener.name))
  }

  private func binds(_ fields: Fields, _ entry: Node.Entry, _ transport: Listener.Transport) -> [Bind] {
    guard let node = fields["bind"] else {
      if fields.lacks("bind") {
        error(entry.keyPlace, "listener `\(entry.key.shortened)`: expected `bind`: an address or a list of them")
      }
      return []
    }
    let items = node.oneOrMany
    if items.isEmpty { error(node.place, "`bind`: expected at least one address, found an empty list") }
    return items.compactMap { bind($0, transport) }
  }

  private func bind(_ node: Node, _ transport: Listener.Transport) -> Bind? {
    var address: SocketAddress?
    var mode: UInt16?
    var place = node.place
    if case .map = node.content {
      guard let fields = Fields(node, .bind, self, label: "bind") else { return nil }
      address = fields.value("address", .socketAddress)
      fields.read("mode", .mode, into: &mode)
      if fields.lacks("address") { error(node.place, "`bind`: expected `address`") }
      if case .ip = address, fields.has("mode") {
        error(fields.keyPlace("mode"), "`mode`: the permission bits of a Unix socket; this address is none")
      }
      place = fields["address"]?.place ?? place
    } else {
      address = scalar(node, .socketAddress, label: "bind")
    }
    guard let address else { return nil }
    if case .unix = address, transport == .udp {
      error(place, "`bind`: a udp listener binds IP addresses only")
      return nil
    }
    boundAddresses.append((address, transport == .udp, place))
    var bind = Bind(address)
    if let mode { bind.mode = mode }
    return bind
  }

  private func limits(_ fields: Fields, into limits: inout ListenerLimits) {
    fields.read("connections", .integer(1...10_000_000), into: &limits.connections)
    fields.read("connection-rate", .rate, into: &limits.connectionRatePerSource)
    fields.read("request-rate", .rate, into: &limits.requestRatePerSource)
    if let bytes = fields.value("head", .size(1024...56 * 1024)) { limits.headBytes = Int(bytes) }
    if let bytes = fields.value("uri", .size(256...1 << 20)) { limits.uriBytes = Int(bytes) }
    fields.read("headers", .integer(1...128), into: &limits.headerCount)
    fields.read("body", .size(0...1 << 50), into: &limits.bodyBytes)
    if limits.uriBytes > limits.headBytes {
      let key = fields.has("uri") ? "uri" : "head"
      fields.error(
        at: key,
        "`\(key)`: the URI (\(Units.text(size: Int64(limits.uriBytes)))) is part of the head (\(Units.text(size: Int64(limits.headBytes)))) and cannot be larger"
      )
    }
  }

  private func http(_ fields: Fields, into http: inout HTTPOptions) {
    fields.read("x-forwarded", .word, into: &http.xForwarded)
    fields.read("forwarded", .word, into: &http.forwarded)
    if let via = fields.value("via", .token) { http.via = via == "off" ? nil : via }
    if let name = fields.value("request-id", .headerName) {
      http.requestID = name == "off" ? nil : name.lowercased()
      if HTTPRules.framing.contains(name.lowercased()) || name.lowercased() == "host" {
        fields.error(
          at: "request-id", "`request-id`: `\(name)` has another meaning in HTTP; expected a name of its own")
      }
    }
    fields.read("trust-request-id", .boolean, into: &http.trustRequestID)
    fields.read("allow-connect", .boolean, into: &http.allowConnect)
    fields.read("max-requests", .integer(1...1_000_000_000), into: &http.maxRequests)
    if http.trustRequestID, http.requestID == nil {
      fields.error(at: "trust-request-id", "`trust-request-id`: there is no id to trust; `request-id` is off")
    }
  }

  /// Keys without a meaning for the listener's protocol.
  private func refuseKeys(_ fields: Fields, _ transport: Listener.Transport) {
    func refuse(_ keys: [String], in fields: Fields, _ only: String) {
      for key in keys where fields.has(key) {
        error(fields.keyPlace(key), "`\(key)` is for \(only) listeners; this one is \(transport.rawValue)")
      }
    }
    /// The nested mapping, for its keys' places only: its errors are reported where it is read.
    func nested(_ key: String, _ section: Section) -> Fields? {
      guard let node = fields[key], case .map = node.content else { return nil }
      return Fields(node, section, Reader(file: file, baseDirectory: baseDirectory, secretFile: secretFile), label: key)
    }
    let limits = nested("limits", .limits)
    let timeouts = nested("timeouts", .listenerTimeouts)
    if transport != .udp { refuse(["udp"], in: fields, "udp") }
    if transport != .http {
      refuse(["http", "http2", "affinity"], in: fields, "http")
      if let limits { refuse(["request-rate", "head", "uri", "headers", "body"], in: limits, "http") }
    }
    switch transport {
    case .http: break
    case .tcp: if let timeouts { refuse(["idle", "keep-alive"], in: timeouts, "http") }
    case .udp:
      refuse(["accept-proxy-from", "timeouts", "tls"], in: fields, "tcp and http")
      if let limits { refuse(["connections"], in: limits, "tcp and http") }
    }
  }
}

extension Kind<UInt16> {
  /// Permission bits as text, since YAML's own idea of a leading zero differs between versions.
  static var mode: Kind {
    Kind("permission bits in octal and quotes such as \"0660\"") { scalar in
      guard scalar.isQuoted else { return .wrong(hint: "in quotes") }
      guard (3...4).contains(scalar.text.utf8.count), let bits = UInt16(scalar.text, radix: 8), bits <= 0o777 else {
        return .wrong()
      }
      return .value(bits)
    }
  }

  static var port: Kind {
    let inner = Kind<Int>.integer(1...65_535)
    return Kind(inner.expected) { scalar in
      switch inner.parse(scalar) {
      case .value(let value): .value(UInt16(value))
      case .wrong(let hint): .wrong(hint: hint)
      }
    }
  }
}
