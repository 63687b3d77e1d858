import Kernel
import Model
import Reactor

/// Lines as RFC 5424 messages, one datagram each (RFC 5426 §3.1). The log thread's own.
struct SyslogWriter {
  private let target: SyslogTarget
  private let host: String
  private let process: Int32
  private var descriptor: Int32 = -1
  /// Why lines were lost last.
  private(set) var trouble: String?

  /// RFC 5426 §3.2: what every receiver takes, and most by far.
  private static let limit = 8192

  init(_ target: SyslogTarget) {
    self.target = target
    host = System.hostName
    process = System.process
  }

  /// - Returns: how many lines could not be sent.
  mutating func write(_ block: [UInt8]) -> Int {
    var lost = 0
    let prefix = prefix(at: Clock.wall())
    for line in block.split(separator: 10) {
      let message = prefix + line.prefix(SyslogWriter.limit)
      // A receiver that was restarted has another socket.
      if !send(message), !send(message) { lost += 1 }
    }
    return lost
  }

  /// RFC 5424 §6.2, without structured data.
  private func prefix(at microseconds: Int64) -> [UInt8] {
    var text = ByteRegion(capacity: 128)
    text.append("<")
    // Severity 6: informational.
    text.append(decimal: UInt64(target.facility.code * 8 + 6))
    text.append(">1 ")
    text.append(dateTime: microseconds / 1_000_000)
    text.append(".")
    for divisor in [100_000, 10_000, 1_000] as [Int64] {
      text.append(byte: UInt8(ascii: "0") + UInt8(microseconds / divisor % 10))
    }
    text.append("Z ")
    text.append(string: host)
    text.append(" sluice ")
    text.append(decimal: UInt64(process))
    text.append(" access - ")
    return text.array()
  }

  private mutating func send(_ message: [UInt8]) -> Bool {
    do throws(Errno) {
      if descriptor < 0 { descriptor = try Socket.connectBlocking(target.address) }
      try Socket.sendDatagram(descriptor, message)
      return true
    } catch {
      trouble = "\(target.address): \(error)"
      close()
      return false
    }
  }

  mutating func close() {
    if descriptor >= 0 { Socket.close(descriptor) }
    descriptor = -1
  }
}
