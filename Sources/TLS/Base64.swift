internal import COpenSSL

/// RFC 4648 §4, with padding and without line breaks.
package enum Base64 {
  package static func encode(_ bytes: [UInt8]) -> String {
    let size = (bytes.count + 2) / 3 * 4
    let text = unsafe [UInt8](unsafeUninitializedCapacity: size + 1) { output, count in
      // SAFETY: writes four bytes for each three that it reads, and a zero.
      count = unsafe Int(EVP_EncodeBlock(output.baseAddress, bytes, Int32(bytes.count)))
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// nil: not base64. Spaces and line breaks are skipped.
  package static func decode(_ text: String) -> [UInt8]? {
    let text = text.utf8.filter { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d && $0 != 0x09 }
    // EVP_DecodeBlock takes padding anywhere in the last group, and "====" too.
    let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
    guard text.count % 4 == 0, padding <= 2, text.dropLast(padding).allSatisfy(isDigit) else { return nil }
    var failed = false
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3) { output, count in
      // SAFETY: writes three bytes for each four that it reads.
      let written = unsafe EVP_DecodeBlock(output.baseAddress, Array(text), Int32(text.count))
      failed = written < 0
      count = max(0, Int(written) - padding)
    }
    return failed ? nil : bytes
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
      true
    default: false
    }
  }
}
