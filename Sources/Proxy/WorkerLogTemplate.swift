import Kernel
import Model
import Reactor
import Telemetry

/// What a line says, for a template; negative or nil: nothing.
struct LogLine {
  var listener: CompiledListener?
  var client: Endpoint
  var route: CompiledRoute?
  var pool: CompiledPool?
  var backend: Int?
  var tls: StaticString?
  var site: (name: String, deed: StaticString)?
  var status: Int64 = -1
  var grpcStatus: Int64 = -1
  var tries: Int64 = -1
  var bytesIn: Int64 = -1
  var bytes: Int64 = -1
  var queue: Int64 = -1
  var connect: Int64 = -1
  var firstByte: Int64 = -1
  var duration: Int64 = -1
  var id: String?
  var reason: StaticString
  var detail: StaticString?

  init(listener: CompiledListener?, client: Endpoint, reason: StaticString) {
    self.listener = listener
    self.client = client
    self.reason = reason
  }
}

/// The access log in the operator's form. What has no value is a dash; text is escaped as in JSON, so that a line stays
/// one whatever a client sends.
extension Worker {
  mutating func writeByTemplate(
    _ exchange: UInt32, _ listener: CompiledListener?, _ route: CompiledRoute?, _ pool: CompiledPool?, _ backend: Int?
  ) {
    let state = exchanges[exchange]
    var line = LogLine(listener: listener, client: streams[state.client].source, reason: state.ending.text)
    (line.route, line.pool, line.backend) = (route, pool, backend)
    line.tls = tlsVersion(state.client)
    line.site = siteForLog(exchange)
    line.status = Int64(state.status)
    if state.flags.contains(.grpc), state.grpcStatus != Exchange.noStatus { line.grpcStatus = Int64(state.grpcStatus) }
    line.tries = Int64(state.tries)
    (line.bytesIn, line.bytes) = (state.bytesIn, state.bytesOut)
    if state.queuedUntil != 0 { line.queue = state.waited * 1000 }
    if state.connectedAt > 0 { line.connect = max(0, state.connectedAt - state.triedAt) / 1000 }
    if state.firstByte > 0 { line.firstByte = max(0, state.firstByte - state.started) / 1000 }
    line.duration = max(0, now.nanoseconds - state.started) / 1000
    if state.flags.contains(.sampled) { line.id = samples[exchange]?.request.id }
    write(line, request: state.log)
  }

  /// - Parameter request: `"method":"…","host":"…","path":"…","protocol":"…"`, or nothing.
  mutating func write(_ line: LogLine, request: Chain) {
    guard let template = current.logTemplate else { return }
    text.clear()
    if !request.isEmpty { buffers.copy(request, to: &text) }
    log.beginLine()
    for part in template.parts {
      switch part {
      case .text(let bytes): log.block.append(bytes)
      case .field(let field): write(field, line)
      }
    }
    log.block.append("\n")
    log.endLine()
  }

  private mutating func write(_ field: LogField, _ line: LogLine) {
    switch field {
    case .time: log.clock.write(now: now, to: &log.block)
    case .listener: if let listener = line.listener { log.block.append(listener.loggedName) } else { dash() }
    case .client: log.block.append(endpoint: line.client)
    case .method: appendRequest(0)
    case .host: appendRequest(1)
    case .path: appendRequest(2)
    case .protocol: appendRequest(3)
    case .tls: if let version = line.tls { log.block.append(version) } else { dash() }
    case .status: append(line.status)
    case .route: if let name = line.route?.name { log.block.append(json: name) } else { dash() }
    case .pool: if let pool = line.pool { log.block.append(pool.loggedName) } else { dash() }
    case .backend:
      if let pool = line.pool, let backend = line.backend {
        log.block.append(json: pool.model.backends[backend].name)
      } else {
        dash()
      }
    case .grpcStatus: append(line.grpcStatus)
    case .site: if let site = line.site { log.block.append(json: site.name) } else { dash() }
    case .siteDeed: if let site = line.site { log.block.append(site.deed) } else { dash() }
    case .tries: append(line.tries)
    case .bytesIn: append(line.bytesIn)
    case .bytes: append(line.bytes)
    case .queue: append(line.queue)
    case .connect: append(line.connect)
    case .firstByte: append(line.firstByte)
    case .duration: append(line.duration)
    case .id: if let id = line.id { log.block.append(json: id) } else { dash() }
    case .reason: log.block.append(line.reason)
    case .detail: if let detail = line.detail { log.block.append(detail) } else { dash() }
    }
  }

  private mutating func dash() { log.block.append("-") }

  private mutating func append(_ number: Int64) {
    if number >= 0 { log.block.append(decimal: UInt64(number)) } else { dash() }
  }

  /// One of the strings of `text` that are values.
  private mutating func appendRequest(_ wanted: Int) {
    guard let range = text.string(wanted * 2 + 1), !range.isEmpty else { return dash() }
    log.block.append(text, range)
  }
}

extension ByteRegion {
  /// The inside of the string of that number, of those in quotes.
  fileprivate func string(_ wanted: Int) -> Range<Int>? {
    let bytes = bytes(0..<count)
    var (start, strings) = (0, 0)
    while start < bytes.count {
      guard bytes[start] == UInt8(ascii: "\"") else {
        start += 1
        continue
      }
      var end = start + 1
      while end < bytes.count, bytes[end] != UInt8(ascii: "\"") { end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1 }
      if strings == wanted { return end <= bytes.count ? start + 1..<end : nil }
      strings += 1
      start = end + 1
    }
    return nil
  }
}
