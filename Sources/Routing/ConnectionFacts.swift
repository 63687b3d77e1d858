package import Model

/// What TLS tells of a client, for routes and fields.
package struct ConnectionFacts: Hashable, Sendable {
  /// What it asked for (SNI), lower case; empty: nothing.
  package var serverName: String
  /// What it offers, or the one that was agreed on (ALPN).
  package var protocols: [String]
  /// "TLSv1.3"; empty when TLS is passed on.
  package var version: String
  package var cipher: String
  /// Of its certificate; nil: it has none.
  package var subject: String?
  package var fingerprint: String?

  package init(
    serverName: String, protocols: [String], version: String = "", cipher: String = "", subject: String? = nil,
    fingerprint: String? = nil
  ) {
    self.serverName = serverName
    self.protocols = protocols
    self.version = version
    self.cipher = cipher
    self.subject = subject
    self.fingerprint = fingerprint
  }

  /// As a field's value: ASCII without control characters; nil: it is not known.
  package subscript(fact: ConnectionFact) -> String? {
    switch fact {
    case .clientSubject: subject
    case .clientFingerprint: fingerprint
    // A client may send any bytes there; what is no host name goes no further.
    case .serverName:
      serverName.utf8.allSatisfy { (0x21...0x7e).contains($0) } ? serverName : nil
    case .version: version
    case .cipher: cipher
    }
  }
}

/// What a route asks of them, compiled.
struct ConnectionTest: Sendable {
  let exact: [String]
  /// With a dot before: ".example.com".
  let suffixes: [String]
  let protocols: [String]
  let certificate: Match.ClientCertificate?
  /// Of the subject, when it is tested by one.
  let regex: Regex?

  init(_ match: Match, regex: Regex?) {
    exact = match.serverNames.compactMap { if case .exact(let name) = $0 { name } else { nil } }
    suffixes = match.serverNames.compactMap { if case .wildcard(let name) = $0 { ".\(name)" } else { nil } }
    protocols = match.protocols
    certificate = match.clientCertificate
    self.regex = regex
  }

  func passes(_ facts: ConnectionFacts?, _ scratch: inout RegexScratch) -> Bool {
    if !exact.isEmpty || !suffixes.isEmpty {
      guard let name = facts?.serverName, !name.isEmpty,
        exact.contains(name) || suffixes.contains(where: { name.hasSuffix($0) && name.utf8.count > $0.utf8.count })
      else { return false }
    }
    if !protocols.isEmpty {
      guard let facts, facts.protocols.contains(where: protocols.contains) else { return false }
    }
    guard let certificate else { return true }
    if let present = certificate.present, (facts?.fingerprint != nil) != present { return false }
    if !certificate.fingerprints.isEmpty {
      guard let fingerprint = facts?.fingerprint, certificate.fingerprints.contains(fingerprint) else { return false }
    }
    switch certificate.subject {
    case nil: return true
    case .present: return facts?.subject != nil
    case .absent: return facts?.subject == nil
    case .exact(let text): return facts?.subject == text
    case .prefix(let text): return facts?.subject?.hasPrefix(text) == true
    case .regex:
      guard let subject = facts?.subject, let regex else { return false }
      return regex.matches(Array(subject.utf8).span, scratch: &scratch)
    }
  }
}
