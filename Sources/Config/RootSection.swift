import Model

extension Reader {
  func topology(_ root: Node) -> Topology {
    var result = Topology()
    guard let fields = Fields(root, .root, self, label: "the file") else { return result }
    fields.read("workers", .workers, into: &result.workers)
    fields.read("drain-timeout", .duration(atLeast: .zero), into: &result.drainTimeout)
    if let secret = secret(fields, "secret") { result.secret = secret }
    accessLog(fields, into: &result)
    fields.with("tracing", .tracing) { result.tracing = tracing($0) }
    fields.read("state", .absolutePath, into: &result.state)
    fields.with("tls", .tickets) { result.tickets = tickets($0) }
    fields.with("admin", .admin) { result.admin = admin($0) }
    fields.with("node", .node) { result.node = identity($0) }
    fields.with("peers", .peers) { result.peers = peers($0, result.node) }
    for entry in fields.names("listeners") {
      if let listener = listener(entry) { result.listeners.append(listener) }
    }
    let servesNames = fields.has("dns")
    if !servesNames, fields.lacks("listeners") || fields.isEmpty("listeners") {
      warning(fields.place, "no `listeners`: nothing is served")
    }
    let pools = fields.names("pools").map { (entry: $0, read: pool($0)) }
    result.pools = pools.compactMap(\.read?.pool)
    fields.with("dns", .dns) { dns in
      let read = NameReader(reader: self, pools: result.pools, fields: dns)
      result.names = read.service
      result.pools += read.watching
    }
    checkAffinities(&result)
    fields.read("vip-realtime", .boolean, into: &result.isVIPRealtime)
    fields.with("floating-ips", .floating) { result.floating = floating($0, result) }
    if result.floating != nil, result.state == nil {
      error(fields.keyPlace("floating-ips"), "`floating-ips` needs `state`, the file that keeps the mappings")
    }
    let vips = fields.names("vips").compactMap { vip($0) }
    result.vips = vips.map(\.vip)
    fields.with("bgp", .bgp) { result.bgp = bgp($0, result) }
    checkVIPs(vips, listeners: result.listeners.map(\.name), pools: pools.map(\.entry.key))
    for (name, place) in floatingVIPs where !vips.contains(where: { $0.vip.name == name }) {
      error(place, "`vip`: there is no vip `\(name.shortened)`")
    }
    checkFloating(result, fields)
    result.markMovingBinds()
    checkPoolNames(pools.map(\.entry))
    checkUses(pools.compactMap(\.read))
    checkSharedSecret(result, pools.compactMap(\.read), fields)
    checkBinds()
    return result
  }

  private func admin(_ fields: Fields) -> AdminEndpoints {
    var result = AdminEndpoints()
    let path = Kind<String>("an absolute path of at most 107 bytes") {
      $0.hasPrefix("/") && (2...107).contains($0.utf8.count) && !$0.utf8.contains(0) ? $0 : nil
    }
    fields.read("socket", path, into: &result.socket)
    result.token = secret(fields, "token")
    result.readToken = secret(fields, "read-token")
    if let token = result.token, token == result.readToken {
      error(fields.keyPlace("read-token"), "`read-token`: must not be the `token` itself")
    }
    fields.read("bind", .loopback, into: &result.bind)
    fields.read("metrics", .scraped, into: &result.metrics)
    if fields.has("bind"), !fields.has("token") {
      error(fields.keyPlace("bind"), "`bind`: a TCP address needs a `token` beside it")
    }
    return result
  }

  /// A secret in place, or in a file. Its value is never repeated in a message.
  func secret(_ fields: Fields, _ key: String) -> String? {
    guard let node = fields[key] else { return nil }
    var secret: String?
    if case .map = node.content {
      guard let inner = Fields(node, .secret, self, label: key) else { return nil }
      guard let path = inner.value("file", .nonEmpty) else {
        if inner.lacks("file") { error(node.place, "`\(key)`: expected `file`") }
        return nil
      }
      do {
        secret = try secretFile(absolute(path))
      } catch let reason {
        inner.error(at: "file", "`file`: \(absolute(path).shortened) cannot be read: \(reason.reason)")
        return nil
      }
    } else if let scalar = node.scalar, !scalar.isNothing {
      secret = scalar.text
    } else {
      error(node.place, "`\(key)`: expected text or { file: /path }, found \(node.found)")
    }
    guard let secret else { return nil }
    guard secret.utf8.count >= 16 else {
      error(node.place, "`\(key)`: expected at least 16 characters, found \(secret.utf8.count)")
      return nil
    }
    guard HTTPRules.isVisible(secret) else {
      error(node.place, "`\(key)`: expected visible ASCII characters without spaces")
      return nil
    }
    return secret
  }
}

extension Kind<Int?> {
  static var workers: Kind {
    Kind("auto or a whole number from 1 to 1024") { scalar in
      if scalar.text == "auto" { return .value(nil) }
      guard !scalar.isQuoted, let count = Units.number(scalar.text[...]), (1...1024).contains(count) else {
        return .wrong()
      }
      return .value(Int(count))
    }
  }
}

extension Kind<Endpoint> {
  static var scraped: Kind {
    Kind("an address and a port such as 127.0.0.1:9145 or \"[::]:9145\"") { scalar in
      guard let endpoint = Endpoint(scalar.text) else { return .wrong() }
      return endpoint.port == 0 ? .wrong(hint: "the port must be 1 to 65535") : .value(endpoint)
    }
  }

  static var loopback: Kind {
    Kind("a loopback address and a port such as 127.0.0.1:9901 or \"[::1]:9901\"") { scalar in
      guard let endpoint = Endpoint(scalar.text) else { return .wrong() }
      guard endpoint.address.isLoopback else { return .wrong(hint: "the admin API is not offered to other machines") }
      return endpoint.port == 0 ? .wrong(hint: "the port must be 1 to 65535") : .value(endpoint)
    }
  }
}
