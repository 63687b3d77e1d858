internal import COpenSSL

/// What callbacks find at the OpenSSL context that they are called for: it lives as long as the context, which may be
/// longer than the listener that it was made for.
final class Traits: Sendable {
  /// Offered protocols in ALPN's form: each with its length before it.
  let protocols: [UInt8]
  let tickets: TicketKeys?
  let certificates: [Certificate]
  /// Of the listener's first context only.
  let names: NameTable?
  let strictNames: Bool

  init(protocols: [String], tickets: TicketKeys?, certificates: [Certificate], names: NameTable?, strictNames: Bool) {
    self.protocols = protocols.flatMap { [UInt8($0.utf8.count)] + $0.utf8 }
    self.tickets = tickets
    self.certificates = certificates
    self.names = names
    self.strictNames = strictNames
  }

  private static let index: Int32 = unsafe sluice_extra_index { _, pointer, _, _, _, _ in
    // SAFETY: the reference that `attach` has given to the context.
    if let pointer = unsafe pointer { unsafe Unmanaged<Traits>.fromOpaque(pointer).release() }
  }

  func attach(to context: ContextHandle) {
    // SAFETY: released by the index's callback, when the context is freed.
    let pointer = unsafe Unmanaged.passRetained(self).toOpaque()
    if unsafe SSL_CTX_set_ex_data(context.pointer, Traits.index, pointer) != 1 {
      unsafe Unmanaged<Traits>.fromOpaque(pointer).release()
    }
  }

  @unsafe static func of(_ session: OpaquePointer?) -> Traits? { unsafe of(context: SSL_get_SSL_CTX(session)) }

  @unsafe static func of(context: OpaquePointer?) -> Traits? {
    // SAFETY: the context holds a reference for as long as a session, or its owner, holds the context.
    guard let pointer = unsafe SSL_CTX_get_ex_data(context, index) else { return nil }
    return unsafe Unmanaged<Traits>.fromOpaque(pointer).takeUnretainedValue()
  }
}

/// Which of a listener's contexts a name belongs to.
final class NameTable: Sendable {
  private let exact: [String: Int]
  /// Without "*.".
  private let wildcards: [String: Int]
  /// Without the listener's first, number 0, which holds this table.
  private let contexts: [ContextHandle]

  init(exact: [String: Int], wildcards: [String: Int], contexts: [ContextHandle]) {
    self.exact = exact
    self.wildcards = wildcards
    self.contexts = contexts
  }

  /// nil: nobody has the name. A wildcard stands for exactly one label (RFC 6125 §6.4.3).
  func find(_ name: String) -> Int? {
    var name = name.lowercased()
    if name.last == "." { name.removeLast() }
    if let found = exact[name] { return found }
    guard let dot = name.firstIndex(of: ".") else { return nil }
    return wildcards[String(name[name.index(after: dot)...])]
  }

  /// nil: the first.
  func context(_ number: Int) -> ContextHandle? { number == 0 ? nil : contexts[number - 1] }
}
