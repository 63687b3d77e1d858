import HTTP
import Kernel
import Model
import Reactor
import TLS
import Telemetry

/// The access log: one JSON object a line.
extension Worker {
  /// What only the head tells is written down while it is there.
  mutating func describeForLog(_ exchange: UInt32, _ index: UInt32) {
    text.clear()
    text.append("\"method\":\"")
    text.append(incoming, head.methodRange)
    text.append("\",\"host\":\"")
    text.append(json: incoming, head.hostRange)
    text.append("\",\"path\":\"")
    // The line must stay a line: a target that would not fit is cut.
    let target = head.pathAndQueryRange
    text.append(json: incoming, target.lowerBound..<min(target.upperBound, target.lowerBound + Worker.loggedPath))
    text.append("\",\"protocol\":\"")
    text.append(isBranch(index) ? "HTTP/2" : head.minorVersion == 0 ? "HTTP/1.0" : "HTTP/1.1")
    text.append("\"")
    if !text.overflowed { _ = buffers.append(text, 0..<text.count, to: &exchanges[exchange].log) }
  }

  /// Six bytes of escape for each of these fit into the region.
  private static let loggedPath = 512

  /// A request that was refused before it became an exchange.
  mutating func logRefusal(
    _ index: UInt32, _ listener: CompiledListener, status: UInt16, _ why: Ending, reason: StaticString
  ) {
    guard log.isEnabled else { return }
    if log.hasTemplate {
      var line = LogLine(listener: listener, client: streams[index].source, reason: why.text)
      line.status = Int64(status)
      line.detail = reason
      return write(line, request: Chain())
    }
    beginLine(listener, streams[index].source)
    log.block.append(",\"status\":")
    log.block.append(decimal: UInt64(status))
    log.block.append(",\"reason\":\"")
    log.block.append(why.text)
    log.block.append("\",\"detail\":\"")
    log.block.append(reason)
    log.block.append("\"}\n")
    log.endLine()
  }

  /// Time, listener and client, with which all lines begin.
  mutating func beginLine(_ listener: CompiledListener?, _ client: Endpoint) {
    beginLine()
    Worker.write(listener, to: &log.block)
    write(client)
  }

  private mutating func beginLine() {
    log.beginLine()
    log.block.append("{\"time\":\"")
    log.clock.write(now: now, to: &log.block)
  }

  private mutating func write(_ client: Endpoint) {
    log.block.append(endpoint: client)
    log.block.append("\"")
  }

  /// From the time's end to the client's beginning.
  private static func write(_ listener: CompiledListener?, to region: inout ByteRegion) {
    region.append("\",\"listener\":\"")
    if let listener { region.append(listener.loggedName) } else { region.append("-") }
    region.append("\",\"client\":\"")
  }

  /// Which route, pool and backend served.
  static func write(_ route: CompiledRoute?, _ pool: CompiledPool?, backend: Int?, to region: inout ByteRegion) {
    if let name = route?.name {
      region.append(",\"route\":\"")
      region.append(json: name)
      region.append("\"")
    }
    guard let pool else { return }
    region.append(",\"pool\":\"")
    region.append(pool.loggedName)
    region.append("\"")
    guard let backend else { return }
    region.append(",\"backend\":\"")
    region.append(json: pool.model.backends[backend].name)
    region.append("\"")
  }

  /// Of the connection behind a client; nil in clear. Mutating for the reason of `parts`.
  mutating func tlsVersion(_ client: UInt32) -> StaticString? {
    let channel = streams[connection(of: client)].channel
    return channel == Stream.none ? nil : channels.versionName(channel)
  }

  /// Who served an exchange, as far as it got.
  private mutating func served(
    _ exchange: UInt32
  ) -> (listener: CompiledListener?, route: CompiledRoute?, pool: CompiledPool?, backend: Int?) {
    let row = Int(exchanges[exchange].pool)
    let listener = listener(of: exchange)
    let pool = exchanges[exchange].pool != Exchange.none && row < current.pools.count ? current.pools[row] : nil
    var backend: Int?
    if let pool, exchanges[exchange].tries > 0 {
      backend = pool.index(of: exchanges[exchange].slot, near: Int(exchanges[exchange].index))
    }
    return (listener, listener?.actions[Int(exchanges[exchange].route)], pool, backend)
  }

  private mutating func place(_ exchange: UInt32) -> LogPlaces.Place {
    let key = LogPlaces.Key(
      epoch: exchanges[exchange].epoch, listener: exchanges[exchange].listener, route: exchanges[exchange].route,
      pool: exchanges[exchange].pool, slot: exchanges[exchange].tries > 0 ? exchanges[exchange].slot.index : .max)
    return log.places.find(key) ?? notePlace(exchange, key)
  }

  @inline(never)
  private mutating func notePlace(_ exchange: UInt32, _ key: LogPlaces.Key) -> LogPlaces.Place {
    let (listener, route, pool, backend) = served(exchange)
    return log.places.note(
      key, listener: { Worker.write(listener, to: &$0) },
      server: { Worker.write(route, pool, backend: backend, to: &$0) })
  }

