import Model

extension Reader {
  func probe(_ node: Node) -> Probe? {
    guard case .map = node.content else {
      let short: [(String, Probe.Kind)] = [
        ("tcp", .tcp(send: [], expect: nil)), ("http", .http(HTTPProbe())), ("grpc", .grpc(GRPCProbe())),
        ("udp", .udp(send: [], expect: nil)),
      ]
      let kind = Kind<Probe.Kind>.choice(short)
      return scalar(node, Kind(kind.expected + ", or a mapping with `exec`", parse: kind.parse), label: "probe").map(
        Probe.init)
    }
    guard let fields = Fields(node, .probe, self, label: "probe") else { return nil }
    let kind = fields.exactlyOne(of: ["tcp", "http", "grpc", "udp", "exec"], label: "probe").flatMap { name in
      fields[name].flatMap { self.kind(name, $0) }
    }
    // Without a kind the rest is still read, for its errors.
    var result = Probe(kind: kind ?? .tcp(send: [], expect: nil))
    fields.read("every", .duration(atLeast: .milliseconds(10)), into: &result.every)
    fields.read("timeout", .duration(), into: &result.timeout)
    fields.read("rise", .integer(1...1_000), into: &result.rise)
    fields.read("fall", .integer(1...1_000), into: &result.fall)
    fields.read("jitter", .share(0...0.5), into: &result.jitter)
    fields.read("fast", .duration(atLeast: .milliseconds(10)), into: &result.fast)
    fields.read("initial", .word, into: &result.initial)
    if fields.value("tls", .choice([("pool", true), ("off", false)])) == false { result.isClear = true }
    if let fast = result.fast, fast > result.every {
      fields.error(
        at: "fast", "`fast`: longer than `every` (\(Units.text(result.every))), the interval that it shortens")
    }
    return kind == nil ? nil : result
  }

  private func kind(_ name: String, _ node: Node) -> Probe.Kind? {
    switch name {
    case "exec": return exec(node)
    case "grpc":
      return Fields(node, .grpcProbe, self, label: name).map { fields in
        var probe = GRPCProbe()
        fields.read("service", .nonEmpty, into: &probe.service)
        fields.read("authority", .authority, into: &probe.authority)
        return .grpc(probe)
      }
    case "http": return Fields(node, .httpProbe, self, label: name).map { .http(httpProbe($0)) }
    default:
      guard let fields = Fields(node, .exchange, self, label: name) else { return nil }
      let send = fields.value("send", .payload) ?? []
      let expect = fields.value("expect", .regex)
      return name == "tcp" ? .tcp(send: send, expect: expect) : .udp(send: send, expect: expect)
    }
  }

  /// A program and its arguments.
  func exec(_ node: Node, label: String = "exec") -> Probe.Kind? {
    guard case .list(let items) = node.content, let first = items.first else {
      error(
        node.place,
        "`\(label)`: expected a list of the program's path and its arguments, found \(node.scalar == nil ? "none" : node.found)"
      )
      return nil
    }
    let argument = Kind<String>("text without NUL") {
      $0.isNothing || $0.text.utf8.contains(0) ? .wrong() : .value($0.text)
    }
    let program = scalar(first, .absolutePath, label: label)
    let arguments = items.dropFirst().compactMap { scalar($0, argument, label: label) }
    return program.map { .exec(command: [$0] + arguments) }
  }

  private func httpProbe(_ fields: Fields) -> HTTPProbe {
    var result = HTTPProbe()
    fields.read("method", .method, into: &result.method)
    fields.read("path", .target, into: &result.path)
    fields.read("host", .authority, into: &result.host)
    for entry in fields.names("headers") {
      let name = entry.key.lowercased()
      let value = scalar(entry.value, .headerValue, label: entry.key.shortened)
      if !HTTPRules.isToken(name) {
        error(entry.keyPlace, "`headers`: expected a header name such as x-probe, found `\(entry.key.shortened)`")
      } else if HTTPRules.framing.contains(name) || name == "host" {
        let instead =
          name == "host" ? "expected `host` beside `headers`" : "it frames the message and is written by the probe"
        error(entry.keyPlace, "header `\(entry.key)`: \(instead)")
      } else if let value {
        result.headers.append(HTTPField(name: entry.key, value: value))
      }
    }
    if let expect = fields.list("expect", .statuses) {
      result.expect = expect
      if expect.isEmpty, case .list(let items) = fields["expect"]?.content, items.isEmpty {
        fields.error(at: "expect", "`expect`: expected at least one status, found an empty list")
      }
    }
    fields.read("body", .regex, into: &result.body)
    if result.body != nil, result.method == "HEAD" {
      fields.error(at: "body", "`body`: a response to HEAD has none")
    }
    return result
  }

  func agent(_ fields: Fields) -> AgentCheck? {
    guard fields.has("port") else {
      if fields.lacks("port") { error(fields.place, "`agent`: expected `port`") }
      return nil
    }
    var result = AgentCheck(port: fields.value("port", .port) ?? 0)
    fields.read("send", .payload, into: &result.send)
    fields.read("every", .duration(atLeast: .milliseconds(10)), into: &result.every)
    fields.read("timeout", .duration(), into: &result.timeout)
    return result.port == 0 ? nil : result
  }
}

extension Kind<ClosedRange<Int>> {
  static var statuses: Kind {
    Kind("a status such as 200 or a range such as 200-299") { text in
      let parts = text.split(separator: "-", omittingEmptySubsequences: false).map {
        Units.number($0).map(Int.init) ?? 0
      }
      guard (1...2).contains(parts.count), let lower = parts.first, let upper = parts.last, lower <= upper,
        lower >= 100, upper <= 599
      else { return nil }
      return lower...upper
    }
  }
}

extension Kind<String> {
  /// A path with an optional query, as in a request line.
  static var target: Kind {
    Kind("a path that begins with /, without spaces") {
      $0.hasPrefix("/") && HTTPRules.isVisible($0) && !$0.contains("#") ? $0 : nil
    }
  }
}
