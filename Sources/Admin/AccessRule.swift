/// Who may use the API on one of its addresses.
package enum AccessRule: Hashable, Sendable {
  /// The Unix socket: the file's permissions decide.
  case fileSystem
  /// A TCP port: orders need `operator`; `reader`, where there is one, may look only.
  case token(operator: String, reader: String?)

  /// - Parameters:
  ///   - authorization: the request's Authorization field.
  ///   - origin: the request's Origin field, which only browsers send.
  ///   - authority: the request's own host and port: the dashboard's page is of the same origin.
  ///   - isOrder: whether it may change something.
  /// - Throws: 403 for a request from a foreign web page or an order of the reader, 401 without a token.
  package func check(
    authorization: String?, origin: String?, authority: String?, isOrder: Bool
  ) throws(AdminError) {
    guard case .token(let `operator`, let reader) = self else { return }
    if let origin, authority.map({ origin == "http://\($0)" }) != true {
      throw AdminError(
        .forbidden, "requests of foreign web pages are refused", hint: "call the API without an Origin field")
    }
    let given = authorization.flatMap(AccessRule.bearer)
    // Both are compared whatever the first one said, so that time tells nothing.
    let isOperator = given.map { AccessRule.equal($0, `operator`) } ?? false
    let isReader = given.flatMap { given in reader.map { AccessRule.equal(given, $0) } } ?? false
    if isReader, isOrder, !isOperator {
      throw AdminError(.forbidden, "this token is for looking only", hint: "use the value of admin.token")
    }
    guard isOperator || isReader else {
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
