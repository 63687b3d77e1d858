import HTTP
import Kernel
import Model
import Reactor
import Routing

/// Heads as they are passed on. Kept lines are copied in runs, as they came.
extension Worker {
  /// Writes the request in `incoming` for the backend into `outgoing`: origin form, one Host, no hop-by-hop
  /// fields (RFC 9110 §7.6.1), the client's address, and the route's edits.
  mutating func writeRequestHead(
    _ exchange: UInt32, _ client: UInt32, _ listener: CompiledListener, _ route: CompiledRoute
  ) {
    outgoing.clear()
    outgoing.append(incoming, head.methodRange)
    outgoing.append(byte: UInt8(ascii: " "))
    writeTarget(route)
    outgoing.append(" HTTP/1.1\r\n")
    let replacesHost = head.targetForm == .absolute || !head.fields.contains(.host)
    if replacesHost, !head.hostRange.isEmpty {
      // RFC 9112 §3.2.2: the target's authority, whatever Host said.
      outgoing.append("Host: ")
      outgoing.append(incoming, head.hostRange)
      outgoing.append("\r\n")
    }
    let isSampled = exchanges[exchange].flags.contains(.sampled)
    if isSampled {
      copyLines(listener, route.requestEdits.removed + replacedTraceLines(exchange), replacesHost: replacesHost)
    } else {
      copyLines(listener, route.requestEdits.removed, replacesHost: replacesHost)
    }
    if exchanges[exchange].flags.contains(.upgrade), let line = head.fields.first(.upgrade) {
      outgoing.append("Connection: upgrade\r\nUpgrade: ")
      outgoing.append(incoming, head.fields[line].valueRange)
      outgoing.append("\r\n")
    }
    writeForwarding(client, listener)
    outgoing.append(listener.viaLine)
    writeRequestID(listener)
    if isSampled { writeTraceParent(exchange, listener) }
    outgoing.append(route.requestEdits.added)
    if !route.requestEdits.computed.isEmpty { writeComputed(route.requestEdits, client) }
    outgoing.append("\r\n")
  }

  private mutating func writeTarget(_ route: CompiledRoute) {
    switch head.targetForm {
    case .authority, .asterisk: return outgoing.append(incoming, head.targetRange)
    case .absolute where head.method == .options && head.pathRange.isEmpty && !head.hasQuery && route.rewrite == nil:
      // RFC 9112 §3.2.4: asked of the server itself.
      return outgoing.append(byte: UInt8(ascii: "*"))
    case .origin, .absolute: break
    }
    switch route.rewrite {
    case .path(let path): outgoing.append(string: path)
    case .prefix(let prefix): writeReplacedPrefix(prefix, route.prefixLength)
    case nil:
      if pathIsRewritten { outgoing.append(normalPath) } else { outgoing.append(incoming, head.pathRange) }
    }
    if head.hasQuery {
      outgoing.append(byte: UInt8(ascii: "?"))
      outgoing.append(incoming, head.queryRange)
    }
  }

  /// The path with its matched prefix exchanged, and exactly one "/" between the two parts.
  private mutating func writeReplacedPrefix(_ prefix: String, _ length: Int) {
    let start = outgoing.count
    outgoing.append(string: prefix)
    let count = pathIsRewritten ? normalPath.count : head.pathRange.count
    var skip = min(length, count)
    let endsWithSlash = outgoing.count > start && outgoing[outgoing.count - 1] == UInt8(ascii: "/")
    let continuesWithSlash =
      skip < count
      && (pathIsRewritten ? normalPath[skip] : incoming[head.pathRange.lowerBound + skip]) == UInt8(ascii: "/")
    if continuesWithSlash, endsWithSlash { skip += 1 }
    if skip < count, !endsWithSlash, !continuesWithSlash { outgoing.append(byte: UInt8(ascii: "/")) }
    if pathIsRewritten {
      outgoing.append(Array(normalPath[skip...]))
    } else {
      outgoing.append(incoming, head.pathRange.lowerBound + skip..<head.pathRange.upperBound)
    }
    if outgoing.count == start { outgoing.append(byte: UInt8(ascii: "/")) }
  }

  /// Copies the request's lines that go on: not hop-by-hop, not removed, not written anew.
  private mutating func copyLines(_ listener: CompiledListener, _ removed: [[UInt8]], replacesHost: Bool) {
    var run = 0..<0
    for index in 0..<head.fields.count {
      let field = head.fields[index]
      var kept = !field.isHopByHop && !listener.replaces(field.name)
      if replacesHost, case .host = field.name { kept = false }
      if kept, !removed.isEmpty { kept = !isRemoved(field.nameRange, removed) }
      let line = head.fields.line(index)
      if kept, run.upperBound == line.lowerBound {
        run = run.lowerBound..<line.upperBound
      } else {
        if !run.isEmpty { outgoing.append(incoming, run) }
        run = kept ? line : line.upperBound..<line.upperBound
      }
    }
    if !run.isEmpty { outgoing.append(incoming, run) }
  }

