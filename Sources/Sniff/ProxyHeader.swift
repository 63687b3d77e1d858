package import Model

/// Who a connection is from, told by the proxy in front of us.
/// Source: HAProxy's proxy-protocol.txt, versions 1 and 2 (2.2 for v2's layout).
package struct ProxyHeader: Hashable, Sendable {
  package enum Transport: UInt8, Hashable, Sendable { case stream, datagram }

  package enum Origin: Hashable, Sendable {
    /// The sender speaks for itself (a health check), or does not know: use the connection's own addresses.
    case local
    case proxied(source: Endpoint, destination: Endpoint, Transport)
    /// Over Unix sockets: proxied, but without an address that means anything here.
    case unix
  }

  package var origin: Origin

  package init(_ origin: Origin) { self.origin = origin }

  package init(source: Endpoint, destination: Endpoint, transport: Transport = .stream) {
    origin = .proxied(source: source, destination: destination, transport)
  }

  /// The client, when the sender named one.
  package var source: Endpoint? {
    if case .proxied(let source, _, _) = origin { source } else { nil }
  }

  /// A header of more bytes than this is refused: v2's 16 bytes, 216 of addresses, and TLVs.
  package static var maximumLength: Int { 16 + 4096 }
  /// Version 1: "PROXY TCP6 …" with both addresses in full and CRLF.
  package static var maximumTextLength: Int { 107 }

  /// Parses a header of either version at the start of `bytes`; nil when more bytes are needed.
  package static func parse(_ bytes: Span<UInt8>) throws(ProxyError) -> (header: ProxyHeader, length: Int)? {
    guard bytes.count > 0 else { return nil }
    return bytes[0] == 0x0d ? try ProxyBinary.parse(bytes) : try ProxyText.parse(bytes)
  }

  /// The text form; nil where version 1 has none (datagrams, mixed families).
  package func encodeV1() -> [UInt8]? {
    guard case .proxied(let source, let destination, .stream) = origin else { return Array("PROXY UNKNOWN\r\n".utf8) }
    guard source.address.family == destination.address.family else { return nil }
    let family = source.address.family == .v4 ? "TCP4" : "TCP6"
    return Array("PROXY \(family) \(source.address) \(destination.address) \(source.port) \(destination.port)\r\n".utf8)
  }
}

/// Why a connection that must open with a PROXY header is closed.
package enum ProxyError: Error, Hashable, Sendable, CaseIterable {
  case noSignature, malformedText, textTooLong
  case unsupportedVersion, unsupportedCommand, unsupportedFamily
  case shortAddresses, tooLong, malformedTLV, checksum

  package var reason: StaticString {
    switch self {
    case .noSignature: "no PROXY protocol header"
    case .malformedText: "malformed PROXY v1 line"
    case .textTooLong: "PROXY v1 line too long"
    case .unsupportedVersion: "PROXY version not supported"
    case .unsupportedCommand: "PROXY command not supported"
    case .unsupportedFamily: "PROXY address family not supported"
    case .shortAddresses: "PROXY v2 header shorter than its addresses"
    case .tooLong: "PROXY v2 header too long"
    case .malformedTLV: "malformed PROXY v2 TLV"
    case .checksum: "PROXY v2 checksum mismatch"
    }
  }
}
