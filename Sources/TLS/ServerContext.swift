internal import COpenSSL
internal import Glibc
package import Model

/// A listener's TLS, compiled: shared by all its connections. Immutable; sessions hold what they need for themselves.
package final class ServerContext: Sendable {
  let context: ContextHandle
  /// Whether names decide: there are several certificates, or a name that none has is refused.
  package let hasNames: Bool

  /// - Parameters:
  ///   - name: the listener's: its sessions cannot be resumed elsewhere.
  ///   - certificates: of `tls.certificates`, in their order.
  ///   - tickets: nil: no resumption.
  package init(
    name: String, _ tls: ListenerTLS, certificates: [Certificate], tickets: TicketKeys?
  ) throws(MaterialError) {
    let plan = NamePlan(certificates.map(\.names), kinds: certificates.map(\.kind))
    let scope = ServerContext.scope(name, tls.clients)
    let tickets = tls.tickets ? tickets : nil
    func make(_ numbers: [Int], names: NameTable?) throws(MaterialError) -> ContextHandle {
      try ServerContext.make(
        tls, numbers.map { (certificates[$0], tls.certificates[$0]) }, scope: scope, tickets: tickets, names: names)
    }
    var others: [ContextHandle] = []
    for set in plan.sets.dropFirst() { others.append(try make(set, names: nil)) }
    let table = NameTable(exact: plan.exact, wildcards: plan.wildcards, contexts: others)
    hasNames = plan.sets.count > 1 || tls.strictNames
    context = try make(plan.sets[0], names: hasNames ? table : nil)
  }

  /// Whether the name is one of a certificate's, or refused: then it is not for whoever asked for another.
  func owns(_ name: String) -> Bool {
    guard let traits = unsafe Traits.of(context: context.pointer) else { return false }
    return traits.strictNames || traits.names?.find(name) != nil
  }

  /// What a session belongs to: a ticket of another listener, or from before the rules for clients changed, is not
  /// resumed. Revocations count among the rules: a resumed session is not verified again.
  private static func scope(_ name: String, _ clients: ClientAuthentication?) -> [UInt8] {
    var text = Array(name.utf8) + [0]
    if let clients {
      text += Array(clients.mode.rawValue.utf8) + [0] + Digest.sha256.hash(clients.authorities.bytes)
      if let list = clients.revocations { text += Digest.sha256.hash(list.bytes) }
    }
    return Digest.sha256.hash(text)
  }

  private static func make(
    _ tls: ListenerTLS, _ certificates: [(Certificate, CertificateFiles)], scope: [UInt8], tickets: TicketKeys?,
    names: NameTable?
  ) throws(MaterialError) -> ContextHandle {
    let context = ContextHandle(server: true)
    do throws(ParameterError) { try context.setUp(tls.parameters, server: true, tickets: tickets != nil) } catch {
      // The configuration's check has found it before.
      throw MaterialError(tls.certificates[0].chain, error.reason)
    }
    for (certificate, files) in certificates { try context.use(certificate, files) }
    unsafe SSL_CTX_set_session_id_context(context.pointer, scope, UInt32(scope.count))
    // Sessions live in tickets alone: nothing to share, to lock or to bound.
    unsafe sluice_session_cache(context.pointer, Int(SSL_SESS_CACHE_OFF))
    unsafe SSL_CTX_set_num_tickets(context.pointer, tickets == nil ? 0 : ServerContext.ticketsPerHandshake)
    if let clients = tls.clients { try authenticate(clients, in: context) }
    let traits = Traits(
      protocols: tls.protocols, tickets: tickets, certificates: certificates.map(\.0), names: names,
      strictNames: tls.strictNames)
    traits.attach(to: context)
    setCallbacks(context, traits)
    return context
  }

  /// A browser's second connection finds one, too.
  private static let ticketsPerHandshake = 2

  private static func authenticate(_ clients: ClientAuthentication, in context: ContextHandle) throws(MaterialError) {
    let mode = SSL_VERIFY_PEER | (clients.mode == .require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0)
    unsafe SSL_CTX_set_verify(context.pointer, mode, nil)
    try StoreHandle(clients.authorities, clients.revocations).use(in: context)
    for authority in try readCertificates(clients.authorities) {
      // SAFETY: the name is copied.
      unsafe SSL_CTX_add_client_CA(context.pointer, authority.pointer)
    }
  }

  private static func setCallbacks(_ handle: ContextHandle, _ traits: Traits) {
    let context = unsafe handle.pointer
    if traits.names != nil {
      unsafe sluice_on_server_name(context) { session, alert, _ in unsafe chooseByName(session, alert) }
    }
    if traits.tickets != nil {
      _ = unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(context) { session, name, vector, cipher, mac, isNew in
        guard let keys = unsafe Traits.of(session)?.tickets, let name = unsafe name, let vector = unsafe vector,
          let cipher = unsafe cipher, let mac = unsafe mac
        else { return 0 }
        let answer = unsafe keys.seal(name: name, vector: vector, cipher: cipher, mac: mac, isNew: isNew != 0)
        // RFC 8446 §C.4: a ticket is used once, so that whoever resumes needs a new one: 2 asks OpenSSL for it.
        let isRenewed = unsafe isNew == 0 && answer == 1 && SSL_version(session) == TLS1_3_VERSION
        return isRenewed ? 2 : answer
      }
    }
    if !traits.protocols.isEmpty {
      unsafe SSL_CTX_set_alpn_select_cb(
        context,
        { session, chosen, length, offered, count, _ in unsafe chooseProtocol(session, chosen, length, offered, count)
        },
        nil)
    }
    if traits.certificates.contains(where: { $0.staple != nil }) {
      unsafe sluice_on_status_request(context) { session, _ in unsafe stapleResponse(session) }
    }
  }
}

