internal import COpenSSL
package import Reactor

/// What was agreed on for the bytes of a channel (ALPN).
package enum NegotiatedProtocol: UInt8, BitwiseCopyable, Sendable { case none, http1, http2, other }

/// Who a peer is, by its certificate.
package struct PeerIdentity: Hashable, Sendable {
  /// RFC 4514, in ASCII.
  package let subject: String
  /// The last one of the subject, in UTF-8; empty: it has none.
  package let commonName: String
  /// SHA-256 of the certificate, lower-case hexadecimal.
  package let fingerprint: String
}

extension Channels {
  package func negotiatedProtocol(_ index: UInt32) -> NegotiatedProtocol {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    // SAFETY: the name is the session's; it is only compared here.
    unsafe SSL_get0_alpn_selected(channels[index].session, &name, &count)
    guard count > 0 else { return .none }
    let text = unsafe UnsafeBufferPointer(start: name, count: Int(count))
    if unsafe text.elementsEqual("h2".utf8) { return .http2 }
    return unsafe text.elementsEqual("http/1.1".utf8) ? .http1 : .other
  }

  /// The negotiated protocol's name; empty: none.
  package func protocolName(_ index: UInt32) -> String {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    // SAFETY: the name is the session's; it is copied here.
    unsafe SSL_get0_alpn_selected(channels[index].session, &name, &count)
    return unsafe String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
  }

  package func isResumed(_ index: UInt32) -> Bool { unsafe SSL_session_reused(channels[index].session) == 1 }

  /// The name that the client asked for, lower case; empty: none.
  package func serverName(_ index: UInt32) -> String {
    // SAFETY: a string of the session's, copied here.
    guard let name = unsafe SSL_get_servername(channels[index].session, TLSEXT_NAMETYPE_host_name) else { return "" }
    return unsafe String(cString: name).lowercased()
  }

  /// Whether requests for a host belong on a client's channel: its name is the one that the client asked for, or in the
  /// certificate that it was shown, or in none of the listener's.
  package func serves(
    _ index: UInt32, _ region: borrowing ByteRegion, _ host: Range<Int>, _ context: ServerContext
  ) -> Bool {
    serves(index, region.bytes(host), context)
  }

  func serves(_ index: UInt32, _ host: Span<UInt8>, _ context: ServerContext) -> Bool {
    let session = unsafe channels[index].session
    // SAFETY: a string of the session's, read here.
    guard host.count > 0, let asked = unsafe SSL_get_servername(session, TLSEXT_NAMETYPE_host_name) else { return true }
    if unsafe host.isName(asked) { return true }
    // SAFETY: the certificate is the session's, and reads the bytes during the call.
    let isCovered = unsafe host.withUnsafeBufferPointer { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { name in
        unsafe X509_check_host(
          SSL_get_certificate(session), name.baseAddress, name.count, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS), nil)
      }
    }
    if isCovered == 1 { return true }
    var name = ""
    for position in host.indices { name.unicodeScalars.append(Unicode.Scalar(host[position])) }
    return !context.owns(name)
  }

  /// "TLSv1.3".
  package func version(_ index: UInt32) -> String {
    "\(versionName(index))"
  }

  /// The same where nothing shall be allocated.
  package func versionName(_ index: UInt32) -> StaticString {
    switch unsafe SSL_version(channels[index].session) {
    case TLS1_3_VERSION: "TLSv1.3"
    case TLS1_2_VERSION: "TLSv1.2"
    default: "TLS"
    }
  }

  package func cipher(_ index: UInt32) -> String {
    // SAFETY: a constant string.
    guard let name = unsafe SSL_CIPHER_get_name(SSL_get_current_cipher(channels[index].session)) else { return "" }
    return unsafe String(cString: name)
  }

  /// nil: the peer gave no certificate.
  package func identity(_ index: UInt32) -> PeerIdentity? {
    // SAFETY: borrowed from the session.
    guard let certificate = unsafe SSL_get0_peer_certificate(channels[index].session) else { return nil }
    return unsafe PeerIdentity(
      subject: nameText(X509_get_subject_name(certificate)), commonName: commonName(certificate),
      fingerprint: fingerprint(certificate))
  }
}

extension Span where Element == UInt8 {
  /// Whether these are the bytes of a C string, ASCII case aside.
  @unsafe fileprivate func isName(_ text: UnsafePointer<CChar>) -> Bool {
    // SAFETY: reads up to the terminating zero, and no further.
    for position in indices {
      let theirs = unsafe UInt8(bitPattern: text[position])
      guard theirs != 0, lowered(self[position]) == lowered(theirs) else { return false }
    }
    return unsafe text[count] == 0
  }

  private func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
