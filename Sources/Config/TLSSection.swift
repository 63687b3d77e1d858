import Model

/// `tls` of listeners and pools. Its files are read here, and looked at by `MaterialChecks`.
extension Reader {
  func listenerTLS(_ fields: Fields, _ listener: Listener) -> ListenerTLS? {
    guard var result = serverTLS(fields) else { return nil }
    result.protocols = protocols(fields)
    // What a http listener can speak is known.
    if listener.transport == .http {
      if !fields.has("alpn") {
        result.protocols = listener.http2.enabled ? ["h2", "http/1.1"] : ["http/1.1"]
      } else if result.protocols.contains("h2"), !listener.http2.enabled {
        fields.error(at: "alpn", "`alpn`: h2 is offered, and `http2` is not enabled")
      }
    }
    fields.read("handshake-rate", .rate, into: &result.handshakeRatePerSource)
    return result
  }

  /// What every server has, whatever it speaks; nil without a certificate.
  func serverTLS(_ fields: Fields) -> ListenerTLS? {
    var certificates: [CertificateFiles] = []
    if fields.has("certificates") {
      for key in ["certificate", "key", "ocsp"] where fields.has(key) {
        error(fields.keyPlace(key), "`\(key)`: `certificates` is given too; expected it in its list")
      }
      for node in fields["certificates"]?.oneOrMany ?? [] {
        guard let inner = Fields(node, .certificate, self, label: "certificates") else { continue }
        if let files = certificate(inner, isServer: true) { certificates.append(files) }
      }
    } else if fields.has("certificate") {
      if let files = certificate(fields, isServer: true) { certificates.append(files) }
    } else if fields.lacks("certificate"), fields.lacks("certificates") {
      error(fields.place, "`tls`: expected `certificate` (and `key`), or a list of `certificates`")
    }
    var result = ListenerTLS(certificates: certificates)
    result.parameters = parameters(fields)
    fields.with("client-auth", .clientAuth) { result.clients = clientAuthentication($0) }
    fields.read("strict-sni", .boolean, into: &result.strictNames)
    fields.read("tickets", .boolean, into: &result.tickets)
    fields.read("handshake-timeout", .duration(), into: &result.handshakeTimeout)
    fields.read("handshakes", .integer(1...1_000_000), into: &result.handshakes)
    return certificates.isEmpty ? nil : result
  }

  func poolTLS(_ fields: Fields, _ spoken: PoolProtocol) -> PoolTLS {
    var result = PoolTLS()
    let ca = file(fields, "ca")
    let verify = Kind<Bool>.choice([("on", true), ("off", false)])
    if fields.value("verify", verify) == false {
      result.trust = .off
      for key in ["ca", "crl"] where fields.has(key) {
        error(fields.keyPlace(key), "`\(key)`: `verify` is off, so nobody is checked against it")
      }
    } else if let ca {
      result.trust = .authorities(ca)
    }
    result.revocations = file(fields, "crl")
    if result.trust != .off, ca != nil || result.revocations != nil {
      checkTrust(fields, authorities: ca, revocations: result.revocations)
    }
    fields.read("name", .serverName, into: &result.name)
    if fields.has("certificate") { result.certificate = certificate(fields, isServer: false) }
    if fields.has("key"), fields.lacks("certificate") {
      error(fields.keyPlace("key"), "`key`: expected `certificate` beside it")
    }
    result.parameters = parameters(fields)
    result.protocols = protocols(fields)
    if fields.lacks("alpn") {
      result.protocols =
        switch spoken {
        case .h1: []
        case .h2: ["h2"]
        case .auto: ["h2", "http/1.1"]
        }
    } else if spoken != .h1, !result.protocols.contains("h2") {
      fields.error(at: "alpn", "`alpn`: the pool's `protocol` is \(spoken.rawValue), and h2 is not offered")
    } else if spoken == .h1, result.protocols.contains("h2") {
      fields.error(
        at: "alpn", "`alpn`: h2 is offered, and the pool's `protocol` is h1; expected `protocol: auto` or h2")
    }
    fields.read("resume", .boolean, into: &result.resumes)
    return result
  }

  func tickets(_ fields: Fields) -> TicketOptions {
    var result = TicketOptions()
    result.file = fields.value("ticket-keys", .nonEmpty).map(absolute)
    fields.read("ticket-rotation", .duration(atLeast: .seconds(10)), into: &result.rotation)
    return result
  }

  private func clientAuthentication(_ fields: Fields) -> ClientAuthentication? {
    guard let authorities = file(fields, "ca") else {
      if fields.lacks("ca") { error(fields.place, "`client-auth`: expected `ca`: who signs clients' certificates") }
      return nil
    }
    var result = ClientAuthentication(mode: .require, authorities: authorities)
    fields.read("mode", .word, into: &result.mode)
    result.revocations = file(fields, "crl")
    checkTrust(fields, authorities: authorities, revocations: result.revocations)
    return result
  }