  private mutating func isRemoved(_ name: Range<Int>, _ removed: [[UInt8]]) -> Bool {
    for candidate in removed where incoming.matches(name, lowercase: candidate) { return true }
    return false
  }

  /// X-Forwarded-* and Forwarded (RFC 7239).
  private mutating func writeForwarding(_ client: UInt32, _ listener: CompiledListener) {
    let source = streams[client].source.address
    let isSecure = isSecure(client)
    if listener.setsXForwarded {
      outgoing.append("X-Forwarded-For: ")
      if listener.appendsXForwarded { appendValues(of: .xForwardedFor) }
      outgoing.append(address: source)
      outgoing.append("\r\n")
      if !listener.appendsXForwarded || !head.fields.contains(.xForwardedProto) {
        outgoing.append(isSecure ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n")
      }
      if !listener.appendsXForwarded || !head.fields.contains(.xForwardedHost), !head.hostRange.isEmpty {
        outgoing.append("X-Forwarded-Host: ")
        outgoing.append(incoming, head.hostRange)
        outgoing.append("\r\n")
      }
    }
    if listener.setsForwarded {
      outgoing.append("Forwarded: ")
      if listener.appendsForwarded { appendValues(of: .forwarded) }
      // RFC 7239 §6: an IPv6 address is bracketed and quoted.
      if source.family == .v6 { outgoing.append("for=\"[") } else { outgoing.append("for=") }
      outgoing.append(address: source)
      if source.family == .v6 { outgoing.append("]\"") }
      outgoing.append(isSecure ? ";proto=https" : ";proto=http")
      if !head.hostRange.isEmpty {
        outgoing.append(";host=\"")
        outgoing.append(incoming, head.hostRange)
        outgoing.append("\"")
      }
      outgoing.append("\r\n")
    }
  }

  /// Fields that say what TLS tells of the client.
  private mutating func writeComputed(_ edits: CompiledEdits, _ client: UInt32) {
    guard let facts = facts[connection(of: client)] else { return }
    for field in edits.computed {
      guard let value = facts[field.fact], !value.isEmpty else { continue }
      outgoing.append(field.name)
      outgoing.append(string: value)
      outgoing.append("\r\n")
    }
  }

  private mutating func appendValues(of name: FieldName) {
    for index in 0..<head.fields.count where head.fields[index].name == name && !head.fields[index].valueRange.isEmpty {
      outgoing.append(incoming, head.fields[index].valueRange)
      outgoing.append(", ")
    }
  }

  /// A request id: 128 random bits in hexadecimal, unless the client's is trusted.
  private mutating func writeRequestID(_ listener: CompiledListener) {
    guard !listener.requestIDName.isEmpty else { return }
    if listener.trustsRequestID, let id = requestID(listener), !id.isEmpty { return }
    outgoing.append(listener.requestIDName)
    outgoing.append(": ")
    outgoing.append(sixteenDigits: random.next())
    outgoing.append(sixteenDigits: random.next())
    outgoing.append("\r\n")
  }

  mutating func requestID(_ listener: CompiledListener) -> Range<Int>? {
    for index in 0..<head.fields.count
    where incoming.matches(head.fields[index].nameRange, lowercase: listener.requestIDName) {
      return head.fields[index].valueRange
    }
    return nil
  }

  /// The value of a cookie in the request (RFC 6265 §5.4).
  mutating func cookie(_ name: [UInt8]) -> Range<Int>? {
    for index in 0..<head.fields.count where head.fields[index].name == .cookie {
      if let value = incoming.cookie(name, in: head.fields[index].valueRange) { return value }
    }
    return nil
  }

  // MARK: Responses

  /// Writes the response head in `incoming` for the client into `outgoing`.
  mutating func writeResponseHead(_ exchange: UInt32, _ route: CompiledRoute?, viaLine: [UInt8]) {
    outgoing.clear()
    let flags = exchanges[exchange].flags
    outgoing.append("HTTP/1.1 ")
    outgoing.append(incoming, responseHead.statusRange)
    outgoing.append(byte: UInt8(ascii: " "))
    outgoing.append(incoming, responseHead.reasonRange)
    outgoing.append("\r\n")
    let removed = route?.responseEdits.removed ?? []
    var run = 0..<0
    for index in 0..<responseHead.fields.count {
      let field = responseHead.fields[index]
      var kept = !field.isHopByHop
      if flags.contains(.dechunk), case .transferEncoding = field.name { kept = false }
      if kept, !removed.isEmpty { kept = !isRemoved(field.nameRange, removed) }
      let line = responseHead.fields.line(index)
      if kept, run.upperBound == line.lowerBound {
        run = run.lowerBound..<line.upperBound
      } else {
        if !run.isEmpty { outgoing.append(incoming, run) }
        run = kept ? line : line.upperBound..<line.upperBound
      }
    }
    if !run.isEmpty { outgoing.append(incoming, run) }
    outgoing.append(viaLine)
    if let route {
      outgoing.append(route.responseEdits.added)
      if !route.responseEdits.computed.isEmpty { writeComputed(route.responseEdits, exchanges[exchange].client) }
    }
    writeConnection(exchange)
    if flags.contains(.setCookie), let pool = current.pools[Int(exchanges[exchange].pool)],
      case .cookie(let cookie) = pool.persistence, let backend = pool.index(of: exchanges[exchange].slot),
      backend < cookie.lines.count
    {
      outgoing.append(cookie.lines[backend])
    }
    if exchanges[exchange].site.bindsHere, responseHead.status >= 200,
      let affinity = listener(of: exchange)?.affinity
    {
      outgoing.append(affinity.line)
    }
    outgoing.append("\r\n")
  }

  private mutating func writeConnection(_ exchange: UInt32) {
    let flags = exchanges[exchange].flags
    if responseHead.status == 101, let line = responseHead.fields.first(.upgrade) {
      outgoing.append("Connection: upgrade\r\nUpgrade: ")
      outgoing.append(incoming, responseHead.fields[line].valueRange)
      outgoing.append("\r\n")
    } else if responseHead.isInterim || responseHead.upgrade {
      return
    } else if !flags.contains(.clientKeepAlive) {
      outgoing.append("Connection: close\r\n")
    } else if flags.contains(.http10) {
      outgoing.append("Connection: keep-alive\r\n")
    }
  }
}

extension ByteRegion {
  mutating func append(address: IPAddress) {
    guard case .v4 = address.family else { return append(string: address.description) }
    append(decimal: address.low >> 24 & 255)
    append(byte: UInt8(ascii: "."))
    append(decimal: address.low >> 16 & 255)
    append(byte: UInt8(ascii: "."))
    append(decimal: address.low >> 8 & 255)
    append(byte: UInt8(ascii: "."))
    append(decimal: address.low & 255)
  }

