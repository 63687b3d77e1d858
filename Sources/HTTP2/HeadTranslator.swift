package import HTTP

/// A header section as it comes out of HPACK, turned into the text of an HTTP/1.1 head without its last CRLF.
///
/// Whoever reads the text parses it again, so every byte that goes in is checked first: nothing that a peer puts
/// into a name, a value or a pseudo-header can begin a line of its own. Source: RFC 9113 §8.
package struct HeadTranslator: ~Copyable {
  package enum Kind: UInt8, BitwiseCopyable, Sendable { case request, response, trailers }

  /// What a reader of the text needs to know beside it.
  package struct Facts: BitwiseCopyable, Sendable {
    /// Content-Length; nil: none was given.
    package var length: Int64?
    /// Response: the status.
    package var status: UInt16 = 0
    /// Request: extended CONNECT (RFC 8441) for WebSocket; the text is the upgrade without its key.
    package var isWebSocket = false
  }

  private struct Pseudo: OptionSet, BitwiseCopyable {
    let rawValue: UInt8
    static let method = Pseudo(rawValue: 1)
    static let scheme = Pseudo(rawValue: 2)
    static let path = Pseudo(rawValue: 4)
    static let authority = Pseudo(rawValue: 8)
    static let `protocol` = Pseudo(rawValue: 16)
    static let status = Pseudo(rawValue: 32)
  }

  /// RFC 9113 §6.5.2 counts 32 bytes for each field beside its name and value.
  package static var fieldOverhead: Int { 32 }

  package private(set) var text = ByteArena(capacity: 4096)
  package private(set) var facts = Facts()
  package private(set) var kind = Kind.request
  package private(set) var error: MessageError?

  private var seen: Pseudo = []
  private var begun = false
  private var listSize = 0
  private var fields = 0
  private var maxListSize = 0
  private var maxFields = 0
  /// Values of the pseudo-headers, and of Cookie, until their line is written.
  private var pseudo = ByteArena(capacity: 1024)
  private var method = 0..<0
  private var path = 0..<0
  private var authority = 0..<0
  private var cookies = ByteArena(capacity: 1024)
  private var hasCookie = false
  private var hasHost = false

  package init() {}

  /// Starts a new header section. What goes beyond the limits is not kept.
  package mutating func begin(_ kind: Kind, maxListSize: Int, maxFields: Int) {
    text.clear()
    pseudo.clear()
    cookies.clear()
    self.kind = kind
    self.maxListSize = maxListSize
    self.maxFields = maxFields
    facts = Facts()
    error = nil
    seen = []
    begun = kind == .trailers
    (listSize, fields) = (0, 0)
    (hasCookie, hasHost) = (false, false)
    (method, path, authority) = (0..<0, 0..<0, 0..<0)
  }

  /// No field has come yet.
  package var isUntouched: Bool { fields == 0 && error == nil }

  /// What began as a head without a pseudo-header is a trailer section.
  package mutating func becomeTrailers() {
    kind = .trailers
    begun = true
  }

  /// The next field; after an error the rest is only skipped.
  package mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>) {
    guard error == nil else { return }
    do throws(MessageError) {
      listSize += name.count + value.count + HeadTranslator.fieldOverhead
      guard listSize <= maxListSize else { throw .listTooLarge }
      fields += 1
      guard fields <= maxFields else { throw .tooManyFields }
      if name.count > 0, name[0] == UInt8(ascii: ":") {
        try addPseudo(name, value)
      } else {
        try addField(name, value)
      }
    } catch {
      self.error = error
    }
  }

  /// The section is complete. `end`: no content follows.
  package mutating func finish(end: Bool) {
    guard error == nil else { return }
    do throws(MessageError) {
      if !begun { try begin() }
      switch kind {
      case .trailers: if !end { throw .trailersWithoutEnd }
      case .request:
        guard hasHost || seen.contains(.authority) else { throw .missingPseudo }
        if end, let length = facts.length, length > 0 { throw .lengthMismatch }
      case .response:
        // RFC 9113 §8.1: an interim response does not end the stream.
        if end, facts.status < 200 { throw .malformedStatus }
      }
      if hasCookie {
        text.append("cookie: ")
        text.append(cookies, 0..<cookies.count)
        text.append("\r\n")
      }
    } catch {
      self.error = error
    }
  }

  // MARK: Pseudo-headers, RFC 9113 §8.3

  private mutating func addPseudo(_ name: Span<UInt8>, _ value: Span<UInt8>) throws(MessageError) {
    if kind == .trailers { throw .pseudoInTrailers }
    // §8.3: all of them stand before the first field.
    if begun { throw .latePseudo }
    if kind == .response {
      guard name.isExactly(":status") else { throw .unknownPseudo }
      try note(.status)
      return try setStatus(value)
    }
    if name.isExactly(":method") {
      try note(.method)
      guard FieldRules.isToken(value) else { throw .malformedMethod }
      method = keep(value)
    } else if name.isExactly(":path") {
      try note(.path)
      guard FieldRules.isVisible(value) else { throw .malformedPath }
      path = keep(value)
    } else if name.isExactly(":scheme") {
      try note(.scheme)
      guard value.isExactly("http") || value.isExactly("https") else { throw .malformedScheme }
    } else if name.isExactly(":authority") {
      try note(.authority)
      // §8.3.1: without userinfo.
      guard FieldRules.isVisible(value) else { throw .malformedAuthority }
      for index in value.indices where value[index] == UInt8(ascii: "@") || value[index] == UInt8(ascii: "/") {
        throw .malformedAuthority
      }
      authority = keep(value)
    } else if name.isExactly(":protocol") {
      try note(.protocol)
      guard value.isExactly("websocket") else { throw .malformedProtocol }
      facts.isWebSocket = true
    } else {
      throw .unknownPseudo
    }
  }

  private mutating func note(_ one: Pseudo) throws(MessageError) {
    guard seen.isDisjoint(with: one) else { throw .repeatedPseudo }
    seen.insert(one)
  }

  private mutating func keep(_ value: Span<UInt8>) -> Range<Int> {
    let start = pseudo.count
    pseudo.append(value)
    return start..<pseudo.count
  }

  private mutating func setStatus(_ value: Span<UInt8>) throws(MessageError) {
    guard value.count == 3 else { throw .malformedStatus }
    for index in value.indices {
      guard value[index] &- 0x30 < 10 else { throw .malformedStatus }
      facts.status = facts.status &* 10 &+ UInt16(value[index] &- 0x30)
    }
    guard (100...599).contains(facts.status) else { throw .malformedStatus }
    // §8.6: no upgrades.
    if facts.status == 101 { throw .switchingProtocols }
  }

  /// The first line: all pseudo-headers are known.
  private mutating func begin() throws(MessageError) {
    begun = true
    switch kind {
    case .trailers: return
    case .response:
      guard seen.contains(.status) else { throw .missingPseudo }
      text.append("HTTP/1.1 ")
      for divisor in [100, 10, 1] as [UInt16] { text.append(byte: UInt8(0x30 + facts.status / divisor % 10)) }
      text.append(" ")
      text.append(reasonPhrase(facts.status))
      text.append("\r\n")
    case .request: try beginRequest()
    }
  }

  private mutating func beginRequest() throws(MessageError) {
    guard seen.contains(.method) else { throw .missingPseudo }
    let isConnect = pseudo.bytes(method).isExactly("CONNECT")
    if seen.contains(.protocol) {
      // RFC 8441 §4: :protocol comes with CONNECT alone, and then with all the others.
      guard isConnect else { throw .forbiddenPseudo }
      guard seen.isSuperset(of: [.scheme, .path, .authority]) else { throw .missingPseudo }
      guard pseudo[path.lowerBound] == UInt8(ascii: "/") else { throw .malformedPath }
      text.append("GET ")
      text.append(pseudo, path)
    } else if isConnect {
      // §8.5.
      guard seen.isDisjoint(with: [.scheme, .path]) else { throw .forbiddenPseudo }
      guard seen.contains(.authority) else { throw .missingPseudo }
      text.append("CONNECT ")
      text.append(pseudo, authority)
    } else {
      guard seen.isSuperset(of: [.scheme, .path]) else { throw .missingPseudo }
      if pseudo[path.lowerBound] != UInt8(ascii: "/") {
        // §8.3.1: "*" for OPTIONS of the server itself, else a path.
        guard path.count == 1, pseudo[path.lowerBound] == UInt8(ascii: "*"), pseudo.bytes(method).isExactly("OPTIONS")
        else { throw .malformedPath }
      }
      text.append(pseudo, method)
      text.append(" ")
      text.append(pseudo, path)
    }
    text.append(" HTTP/1.1\r\n")
    if seen.contains(.authority) {
      text.append("host: ")
      text.append(pseudo, authority)
      text.append("\r\n")
    }
    if facts.isWebSocket { text.append("connection: upgrade\r\nupgrade: websocket\r\n") }
  }

  // MARK: Fields, RFC 9113 §8.2

  private mutating func addField(_ name: Span<UInt8>, _ value: Span<UInt8>) throws(MessageError) {
    if !begun { try begin() }
    try FieldRules.checkName(name)
    try FieldRules.checkValue(value)
    let known = FieldName(name)
    switch known {
    case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .http2Settings: throw .connectionField
    case .te:
      // §8.2.2: "trailers" and nothing else.
      guard kind == .request, value.isExactly("trailers") else { throw .unsupportedTE }
    case _ where kind == .trailers && known.isForbiddenInTrailers: throw .forbiddenTrailer
    case .host:
      guard try addHost(value) else { return }
    case .contentLength:
      guard facts.length == nil else { throw .repeatedLength }
      guard let length = FieldRules.length(value) else { throw .malformedLength }
      facts.length = length
    case .cookie:
      // §8.2.3: crumbs are one field for whoever speaks another version.
      if hasCookie { cookies.append("; ") }
      cookies.append(value)
      hasCookie = true
      return
    default: break
    }
    text.append(name)
    text.append(": ")
    text.append(value)
    text.append("\r\n")
  }

  /// false: :authority has said it. §8.3.1: a Host that names another is a malformed request.
  private mutating func addHost(_ value: Span<UInt8>) throws(MessageError) -> Bool {
    guard kind == .request else { return true }
    guard !hasHost else { throw .repeatedHost }
    hasHost = true
    guard seen.contains(.authority) else { return true }
    guard pseudo.bytes(authority).equalsIgnoringCase(value) else { throw .hostDiffers }
    return false
  }
}
