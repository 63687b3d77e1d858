import Model

/// The parameters of SVCB and HTTPS records in text and on the wire (RFC 9460 §2.1, §2.2, §7, appendix A).
enum ServiceParameters {
  private static let names = ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"]

  private static func key(_ text: ArraySlice<UInt8>) -> UInt16? {
    let name = String(decoding: text, as: UTF8.self)
    if let known = names.firstIndex(of: name) { return UInt16(known) }
    guard name.hasPrefix("key"), name.utf8.count > 3, name.utf8.dropFirst(3).allSatisfy({ $0 &- 48 < 10 }),
      name == "key0" || name.utf8.dropFirst(3).first != 48
    else { return nil }
    return UInt16(name.dropFirst(3))
  }

  private static func name(_ key: UInt16) -> String { key < names.count ? names[Int(key)] : "key\(key)" }

  // MARK: Text to wire

  /// The wire form of parameters like `alpn="h2,h3"`, in ascending order of their keys.
  static func parse(_ tokens: ArraySlice<ZoneToken>) throws(RecordTextError) -> [UInt8] {
    var values: [(key: UInt16, value: [UInt8], token: Int)] = []
    for (index, token) in zip(tokens.indices, tokens) {
      let equals = token.bytes.firstIndex(of: UInt8(ascii: "="))
      guard let key = key(token.bytes[..<(equals ?? token.bytes.endIndex)]) else {
        throw RecordTextError(index, "unknown service parameter")
      }
      guard !values.contains(where: { $0.key == key }) else {
        throw RecordTextError(index, "the service parameter \(name(key)) comes twice")
      }
      var raw = equals.map { token.bytes[($0 + 1)...] }
      if let quoted = raw, quoted.count >= 2, quoted.first == 34, quoted.last == 34 {
        raw = quoted.dropFirst().dropLast()
      }
      var text: [UInt8]?
      if let raw {
        guard let unescaped = unescape(raw) else { throw RecordTextError(index, NameTextError.badEscape.text) }
        text = unescaped
      }
      guard let value = wire(key, text) else {
        throw RecordTextError(index, "wrong value of the service parameter \(name(key))")
      }
      values.append((key, value, index))
    }
    values.sort { $0.key < $1.key }
    if let first = values.first, first.key == 0 {
      // §8: what is mandatory must be there.
      for offset in stride(from: 0, to: first.value.count, by: 2) {
        let wanted = UInt16(first.value[offset]) << 8 | UInt16(first.value[offset + 1])
        guard wanted != 0, values.contains(where: { $0.key == wanted }) else {
          throw RecordTextError(first.token, "\(name(wanted)) is mandatory but absent")
        }
      }
    }
    if let bare = values.first(where: { $0.key == 2 }), !values.contains(where: { $0.key == 1 }) {
      throw RecordTextError(bare.token, "no-default-alpn needs alpn")
    }
    return values.flatMap { big($0.key) + big(UInt16($0.value.count)) + $0.value }
  }

  private static func wire(_ key: UInt16, _ text: [UInt8]?) -> [UInt8]? {
    switch key {
    case 0:
      guard let text, !text.isEmpty else { return nil }
      let keys = split(text).compactMap(ServiceParameters.key).sorted()
      guard keys.count == split(text).count, Set(keys).count == keys.count else { return nil }
      return keys.flatMap(big)
    case 1:
      guard let text else { return nil }
      let values = splitEscaped(text)
      guard !values.isEmpty, values.allSatisfy({ (1...255).contains($0.count) }) else { return nil }
      return values.flatMap { [UInt8($0.count)] + $0 }
    case 2: return text == nil ? [] : nil
    case 3:
      guard let text, let port = UInt16(String(decoding: text, as: UTF8.self)) else { return nil }
      return big(port)
    case 4, 6:
      guard let text else { return nil }
      var bytes: [UInt8] = []
      for part in split(text) {
        guard let address = IPAddress(part), address.family == (key == 4 ? .v4 : .v6) else { return nil }
        bytes += address.bytes
      }
      return bytes.isEmpty ? nil : bytes
    case 5:
      guard let text, !text.isEmpty else { return nil }
      return Base64.decode(text)
    default: return (text ?? []).count <= 65_535 ? text ?? [] : nil
    }
  }

  /// Removes one level of escapes: what RFC 1035 calls a character string.
  static func unescape(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] == UInt8(ascii: "\\") {
        guard let (byte, width) = escape(in: text, at: index) else { return nil }
        bytes.append(byte)
        index += width
      } else {
        bytes.append(text[index])
        index += 1
      }
    }
    return bytes
  }

  private static func split(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
    text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
  }

  /// A list whose values hold a comma or backslash behind a second level of escapes (appendix A.1).
  private static func splitEscaped(_ text: [UInt8]) -> [[UInt8]] {
    var values: [[UInt8]] = [[]]
    var isEscaped = false
    for byte in text {
      if isEscaped {
        values[values.count - 1].append(byte)
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: ",") {
        values.append([])
      } else {
        values[values.count - 1].append(byte)
      }
    }
    return values
  }

  private static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }

  // MARK: Wire to text

  /// nil when the bytes are no parameters in strictly ascending order.
  static func print(_ data: ArraySlice<UInt8>) -> [String]? {
    var parts: [String] = []
    var position = data.startIndex
    var last = -1
    func word() -> UInt16? {
      guard data.endIndex - position >= 2 else { return nil }
      defer { position += 2 }
      return UInt16(data[position]) << 8 | UInt16(data[position + 1])
    }
    while position < data.endIndex {
      guard let key = word(), let length = word(), Int(key) > last, data.endIndex - position >= Int(length),
        let value = text(key, data[position..<(position + Int(length))])
      else { return nil }
      parts.append(value.isEmpty ? name(key) : "\(name(key))=\(value)")
      position += Int(length)
      last = Int(key)
    }
    return parts
  }

  private static func text(_ key: UInt16, _ value: ArraySlice<UInt8>) -> String? {
    switch key {
    case 0:
      guard !value.isEmpty, value.count % 2 == 0 else { return nil }
      return stride(from: value.startIndex, to: value.endIndex, by: 2)
        .map { name(UInt16(value[$0]) << 8 | UInt16(value[$0 + 1])) }.joined(separator: ",")
    case 1:
      var values: [UInt8] = []
      var position = value.startIndex
      guard !value.isEmpty else { return nil }
      while position < value.endIndex {
        let end = position + 1 + Int(value[position])
        guard end <= value.endIndex, end > position + 1 else { return nil }
        if !values.isEmpty { values.append(UInt8(ascii: ",")) }
        for byte in value[(position + 1)..<end] {
          if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\\") { values.append(UInt8(ascii: "\\")) }
          values.append(byte)
        }
        position = end
      }
      return RecordPrinter.quoted(values[...])
    case 2: return value.isEmpty ? "" : nil
    case 3:
      guard value.count == 2 else { return nil }
      return String(value.reduce(0) { $0 << 8 | Int($1) })
    case 4, 6:
      let width = key == 4 ? 4 : 16
      guard !value.isEmpty, value.count % width == 0 else { return nil }
      return stride(from: value.startIndex, to: value.endIndex, by: width)
        .compactMap { IPAddress(bytes: Array(value[$0..<($0 + width)]))?.description }.joined(separator: ",")
    case 5: return value.isEmpty ? nil : Base64.encode(Array(value))
    default: return value.isEmpty ? "" : RecordPrinter.quoted(value)
    }
  }
}
