package import OctaviaModel

/// A request, apart from the connection that it came on.
package struct APIRequest: Sendable {
  package var method: String
  /// Decoded, without the query and a `.json` at its end.
  package var path: [String]
  package var query: [(String, String)]
  /// By lowercase name.
  package var headers: [String: String]
  package var body: [UInt8]
  /// The address up to the path, as the client sees it.
  package var base: String
  package var rawPath: String

  package init(
    method: String, target: String, headers: [String: String], body: [UInt8], base: String
  ) {
    self.method = method
    self.headers = headers
    self.body = body
    self.base = base
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    rawPath = String(parts.first ?? "")
    while rawPath.count > 1, rawPath.hasSuffix("/") { rawPath.removeLast() }
    var path = rawPath
    if path.hasSuffix(".json") { path.removeLast(5) }
    self.path = path.split(separator: "/").map { Self.decode($0, plus: false) }
    query =
      parts.count < 2
      ? []
      : parts[1].split(separator: "&").map { pair in
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return (Self.decode(parts[0], plus: true), parts.count > 1 ? Self.decode(parts[1], plus: true) : "")
      }
  }

  static func decode(_ text: Substring, plus: Bool) -> String {
    var bytes: [UInt8] = []
    let source = Array(text.utf8)
    var index = 0
    while index < source.count {
      if source[index] == UInt8(ascii: "%"), index + 2 < source.count + 0, index + 2 <= source.count - 1,
        let byte = UInt8(String(decoding: source[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
      {
        bytes.append(byte)
        index += 3
      } else {
        bytes.append(plus && source[index] == UInt8(ascii: "+") ? 0x20 : source[index])
        index += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

package struct APIResponse: Sendable {
  package var status: Int
  package var body: JSON?
  /// Instead of `body`, and for Prometheus.
  package var metrics: String?
  package var allow: String?

  package init(_ status: Int, _ body: JSON? = nil) {
    self.status = status
    self.body = body
  }

  package init(_ error: APIError) {
    status = error.status
    body = error.body
    allow = error.allow
  }
}
