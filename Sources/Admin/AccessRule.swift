/// Who may use the API on one of its addresses.
package enum AccessRule: Hashable, Sendable {
  /// The Unix socket: the file's permissions decide.
  case fileSystem
  /// A TCP port: only with this token, and never for a page in a browser.
  case token(String)

  /// - Parameters:
  ///   - authorization: the request's Authorization field.
  ///   - origin: the request's Origin field, which only browsers send.
  /// - Throws: 403 for a request from a web page, 401 without the token.
  package func check(authorization: String?, origin: String?) throws(AdminError) {
    guard case .token(let token) = self else { return }
    if origin != nil {
      throw AdminError(.forbidden, "requests of web pages are refused", hint: "call the API without an Origin field")
    }
    guard let given = authorization.flatMap(AccessRule.bearer), AccessRule.equal(given, token) else {
      throw AdminError(
        .unauthorized, authorization == nil ? "a token is needed" : "the token is not valid",
        hint: "send `Authorization: Bearer TOKEN` with the value of admin.token")
    }
  }

  /// The credentials of the Bearer scheme (RFC 6750 §2.1), whose name is case-insensitive.
  static func bearer(_ field: String) -> String? {
    let parts = field.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return String(parts[1])
  }

  /// Takes a time that depends on what was given, not on how much of it is right.
  static func equal(_ given: String, _ token: String) -> Bool {
    let secret = Array(token.utf8)
    guard !secret.isEmpty else { return false }
    var difference = given.utf8.count ^ secret.count
    var index = 0
    for byte in given.utf8 {
      difference |= Int(byte ^ secret[index])
      index = index + 1 == secret.count ? 0 : index + 1
    }
    return difference == 0
  }
}
