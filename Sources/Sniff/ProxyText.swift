internal import Model

/// Version 1: one line, `PROXY TCP4 source destination sport dport CRLF`.
enum ProxyText {
  static func parse(_ bytes: Span<UInt8>) throws(ProxyError) -> (header: ProxyHeader, length: Int)? {
    let signature: InlineArray<6, UInt8> = [0x50, 0x52, 0x4f, 0x58, 0x59, 0x20]
    for index in 0..<min(6, bytes.count) where bytes[index] != signature[index] { throw .noSignature }

    var end = 6
    while true {
      guard end < ProxyHeader.maximumTextLength - 1 else { throw .textTooLong }
      guard end < bytes.count else { return nil }
      if bytes[end] == 0x0d { break }
      guard bytes[end] >= 0x20, bytes[end] < 0x7f else { throw .malformedText }
      end += 1
    }
    guard end + 1 < bytes.count else { return nil }
    guard bytes[end + 1] == 0x0a else { throw .malformedText }

    var line: [UInt8] = []
    for index in 6..<end { line.append(bytes[index]) }
    let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
    // "UNKNOWN": what follows it is ignored.
    if words.first?.elementsEqual("UNKNOWN".utf8) == true { return (ProxyHeader(.local), end + 2) }
    guard words.count == 5, let family = family(words[0]), let source = IPAddress(words[1]),
      let destination = IPAddress(words[2]), source.family == family, destination.family == family,
      let sourcePort = port(words[3]), let destinationPort = port(words[4])
    else { throw .malformedText }
    let header = ProxyHeader(source: Endpoint(source, sourcePort), destination: Endpoint(destination, destinationPort))
    return (header, end + 2)
  }

  private static func family(_ word: ArraySlice<UInt8>) -> IPAddress.Family? {
    if word.elementsEqual("TCP4".utf8) { return .v4 }
    return word.elementsEqual("TCP6".utf8) ? .v6 : nil
  }

  /// 0–65535 without leading zeros.
  private static func port(_ word: ArraySlice<UInt8>) -> UInt16? {
    guard (1...5).contains(word.count), word.count == 1 || word.first != 0x30 else { return nil }
    var value: UInt32 = 0
    for byte in word {
      guard (0x30...0x39).contains(byte) else { return nil }
      value = value * 10 + UInt32(byte - 0x30)
    }
    return UInt16(exactly: value)
  }
}