// MARK: OpenSSL's questions

@unsafe private func chooseByName(_ session: OpaquePointer?, _ alert: UnsafeMutablePointer<Int32>?) -> Int32 {
  guard let traits = unsafe Traits.of(session), let names = traits.names else { return SSL_TLSEXT_ERR_NOACK }
  var found: Int?
  if let name = unsafe SSL_get_servername(session, TLSEXT_NAMETYPE_host_name) {
    found = unsafe names.find(String(cString: name))
  }
  guard let found else {
    if traits.strictNames {
      // SAFETY: OpenSSL's place for the alert.
      unsafe alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
      return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    return SSL_TLSEXT_ERR_NOACK
  }
  if let context = names.context(found) { unsafe SSL_set_SSL_CTX(session, context.pointer) }
  return SSL_TLSEXT_ERR_OK
}

/// The first of ours that the client offers. RFC 7301 §3.2: without a common one the handshake ends.
@unsafe private func chooseProtocol(
  _ session: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
  _ length: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ count: UInt32
) -> Int32 {
  guard let traits = unsafe Traits.of(session), let offered = unsafe offered else { return SSL_TLSEXT_ERR_NOACK }
  let total = Int(count)
  var mine = 0
  while mine < traits.protocols.count {
    let size = Int(traits.protocols[mine])
    if traits.protocols[mine + 1..<mine + 1 + size].elementsEqual("h2".utf8), unsafe !suitsHTTP2(session) {
      mine += 1 + size
      continue
    }
    var theirs = 0
    // SAFETY: OpenSSL has checked that the list is well formed; each access is below `count`.
    while theirs < total {
      let theirSize = unsafe Int(offered[theirs])
      guard theirs + 1 + theirSize <= total else { return SSL_TLSEXT_ERR_ALERT_FATAL }
      if theirSize == size,
        (1...max(size, 1)).allSatisfy({ unsafe offered[theirs + $0] == traits.protocols[mine + $0] })
      {
        unsafe chosen?.pointee = offered + theirs + 1
        unsafe length?.pointee = UInt8(size)
        return SSL_TLSEXT_ERR_OK
      }
      theirs += 1 + theirSize
    }
    mine += 1 + size
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// RFC 9113 §9.2.2: with TLS 1.2, only what gives forward secrecy and is authenticated; the rest is appendix A's list.
@unsafe private func suitsHTTP2(_ session: OpaquePointer?) -> Bool {
  // It is chosen before the protocol.
  guard unsafe SSL_version(session) == TLS1_2_VERSION, let cipher = unsafe SSL_get_pending_cipher(session) else {
    return unsafe SSL_version(session) >= TLS1_3_VERSION
  }
  let exchange = unsafe SSL_CIPHER_get_kx_nid(cipher)
  return unsafe SSL_CIPHER_is_aead(cipher) == 1 && (exchange == NID_kx_ecdhe || exchange == NID_kx_dhe)
}

@unsafe private func stapleResponse(_ session: OpaquePointer?) -> Int32 {
  guard let traits = unsafe Traits.of(session), let chosen = unsafe SSL_get_certificate(session),
    let certificate = traits.certificates.first(where: { unsafe X509_cmp($0.leaf.pointer, chosen) == 0 }),
    let staple = certificate.staple
  else { return SSL_TLSEXT_ERR_NOACK }
  // RFC 6960 §4.2.2.1: behind its nextUpdate it says nothing, and clients refuse it: they are better off with none.
  if let end = certificate.stapleEnd, end < time(nil) { return SSL_TLSEXT_ERR_NOACK }
  // SAFETY: the session takes the copy over.
  guard let copy = unsafe sluice_memdup(staple, staple.count) else { return SSL_TLSEXT_ERR_NOACK }
  _ = unsafe sluice_staple(session, copy, staple.count)
  return SSL_TLSEXT_ERR_OK
}
