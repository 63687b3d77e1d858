/// A cookie that Sluice gives to clients (RFC 6265); its value is its owner's business.
package struct InsertedCookie: Hashable, Sendable {
  package var name: String
  /// nil: until the browser ends.
  package var maxAge: Duration?
  /// "Strict", "Lax" or "None", as it stands in the field.
  package var sameSite: String?
  package var secure = false

  package init(name: String) { self.name = name }
}
