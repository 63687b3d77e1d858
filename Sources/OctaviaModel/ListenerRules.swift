internal import Model

enum ListenerRules {
  static let noChildren = APIError(400, "Protocol PROMETHEUS listeners cannot have child objects.")

  private static let httpHeaders: Set<String> = [
    "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-IP", "X-Client-IP", "X-Real-IP",
  ]
  private static let tlsHeaders: Set<String> = [
    "X-SSL-Client-Verify", "X-SSL-Client-Has-Cert", "X-SSL-Client-DN", "X-SSL-Client-CN", "X-SSL-Issuer",
    "X-SSL-Client-SHA1", "X-SSL-Client-Not-Before", "X-SSL-Client-Not-After",
  ]
  private static let poolProtocols: [String: [String]] = [
    "TCP": ["HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP"], "HTTP": ["HTTP", "PROXY", "PROXYV2"],
    "HTTPS": ["HTTPS", "PROXY", "PROXYV2", "TCP"], "TERMINATED_HTTPS": ["HTTP", "PROXY", "PROXYV2"], "UDP": ["UDP"],
    "SCTP": ["SCTP"], "PROMETHEUS": [],
  ]

  /// Ports are shared between listeners of different transports only.
  static func transport(_ name: String) -> String { name == "UDP" || name == "SCTP" ? name : "TCP" }

  static func checkPool(_ pool: String, listener: String) throws(APIError) {
    guard poolProtocols[listener, default: []].contains(pool) else {
      throw .validation("The pool protocol '\(pool)' is invalid while the listener protocol is '\(listener)'.")
    }
  }

  static func check(
    _ listener: Record, vips: [String], hasCustomGroups: Bool, _ deployment: Deployment
  ) throws(APIError) {
    let name = listener.text("protocol")
    let references =
      (listener["default_tls_container_ref"].string.map { [$0] } ?? []) + listener["sni_container_refs"].strings
    let hasTLS = !references.isEmpty || !listener["client_ca_tls_container_ref"].isNull
    let terminates = name == "TERMINATED_HTTPS" || (name == "PROMETHEUS" && hasTLS)
    try checkHeaders(listener["insert_headers"].object?.keys ?? [], name)
    if name == "UDP" || name == "SCTP", hasTLS { throw .validation("\(name) protocol listener does not support TLS.") }
    if !terminates && hasTLS {
      throw .validation("Certificate container references are not allowed on \(name) protocol listeners.")
    }
    if !listener["client_ca_tls_container_ref"].isNull && references.isEmpty {
      throw .validation(
        "An SNI or default certificate container reference must be provided with a client CA container reference.")
    }
    if terminates && references.isEmpty {
      let title = name == "PROMETHEUS" ? "\(name) with TLS" : name
      throw .validation(
        "An SNI or default certificate container reference must be provided for \(title) protocol listeners.")
    }
    let clients = listener.text("client_authentication")
    if clients != "NONE" && listener["client_ca_tls_container_ref"].isNull {
      throw .validation("Client authentication setting \(clients) requires a client CA container reference.")
    }
    if !listener["client_crl_container_ref"].isNull && listener["client_ca_tls_container_ref"].isNull {
      throw .validation(
        "A client authentication CA reference is required to specify a client authentication revocation list.")
    }
    let missing = references.filter { !deployment.hasCertificate($0) }
    if !missing.isEmpty { throw APIError(400, "Could not retrieve certificate: \(JSON.strings(missing).pythonText)") }
    try checkCiphers(listener["tls_ciphers"])
    try checkNetworks(listener["allowed_cidrs"].strings, vips: vips, hasCustomGroups: hasCustomGroups)
    try checkTransportSecurity(listener, name)
  }

  private static func checkHeaders(_ names: [String], _ listener: String) throws(APIError) {
    if names.isEmpty { return }
    guard ["HTTP", "TERMINATED_HTTPS"].contains(listener) else {
      throw .invalidOption("insert-headers", "a \(listener) protocol listener.")
    }
    if names.contains(where: { !httpHeaders.contains($0) && !tlsHeaders.contains($0) }) {
      throw .invalidOption("dict_keys(\(JSON.strings(names).pythonText))", "insert_headers")
    }
    let secure = names.filter { tlsHeaders.contains($0) }
    if listener != "TERMINATED_HTTPS" && !secure.isEmpty {
      throw .invalidOption(JSON.strings(secure).pythonText, "\(listener) protocol listener.")
    }
  }

  static func checkCiphers(_ ciphers: JSON) throws(APIError) {
    guard let text = ciphers.string else { return }
    guard
      text.utf8.allSatisfy({
        Character(Unicode.Scalar($0)).isLetter || (0x30...0x39).contains($0) || "-+!:@=_.".utf8.contains($0)
      })
    else {
      throw .validation(
        "Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and . are allowed.")
    }
  }

  private static func checkNetworks(_ networks: [String], vips: [String], hasCustomGroups: Bool) throws(APIError) {
    if !networks.isEmpty && hasCustomGroups {
      throw .validation("Allowed CIDRs are not allowed when using custom VIP Security Groups.")
    }
    let families = Set(vips.compactMap { IPAddress($0)?.family })
    for network in networks where !families.contains(IPPrefix(network)?.address.family ?? .v4) {
      throw .validation(
        "CIDR \(network) IP version incompatible with all VIPs \(JSON.strings(vips).pythonText) IP version.")
    }
  }

  private static func checkTransportSecurity(_ listener: Record, _ name: String) throws(APIError) {
    let age = listener["hsts_max_age"].int
    if listener.flag("hsts_include_subdomains") || listener.flag("hsts_preload"), age == nil {
      throw .validation(
        "HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is set as well."
      )
    }
    if age != nil && name != "TERMINATED_HTTPS" {
      throw .validation("The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol.")
    }
  }
}
