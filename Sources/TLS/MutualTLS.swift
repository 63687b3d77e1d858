internal import COpenSSL
internal import Model

/// One end of mutual TLS, without IO: bytes of the connection and bytes of the protocol go in and come out.
///
/// For control planes, where a connection costs a few allocations and nobody counts them. TLS 1.2 at least.
@safe package final class MutualTLS {
  /// Who this end is, and whom it believes. Shared by connections and threads.
  @safe package final class Identity: Sendable {
    // SAFETY: an SSL_CTX that nobody changes after `init`; OpenSSL counts its references by atomics.
    fileprivate nonisolated(unsafe) let context: OpaquePointer
    /// Servers that strangers share are told which of their names is meant.
    fileprivate let saysName: Bool

    /// - Parameter authority: the certificate that must have signed the other end's.
    package init(certificate: String, key: String, authority: String) throws(CryptoError) {
      guard let context = unsafe SSL_CTX_new(TLS_method()) else { throw .last("cannot make a TLS context") }
      unsafe self.context = context
      saysName = false
      let secret = try unsafe readPrivateKey(Array(key.utf8))
      defer { unsafe EVP_PKEY_free(secret) }
      // SAFETY: the context takes references of its own of what it is given; ours are freed here.
      guard let own = unsafe readCertificate(certificate), let trusted = unsafe readCertificate(authority) else {
        throw .last("not a certificate")
      }
      defer {
        unsafe X509_free(own)
        unsafe X509_free(trusted)
      }
      let isDone =
        unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil) == 1
        && SSL_CTX_use_certificate(context, own) == 1 && SSL_CTX_use_PrivateKey(context, secret) == 1
        && SSL_CTX_check_private_key(context) == 1
        && X509_STORE_add_cert(SSL_CTX_get_cert_store(context), trusted) == 1
      guard isDone else { throw .last("the certificate and its key do not fit") }
      unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
      // A session would outlive the certificate it was made with.
      unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, 0, nil)
      unsafe SSL_CTX_set_num_tickets(context, 0)
    }

    /// A client without a certificate, which believes the authorities that this host does.
    package static func anonymous() throws(CryptoError) -> Identity { try Identity() }

    private init() throws(CryptoError) {
      guard let context = unsafe SSL_CTX_new(TLS_method()) else { throw .last("cannot make a TLS context") }
      unsafe self.context = context
      saysName = true
      guard unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil) == 1,
        unsafe SSL_CTX_set_default_verify_paths(context) == 1
      else { throw .last("there are no authorities to believe") }
      unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    }

    deinit { unsafe SSL_CTX_free(context) }
  }

  package enum Progress: Hashable, Sendable {
    /// Goes on when more bytes come from the other end.
    case open
    /// The other end has said goodbye.
    case closed
  }

  // SAFETY: the SSL owns both BIOs; freed once, in deinit. One connection belongs to one thread at a time.
  private let connection: OpaquePointer
  private let incoming: OpaquePointer
  private let outgoing: OpaquePointer
  package private(set) var isEstablished = false

  /// - Parameter name: the server's name, which its certificate must have; nil on a server.
  package init(_ identity: Identity, client name: String?) throws(CryptoError) {
    guard let connection = unsafe SSL_new(identity.context), let incoming = unsafe BIO_new(BIO_s_mem()),
      let outgoing = unsafe BIO_new(BIO_s_mem())
    else { throw .last("cannot make a TLS connection") }
    unsafe self.connection = connection
    unsafe self.incoming = incoming
    unsafe self.outgoing = outgoing
    unsafe SSL_set_bio(connection, incoming, outgoing)
    if let name {
      unsafe SSL_set_connect_state(connection)
      guard unsafe SSL_set1_host(connection, name) == 1 else { throw .last("\(name) is no name of a server") }
      // RFC 6066 section 3: a name, never an address.
      if identity.saysName, IPAddress(name) == nil {
        // SAFETY: OpenSSL copies the name.
        _ = unsafe name.withCString {
          unsafe SSL_ctrl(
            connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name),
            UnsafeMutableRawPointer(mutating: $0))
        }
      }
    } else {
      unsafe SSL_set_accept_state(connection)
    }
  }

  deinit { unsafe SSL_free(connection) }

  /// Takes bytes of the connection; `plain` gets what they say.
  package func receive(_ bytes: [UInt8], into plain: inout [UInt8]) throws(CryptoError) -> Progress {
    var rest = bytes[...]
    while !rest.isEmpty {
      let chunk = Array(rest.prefix(1 << 20))
      let taken = unsafe BIO_write(incoming, chunk, Int32(chunk.count))
      guard taken > 0 else { throw .last("no memory for TLS") }
      rest = rest.dropFirst(Int(taken))
    }
    try handshake()
    guard isEstablished else { return .open }
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = unsafe SSL_read(connection, &buffer, Int32(buffer.count))
      if count > 0 {
        plain += buffer.prefix(Int(count))
        continue
      }
      switch unsafe SSL_get_error(connection, count) {
      case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .open
      case SSL_ERROR_ZERO_RETURN: return .closed
      default: throw .last("TLS")
      }
    }
  }

  /// Begins or goes on; a client begins without having received anything.
  package func handshake() throws(CryptoError) {
    if isEstablished { return }
    ERR_clear_error()
    let result = unsafe SSL_do_handshake(connection)
    if result == 1 {
      isEstablished = true
      return
    }
    switch unsafe SSL_get_error(connection, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
    default: throw .last("TLS handshake")
    }
  }

  /// Only once established.
  package func send(_ plain: [UInt8]) throws(CryptoError) {
    if plain.isEmpty { return }
    ERR_clear_error()
    guard unsafe SSL_write(connection, plain, Int32(plain.count)) > 0 else { throw .last("TLS") }
  }

  /// Says goodbye.
  package func close() { if isEstablished { unsafe SSL_shutdown(connection) } }

  /// Bytes for the other end.
  package func takeOutgoing() -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = unsafe BIO_read(outgoing, &buffer, Int32(buffer.count))
      if count <= 0 { return bytes }
      bytes += buffer.prefix(Int(count))
    }
  }

  /// The serial number of the other end's certificate, as `CertificateAuthority.Issued` has it.
  package var peerSerial: String? {
    guard let certificate = unsafe SSL_get1_peer_certificate(connection) else { return nil }
    defer { unsafe X509_free(certificate) }
    // SAFETY: the number belongs to this function; its bytes are copied into an array of its size.
    guard let number = unsafe ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else { return nil }
    defer { unsafe BN_free(number) }
    var bytes = [UInt8](repeating: 0, count: Int((unsafe BN_num_bits(number) + 7) / 8))
    unsafe BN_bn2bin(number, &bytes)
    return CertificateAuthority.hexadecimal(bytes)
  }
}