  mutating func append(endpoint: Endpoint) {
    if endpoint.address.family == .v6 { append(byte: UInt8(ascii: "[")) }
    append(address: endpoint.address)
    if endpoint.address.family == .v6 { append(byte: UInt8(ascii: "]")) }
    append(byte: UInt8(ascii: ":"))
    append(decimal: UInt64(endpoint.port))
  }
}

extension ByteRegion {
  func cookie(_ name: [UInt8], in range: Range<Int>) -> Range<Int>? { bytes.cookie(name.span, in: range) }

  func matches(_ range: Range<Int>, lowercase name: [UInt8]) -> Bool { bytes.matches(range, lowercase: name.span) }
}

extension Span where Element == UInt8 {
  /// The range of a cookie's value within a Cookie field's value.
  func cookie(_ name: Span<UInt8>, in range: Range<Int>) -> Range<Int>? {
    var position = range.lowerBound
    while position < range.upperBound {
      while position < range.upperBound, self[position] == 0x20 || self[position] == UInt8(ascii: ";") { position += 1 }
      let start = position
      while position < range.upperBound, self[position] != UInt8(ascii: "="), self[position] != UInt8(ascii: ";") {
        position += 1
      }
      let key = start..<position
      var value = position..<position
      if position < range.upperBound, self[position] == UInt8(ascii: "=") {
        position += 1
        let first = position
        while position < range.upperBound, self[position] != UInt8(ascii: ";") { position += 1 }
        var last = position
        while last > first, self[last - 1] == 0x20 { last -= 1 }
        value = first..<last
      }
      if isEqual(key, name) { return value }
    }
    return nil
  }

  /// Case-sensitive: cookie names are.
  func isEqual(_ range: Range<Int>, _ other: Span<UInt8>) -> Bool {
    guard range.count == other.count else { return false }
    for offset in other.indices where self[range.lowerBound + offset] != other[offset] { return false }
    return true
  }
}
