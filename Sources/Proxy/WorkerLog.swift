import HTTP
import Kernel
import Model
import Reactor

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
    text.clear()
    beginLine(listener, index)
    text.append("\"status\":")
    text.append(decimal: UInt64(status))
    text.append(",\"reason\":\"")
    text.append(why.text)
    text.append("\",\"detail\":\"")
    text.append(reason)
    text.append("\"}\n")
    if !text.overflowed { log.append(text) }
  }

  private mutating func beginLine(_ listener: CompiledListener?, _ client: UInt32) {
    text.append("{\"time\":\"")
    text.append(timestamp: Clock.wall())
    text.append("\",\"listener\":\"")
    text.append(json: listener?.model.name ?? "-")
    text.append("\",\"client\":\"")
    text.append(endpoint: streams[client].source)
    text.append("\",")
  }

  mutating func writeLog(_ exchange: UInt32) {
    guard log.isEnabled else { return }
    let state = exchanges[exchange]
    let listener = snapshot(of: state.epoch).listeners[Int(state.listener)]
    let pool =
      state.pool != Exchange.none && Int(state.pool) < current.pools.count ? current.pools[Int(state.pool)] : nil
    text.clear()
    beginLine(listener, state.client)
    if !state.log.isEmpty {
      buffers.copy(state.log, to: &text)
      text.append(",")
    }
    text.append("\"status\":")
    text.append(decimal: UInt64(state.status))
    if let name = listener?.actions[Int(state.route)].name {
      text.append(",\"route\":\"")
      text.append(json: name)
      text.append("\"")
    }
    if let pool {
      text.append(",\"pool\":\"")
      text.append(json: pool.model.name)
      text.append("\"")
      if state.tries > 0, let index = pool.index(of: state.slot) {
        text.append(",\"backend\":\"")
        text.append(json: pool.model.backends[index].name)
        text.append("\"")
      }
    }
    text.append(",\"tries\":")
    text.append(decimal: UInt64(state.tries))
    text.append(",\"bytes_in\":")
    text.append(decimal: UInt64(state.bytesIn))
    text.append(",\"bytes\":")
    text.append(decimal: UInt64(state.bytesOut))
    let end = Clock.now().nanoseconds
    text.append(",\"duration_us\":")
    text.append(decimal: UInt64(max(0, end - state.started) / 1000))
    if state.firstByte > 0 {
      text.append(",\"first_byte_us\":")
      text.append(decimal: UInt64(max(0, state.firstByte - state.started) / 1000))
    }
    text.append(",\"reason\":\"")
    text.append(state.ending.text)
    text.append("\"}\n")
    if !text.overflowed { log.append(text) }
  }
}

extension ByteRegion {
  /// The bytes as the inside of a JSON string; what is not printable ASCII is escaped as its Latin-1 code point.
  mutating func append(json region: borrowing ByteRegion, _ range: Range<Int>) { append(json: region.bytes(range)) }

  mutating func append(json text: String) { append(json: Array(text.utf8).span) }

  mutating func append(json bytes: Span<UInt8>) {
    for index in bytes.indices {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        append(byte: UInt8(ascii: "\\"))
        append(byte: byte)
      case 0x20...0x7e: append(byte: byte)
      default:
        append("\\u00")
        append(hexadecimal: UInt64(byte), digits: 2)
      }
    }
  }

  /// RFC 3339 in UTC with milliseconds; `microseconds` since 1970.
  mutating func append(timestamp microseconds: Int64) {
    let seconds = microseconds / 1_000_000
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
    append(".")
    let milliseconds = microseconds / 1000 % 1000
    append(decimal: UInt64(milliseconds / 100))
    append(decimal: UInt64(milliseconds / 10 % 10))
    append(decimal: UInt64(milliseconds % 10))
    append("Z")
  }

  private mutating func append(twoDigits value: Int64, after separator: StaticString) {
    append(separator)
    append(byte: UInt8(ascii: "0") + UInt8(value / 10))
    append(byte: UInt8(ascii: "0") + UInt8(value % 10))
  }
}
