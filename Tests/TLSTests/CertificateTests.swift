import Model
import TLS
import Testing

@Suite struct CertificateTests {
  @Test func whatIsInIt() throws {
    let certificate = try Certificate(try files("a"))
    #expect(certificate.names == ["a.test", "www.a.test"])
    #expect(certificate.kind == .ecdsa)
    #expect(certificate.subject == "CN=a")
    #expect(certificate.notAfter - certificate.notBefore == 36_500 * 86_400)
    #expect(certificate.fingerprint.utf8.count == 64)
    #expect(try Certificate(try files("a-rsa")).kind == .rsa)
  }

  private func problem(_ files: CertificateFiles) -> MaterialError? {
    do {
      let certificate = try Certificate(files)
      _ = try ServerContext(name: "x", ListenerTLS(certificates: [files]), certificates: [certificate], tickets: nil)
      return nil
    } catch { return error as? MaterialError }
  }

  @Test func whatIsWrongWithIt() throws {
    let good = try files("a")
    let foreign = problem(CertificateFiles(chain: good.chain, key: try file("wild.key")))
    #expect(foreign?.file == "wild.key" && foreign?.reason == "the private key is not that of a.pem")
    let empty = FileBytes(path: "empty", bytes: [])
    #expect(problem(CertificateFiles(chain: empty, key: good.key))?.description == "empty: no certificate in it")
    #expect(problem(CertificateFiles(chain: good.chain, key: empty))?.description == "empty: no private key in it")
    #expect(problem(CertificateFiles(chain: good.chain, key: good.chain))?.description == "a.pem: no private key in it")
    var torn = good.key
    torn.bytes.removeSubrange(60..<100)
    let damaged = problem(CertificateFiles(chain: good.chain, key: torn))
    #expect(damaged?.file == "a.key" && damaged?.reason.hasPrefix("the private key in it is damaged: ") == true)
    let swapped = problem(CertificateFiles(chain: good.key, key: good.key))
    #expect(swapped?.reason == "no certificate in it")
    var cut = good.chain
    cut.bytes = Array(cut.bytes.prefix(cut.bytes.count / 2) + Array("\n-----END CERTIFICATE-----\n".utf8))
    #expect(problem(CertificateFiles(chain: cut, key: good.key)) != nil)
    let short = problem(try files("short"))
    #expect(short?.file == "short.pem" && short?.reason.contains("small") == true)
    let staple = FileBytes(path: "staple", bytes: [1, 2, 3])
    #expect(
      problem(CertificateFiles(chain: good.chain, key: good.key, staple: staple))?.reason
        == "not an OCSP response (DER)")
  }

  @Test func authorities() throws {
    #expect(throws: Never.self) { try TrustCheck.check(authorities: try file("a.pem"), revocations: nil) }
    #expect(throws: MaterialError.self) { try TrustCheck.check(authorities: try file("a.key"), revocations: nil) }
    #expect(throws: MaterialError.self) {
      try TrustCheck.check(authorities: try file("a.pem"), revocations: try file("a.pem"))
    }
  }

  @Test func parameters() throws {
    #expect(throws: Never.self) { try TLSParameters().check() }
    var intermediate = TLSParameters()
    intermediate.policy = .intermediate
    #expect(throws: Never.self) { try intermediate.check() }
    func part(_ edit: (inout TLSParameters) -> Void) -> ParameterError.Part? {
      var parameters = TLSParameters()
      edit(&parameters)
      do { try parameters.check() } catch { return (error as? ParameterError)?.part }
      return nil
    }
    #expect(part { $0.ciphers = "ECDHE-RSA-AES128-GCM-SHA256:NONSENSE" } == .ciphers)
    #expect(part { $0.ciphers = "ECDHE-RSA-AES128-GCM-SHA256:!aNULL" } == nil)
    #expect(part { $0.cipherSuites = "TLS_NONSENSE" } == .cipherSuites)
    #expect(part { $0.groups = "X25519:P-999" } == .groups)
    #expect(part { $0.groups = "P-384" } == nil)
  }
}