  mutating func writeLog(_ exchange: UInt32) {
    guard log.isEnabled, !isCopy(exchange) else { return }
    if log.hasTemplate {
      let (listener, route, pool, backend) = served(exchange)
      return writeByTemplate(exchange, listener, route, pool, backend)
    }
    let place = place(exchange)
    beginLine()
    log.block.append(log.places.text, place.listener)
    write(streams[exchanges[exchange].client].source)
    if !exchanges[exchange].log.isEmpty {
      log.block.append(byte: UInt8(ascii: ","))
      buffers.copy(exchanges[exchange].log, to: &log.block)
    }
    if let version = tlsVersion(exchanges[exchange].client) {
      log.block.append(",\"tls\":\"")
      log.block.append(version)
      log.block.append("\"")
    }
    log.block.append(",\"status\":")
    log.block.append(decimal: UInt64(exchanges[exchange].status))
    log.block.append(log.places.text, place.server)
    if exchanges[exchange].flags.contains(.grpc), exchanges[exchange].grpcStatus != Exchange.noStatus {
      log.block.append(",\"grpc_status\":")
      log.block.append(decimal: UInt64(exchanges[exchange].grpcStatus))
    }
    if let (site, deed) = siteForLog(exchange) {
      log.block.append(",\"site\":\"")
      log.block.append(json: site)
      log.block.append("\",\"site_deed\":\"")
      log.block.append(deed)
      log.block.append("\"")
    }
    log.block.append(",\"tries\":")
    log.block.append(decimal: UInt64(exchanges[exchange].tries))
    log.block.append(",\"bytes_in\":")
    log.block.append(decimal: UInt64(exchanges[exchange].bytesIn))
    log.block.append(",\"bytes\":")
    log.block.append(decimal: UInt64(exchanges[exchange].bytesOut))
    let (started, firstByte) = (exchanges[exchange].started, exchanges[exchange].firstByte)
    if exchanges[exchange].queuedUntil != 0 {
      log.block.append(",\"queue_us\":")
      log.block.append(decimal: UInt64(exchanges[exchange].waited) * 1000)
    }
    if exchanges[exchange].connectedAt > 0 {
      log.block.append(",\"connect_us\":")
      log.block.append(decimal: UInt64(max(0, exchanges[exchange].connectedAt - exchanges[exchange].triedAt) / 1000))
    }
    log.block.append(",\"duration_us\":")
    log.block.append(decimal: UInt64(max(0, now.nanoseconds - started) / 1000))
    if firstByte > 0 {
      log.block.append(",\"first_byte_us\":")
      log.block.append(decimal: UInt64(max(0, firstByte - started) / 1000))
    }
    if exchanges[exchange].flags.contains(.sampled) { logID(exchange) }
    log.block.append(",\"reason\":\"")
    log.block.append(exchanges[exchange].ending.text)
    log.block.append("\"}\n")
    log.endLine()
  }

  /// By which a sampled request is found again. Apart, so that all others pay one comparison.
  @inline(never)
  private mutating func logID(_ exchange: UInt32) {
    guard let id = samples[exchange]?.request.id else { return }
    log.block.append(",\"id\":\"")
    log.block.append(json: id)
    log.block.append("\"")
  }
}

/// The time of log lines: written once a millisecond, the date once a second, and the wall clock is read as often.
struct LogClock: ~Copyable {
  /// The date as far as seconds, and milliseconds behind it.
  private var stamp = ByteRegion(capacity: 32)
  private var dateLength = 0
  private var second: Int64 = -1
  private var millisecond: Int64 = -1
  /// Wall clock less loop clock, in microseconds; good until `checkAt`, in loop nanoseconds.
  private var offset: Int64 = 0
  private var checkAt: Int64 = .min

  @inline(__always) mutating func write(now: Instant, to region: inout ByteRegion) {
    if now.nanoseconds >= checkAt {
      checkAt = now.nanoseconds + 1_000_000_000
      offset = Clock.wall() - Clock.now().nanoseconds / 1000
    }
    let time = (now.nanoseconds / 1000 + offset) / 1000
    if time != millisecond { renew(time) }
    region.append(stamp, 0..<stamp.count)
  }

  private mutating func renew(_ time: Int64) {
    millisecond = time
    if time / 1000 != second {
      second = time / 1000
      stamp.clear()
      stamp.append(dateTime: second)
      dateLength = stamp.count
    }
    stamp.truncate(to: dateLength)
    let milliseconds = UInt32(truncatingIfNeeded: time % 1000)
    stamp.append(byte: UInt8(ascii: "."))
    stamp.append(byte: UInt8(ascii: "0") + UInt8(milliseconds / 100))
    stamp.append(byte: UInt8(ascii: "0") + UInt8(milliseconds / 10 % 10))
    stamp.append(byte: UInt8(ascii: "0") + UInt8(milliseconds % 10))
    stamp.append(byte: UInt8(ascii: "Z"))
  }
}

extension ByteRegion {
  /// RFC 3339 in UTC without the zone; `seconds` since 1970.
  mutating func append(dateTime seconds: Int64) {
    // Days to a civil date in the proleptic Gregorian calendar, years beginning on 1 March.
    let days = seconds / 86_400 + 719_468
    let (era, dayOfEra) = (days / 146_097, days % 146_097)
    let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let civilMonth = month < 10 ? month + 3 : month - 9
    append(decimal: UInt64(year + era * 400 + (civilMonth <= 2 ? 1 : 0)))
    append(twoDigits: civilMonth, after: "-")
    append(twoDigits: day, after: "-")
    let time = seconds % 86_400
    append(twoDigits: time / 3600, after: "T")
    append(twoDigits: time / 60 % 60, after: ":")
    append(twoDigits: time % 60, after: ":")
  }

  private mutating func append(twoDigits value: Int64, after separator: StaticString) {
    append(separator)
    append(byte: UInt8(ascii: "0") + UInt8(value / 10))
    append(byte: UInt8(ascii: "0") + UInt8(value % 10))
  }
}
