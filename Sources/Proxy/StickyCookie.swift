import Model
import Wire

/// An inserted cookie: its value is a keyed hash of the pool's and the backend's name.
///
/// Opaque, not forgeable without the secret, and the same after every reload, on every
/// node that has the secret. There is nothing to decode: a value that is not in the
/// table is not a cookie of ours.
struct StickyCookie: Sendable {
  let name: [UInt8]
  /// By backend index: "Set-Cookie: name=value; …\r\n".
  let lines: [[UInt8]]
  private let indices: [UInt64: Int]

  init(_ cookie: InsertedCookie, pool: Pool, secret: String) {
    name = Array(cookie.name.utf8)
    var keyed = SipHash(key: (0x736c_7569_6365_2d73, 0x7469_636b_792d_6b31))
    keyed.update(secret)
    let key = keyed.finish()
    var lines: [[UInt8]] = []
    var indices: [UInt64: Int] = [:]
    for (index, backend) in pool.backends.enumerated() {
      var hash = SipHash(key: (key, 0x636f_6f6b_6965_2d76))
      hash.update(pool.name)
      hash.update(0 as UInt8)
      hash.update(backend.name)
      let value = hash.finish()
      let text = String(value, radix: 16)
      let padded = String(repeating: "0", count: 16 - text.utf8.count) + text
      lines.append(cookie.line(padded))
      indices[value] = index
    }
    self.lines = lines
    self.indices = indices
  }

  /// The backend that a cookie's value stands for; exactly 16 lower-case hexadecimal digits.
  func backend(of value: Span<UInt8>) -> Int? {
    guard value.count == 16 else { return nil }
    var number: UInt64 = 0
    for index in value.indices {
      let byte = value[index]
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
      default: return nil
      }
    }
    return indices[number]
  }
}

extension InsertedCookie {
  /// "Set-Cookie: name=value; …\r\n" (RFC 6265 §4.1).
  func line(_ value: String) -> [UInt8] {
    var text = "Set-Cookie: \(name)=\(value); Path=/; HttpOnly"
    if let maxAge { text += "; Max-Age=\(maxAge.components.seconds)" }
    if let sameSite { text += "; SameSite=\(sameSite)" }
    if secure { text += "; Secure" }
    return Array((text + "\r\n").utf8)
  }
}
