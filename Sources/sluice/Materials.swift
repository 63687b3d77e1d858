internal import Config
internal import Foundation
internal import Model
internal import TLS

/// OpenSSL's judgement of the files that a configuration names.
enum Materials {
  /// - Parameter inForce: what is served now, which a file that is broken now does not take down.
  static func checks(inForce: Topology? = nil) -> MaterialChecks {
    MaterialChecks(
      certificate: { files throws(MaterialProblem) in
        do throws(MaterialError) { return try checked(files) } catch {
          throw MaterialProblem(file: error.file, reason: error.reason)
        }
      },
      trust: { authorities, revocations throws(MaterialProblem) in
        do throws(MaterialError) {
          let end = try TrustCheck.check(authorities: authorities, revocations: revocations)
          guard let end, end < Int64(Date().timeIntervalSince1970), let revocations else { return nil }
          return "\(revocations.path): a revocation list has ended on \(date(end)): whom it is about is not let in"
        } catch {
          throw MaterialProblem(file: error.file, reason: error.reason)
        }
      },
      parameters: { parameters in
        do throws(ParameterError) {
          try parameters.check()
          return nil
        } catch {
          return (key(error.part), error.reason)
        }
      },
      previous: { chain, key in
        inForce?.certificates.first { $0.chain.path == chain && $0.key.path == key }
      })
  }

  private static func key(_ part: ParameterError.Part) -> String {
    switch part {
    case .ciphers: "ciphers"
    case .cipherSuites: "cipher-suites"
    case .groups: "groups"
    case .versions: "min-version"
    }
  }

  static func checked(_ files: CertificateFiles) throws(MaterialError) -> CheckedCertificate {
    let certificate = try Certificate(files)
    // What a context refuses (a key that is too short, say) is refused here already.
    _ = try ServerContext(name: "check", ListenerTLS(certificates: [files]), certificates: [certificate], tickets: nil)
    var files = files
    files.summary = CertificateSummary(
      names: certificate.names, subject: certificate.subject, key: certificate.kind.rawValue,
      notBefore: certificate.notBefore, notAfter: certificate.notAfter)
    let now = Int64(Date().timeIntervalSince1970)
    var remarks: [String] = []
    if certificate.notAfter < now {
      remarks.append("\(files.chain.path) has expired on \(date(certificate.notAfter))")
    } else if let days = Expiry.threshold(certificate.notAfter - now) {
      remarks.append(
        "\(files.chain.path) expires within \(days == 1 ? "a day" : "\(days) days"), on \(date(certificate.notAfter))")
    }
    if certificate.notBefore > now {
      remarks.append("\(files.chain.path) is valid from \(date(certificate.notBefore)) on")
    }
    if let staple = files.staple, let end = certificate.stapleEnd, end < now {
      remarks.append("\(staple.path) holds an OCSP response that has ended on \(date(end)): it is not stapled")
    }
    return CheckedCertificate(files: files, remarks: remarks)
  }

  /// RFC 3339.
  static func date(_ seconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(seconds)).formatted(Date.ISO8601FormatStyle())
  }
}

extension Topology {
  /// TLS of whatever clients connect to.
  var servers: [ListenerTLS] { listeners.compactMap(\.tls) + [names?.secure?.tls].compactMap { $0 } }

  /// Every certificate with its key, of listeners, the name server and pools.
  var certificates: [CertificateFiles] {
    servers.flatMap(\.certificates) + pools.compactMap { $0.tls?.certificate }
  }

  /// Every file of TLS.
  var materials: [FileBytes] {
    var files: [FileBytes?] = certificates.flatMap { [$0.chain, $0.key, $0.staple] }
    for server in servers { files += [server.clients?.authorities, server.clients?.revocations] }
    for pool in pools {
      files.append(pool.tls?.revocations)
      if case .authorities(let file) = pool.tls?.trust { files.append(file) }
    }
    return files.compactMap { $0 }
  }

  /// The same with other files of TLS, which are known to be right.
  func replacing(certificates fresh: [CertificateFiles], files: [FileBytes]) -> Topology {
    func new(_ old: CertificateFiles) -> CertificateFiles {
      fresh.first {
        $0.chain.path == old.chain.path && $0.key.path == old.key.path && $0.staple?.path == old.staple?.path
      }
        ?? old
    }
    func new(_ old: FileBytes) -> FileBytes { files.first { $0.path == old.path } ?? old }
    func new(_ old: ListenerTLS) -> ListenerTLS {
      var tls = old
      tls.certificates = tls.certificates.map(new)
      if var clients = tls.clients {
        clients.authorities = new(clients.authorities)
        clients.revocations = clients.revocations.map(new)
        tls.clients = clients
      }
      return tls
    }
    var result = self
    for index in result.listeners.indices { result.listeners[index].tls = result.listeners[index].tls.map(new) }
    if let secure = result.names?.secure { result.names?.secure?.tls = new(secure.tls) }
    for index in result.pools.indices {
      guard var tls = result.pools[index].tls else { continue }
      tls.certificate = tls.certificate.map(new)
      tls.revocations = tls.revocations.map(new)
      if case .authorities(let file) = tls.trust { tls.trust = .authorities(new(file)) }
      result.pools[index].tls = tls
    }
    return result
  }
}
