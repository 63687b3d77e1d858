internal import COpenSSL
package import Model

/// Versions, ciphers and groups that OpenSSL does not know.
package struct ParameterError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Part: String, Hashable, Sendable { case ciphers, cipherSuites, groups, versions }
  package let part: Part
  package let reason: String

  package var description: String { reason }
}

extension TLSParameters {
  /// Whether OpenSSL takes them.
  package func check() throws(ParameterError) { try apply(to: ContextHandle(server: true)) }

  func apply(to context: ContextHandle) throws(ParameterError) {
    func refuse(_ part: ParameterError.Part, _ reason: String) -> ParameterError {
      ERR_clear_error()
      return ParameterError(part: part, reason: reason)
    }
    // SAFETY: strings are read during the calls.
    guard unsafe sluice_minimum(context.pointer, minimum.code) == 1,
      unsafe sluice_maximum(context.pointer, maximum.code) == 1
    else { throw refuse(.versions, "OpenSSL here has no TLS \(minimum.rawValue) to \(maximum.rawValue)") }
    // OpenSSL skips words that it does not know, as long as it knows one.
    if let unknown = ciphers?.split(separator: ":").first(where: { !isKnown($0) }) {
      throw refuse(.ciphers, "OpenSSL knows no cipher `\(unknown)` for TLS 1.2")
    }
    guard unsafe SSL_CTX_set_cipher_list(context.pointer, ciphers ?? policy.ciphers) == 1 else {
      throw refuse(.ciphers, "no cipher in `\(ciphers ?? "")` can be used")
    }
    guard unsafe SSL_CTX_set_ciphersuites(context.pointer, cipherSuites ?? TLSPolicy.suites) == 1 else {
      throw refuse(.cipherSuites, "OpenSSL knows no such TLS 1.3 cipher suites: `\(cipherSuites ?? "")`")
    }
    guard unsafe sluice_groups(context.pointer, groups ?? TLSPolicy.groups) == 1 else {
      throw refuse(.groups, "OpenSSL knows no such groups: `\(groups ?? "")`")
    }
    if policy == .intermediate { unsafe sluice_dh_auto(context.pointer) }
  }

  private func isKnown(_ name: Substring) -> Bool {
    // "!X", "-X", "+X" and "@STRENGTH" are operators of the list: they are known when X is.
    guard let first = name.first else { return false }
    if first == "@" { return true }
    let bare = "!-+".contains(first) ? String(name.dropFirst()) : String(name)
    let context = ContextHandle(server: true)
    defer { ERR_clear_error() }
    return unsafe SSL_CTX_set_cipher_list(context.pointer, bare) == 1
  }
}

extension TLSVersion {
  var code: Int32 {
    switch self {
    case .v12: TLS1_2_VERSION
    case .v13: TLS1_3_VERSION
    }
  }
}

extension TLSPolicy {
  /// AES-128 first: with AES-NI the cheapest, and nobody breaks it.
  static let suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
  static let groups = "X25519:P-256:P-384"

  var ciphers: String {
    let forward = [
      "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
      "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ]
    let old = ["DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-CHACHA20-POLY1305"]
    return (self == .modern ? forward : forward + old).joined(separator: ":")
  }
}
