internal import COpenSSL
package import Model

/// TLS to a pool's backends, compiled: shared by all connections of a worker. Immutable.
package final class ClientContext: Sendable {
  let context: ContextHandle
  let name: String?
  let verifies: Bool
  let resumes: Bool
  /// Differs from every other context of the process: sessions that one has agreed on are not resumed by another.
  let number: UInt64

  package init(_ tls: PoolTLS) throws(MaterialError) {
    name = tls.name
    resumes = tls.resumes
    number = randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    context = ContextHandle(server: false)
    do throws(ParameterError) { try context.setUp(tls.parameters, server: false, tickets: tls.resumes) } catch {
      // The configuration's check has found it before.
      throw MaterialError(FileBytes(path: "tls", bytes: []), error.reason)
    }
    switch tls.trust {
    case .off: verifies = false
    case .system:
      verifies = true
      try StoreHandle(nil, tls.revocations).use(in: context)
    case .authorities(let file):
      verifies = true
      try StoreHandle(file, tls.revocations).use(in: context)
    }
    unsafe SSL_CTX_set_verify(context.pointer, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
    if let files = tls.certificate { try context.use(try Certificate(files), files) }
    let protocols = tls.protocols.flatMap { [UInt8($0.utf8.count)] + $0.utf8 }
    if !protocols.isEmpty { unsafe SSL_CTX_set_alpn_protos(context.pointer, protocols, UInt32(protocols.count)) }
    guard tls.resumes else {
      unsafe sluice_session_cache(context.pointer, Int(SSL_SESS_CACHE_OFF))
      return
    }
    unsafe sluice_session_cache(context.pointer, Int(SSL_SESS_CACHE_CLIENT) | Int(SSL_SESS_CACHE_NO_INTERNAL))
    unsafe SSL_CTX_sess_set_new_cb(context.pointer) { unsafe keepSession($0, $1) }
  }

  /// Says whom the session expects. RFC 6066 §3: an address is no name for SNI.
  @unsafe func expect(_ address: SocketAddress, on session: OpaquePointer) {
    if let name {
      _ = unsafe sluice_server_name(session, name)
      if verifies {
        unsafe SSL_set_hostflags(session, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        _ = unsafe SSL_set1_host(session, name)
      }
    } else if verifies, case .ip(let endpoint) = address {
      _ = unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), "\(endpoint.address)")
    }
  }
}