  // MARK: Parts

  private func parameters(_ fields: Fields) -> TLSParameters {
    var result = TLSParameters()
    fields.read("policy", .word, into: &result.policy)
    fields.read("min-version", .tlsVersion, into: &result.minimum)
    fields.read("max-version", .tlsVersion, into: &result.maximum)
    result.ciphers = list(fields, "ciphers")
    result.cipherSuites = list(fields, "cipher-suites")
    result.groups = list(fields, "groups")
    if result.maximum < result.minimum {
      fields.error(
        at: fields.has("max-version") ? "max-version" : "min-version",
        "`tls`: no version from \(result.minimum.rawValue) to \(result.maximum.rawValue)")
    } else if let problem = checks.parameters(result) {
      fields.error(at: problem.key, "`\(problem.key)`: \(problem.reason)")
    }
    return result
  }

  /// Names as a list, or as OpenSSL writes them, with colons.
  private func list(_ fields: Fields, _ key: String) -> String? {
    fields.list(key, .nonEmpty)?.joined(separator: ":")
  }

  private func protocols(_ fields: Fields) -> [String] {
    let name = Kind<String>("a protocol's name of at most 255 bytes such as http/1.1") {
      (1...255).contains($0.utf8.count) ? $0 : nil
    }
    return fields.list("alpn", name) ?? []
  }

  private func certificate(_ fields: Fields, isServer: Bool) -> CertificateFiles? {
    guard fields.has("certificate") else {
      if fields.lacks("certificate") { error(fields.place, "expected `certificate`: a PEM file") }
      return nil
    }
    guard let path = fields.value("certificate", .nonEmpty) else { return nil }
    // Without a key of its own, the certificate's file has it.
    let keyPath = fields.has("key") ? fields.value("key", .nonEmpty) : path
    let staplePath = isServer ? fields.value("ocsp", .nonEmpty) : nil
    guard let keyPath else { return nil }
    do throws(MaterialProblem) {
      let chain = try read(path)
      let key = keyPath == path ? chain : try read(keyPath)
      let staple: FileBytes? = if let staplePath { try read(staplePath) } else { nil }
      let checked = try checks.certificate(CertificateFiles(chain: chain, key: key, staple: staple))
      for remark in checked.remarks { warning(fields.keyPlace("certificate"), "`certificate`: \(remark)") }
      return checked.files
    } catch {
      // A file that is broken now does not take down what was right before.
      if let old = checks.previous(absolute(path), absolute(keyPath)) {
        warning(fields.keyPlace("certificate"), "\(error.file): \(error.reason); the certificate from before stays")
        return old
      }
      let key =
        error.file == absolute(keyPath) && keyPath != path
        ? "key" : staplePath.map(absolute) == error.file ? "ocsp" : "certificate"
      fields.error(at: key, "`\(key)`: \(error.file.shortened): \(error.reason)")
      return nil
    }
  }

  private func checkTrust(_ fields: Fields, authorities: FileBytes?, revocations: FileBytes?) {
    do throws(MaterialProblem) {
      if let remark = try checks.trust(authorities, revocations) { warning(fields.keyPlace("crl"), "`crl`: \(remark)") }
    } catch {
      let key = error.file == revocations?.path ? "crl" : "ca"
      fields.error(at: key, "`\(key)`: \(error.file.shortened): \(error.reason)")
    }
  }

  private func file(_ fields: Fields, _ key: String) -> FileBytes? {
    guard let path = fields.value(key, .nonEmpty) else { return nil }
    do throws(MaterialProblem) { return try read(path) } catch {
      fields.error(at: key, "`\(key)`: \(error.file.shortened): \(error.reason)")
      return nil
    }
  }

  private func read(_ path: String) throws(MaterialProblem) -> FileBytes {
    let path = absolute(path)
    do throws(SecretFileError) {
      return FileBytes(path: path, bytes: try SecretFile.bytes(path, limit: MaterialChecks.limit))
    } catch {
      throw MaterialProblem(file: path, reason: error.reason)
    }
  }
}

extension Kind<TLSVersion> {
  static var tlsVersion: Kind {
    Kind("\"1.2\" or \"1.3\"") { scalar in TLSVersion(rawValue: scalar.text).map { .value($0) } ?? .wrong() }
  }
}

extension Kind<String> {
  /// For SNI: no address, no port.
  static var serverName: Kind {
    let host = Kind<Match.Host>.host
    return Kind("a host name such as api.example.com") { scalar in
      if case .value(.exact(let name)) = host.parse(scalar), IPAddress(name) == nil { .value(name) } else { .wrong() }
    }
  }
}
