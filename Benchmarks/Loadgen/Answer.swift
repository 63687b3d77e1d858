/// Finds the end of an HTTP response with a Content-Length, however it is cut into reads.
struct Answer: BitwiseCopyable {
  private enum Part: UInt8, BitwiseCopyable { case status, lineStart, name, skip, length, body }

  enum Outcome { case unfinished, finished, bad }

  private static let name: StaticString = "content-length:"

  private var part = Part.status
  /// Bytes of the current part that have come; in `body`, that have not.
  private var count = 0
  private var length = 0
  private var isOK = false

  /// Takes a piece of the stream. Nothing may follow the response: requests are not pipelined.
  mutating func take(_ bytes: borrowing Span<UInt8>) -> Outcome {
    var index = 0
    while index < bytes.count {
      if part == .body {
        count -= bytes.count - index
        break
      }
      let byte = bytes[index]
      index += 1
      switch part {
      case .status:
        // "HTTP/1.1 200": the tenth byte says what kind of answer it is.
        if count == 9 { isOK = byte == UInt8(ascii: "2") }
        count += 1
        if byte == 10 { begin(.lineStart) }
      case .lineStart:
        if byte == 13 { continue }
        if byte == 10 {
          part = .body
          count = length
          continue
        }
        begin(.name)
        matchName(byte)
      case .name: matchName(byte)
      case .skip: if byte == 10 { begin(.lineStart) }
      case .length:
        if byte == 10 { begin(.lineStart) } else if byte >= 48, byte < 58 { length = length * 10 + Int(byte - 48) }
      case .body: break
      }
    }
    guard part == .body, count <= 0 else { return .unfinished }
    let good = isOK && count == 0
    self = Answer()
    return good ? .finished : .bad
  }

  private mutating func begin(_ next: Part) {
    part = next
    count = 0
  }

  private mutating func matchName(_ byte: UInt8) {
    // SAFETY: `count` is below the length: at the last byte the part changes.
    let wanted = unsafe Answer.name.utf8Start[count]
    guard byte | 0x20 == wanted | 0x20 else {
      part = byte == 10 ? .lineStart : .skip
      return
    }
    count += 1
    if count == Answer.name.utf8CodeUnitCount {
      part = .length
      length = 0
    }
  }
}
