import Config
import Foundation
import Model
import Testing

private let vectors = root.appendingPathComponent("Tests/Vectors/tls").path

/// `tls` of listeners and pools, with files that are there.
@Suite struct EncryptionTests {
  private func load(_ text: String, checks: MaterialChecks = .none) throws(ConfigError) -> Topology {
    try Config.load(text, file: "test.yaml", baseDirectory: vectors, checks: checks).topology
  }

  private func faults(_ text: String, checks: MaterialChecks = .none) -> [String] {
    ConfigTests.faults(text, in: vectors, checks: checks)
  }

  private func listener(_ tls: String, protocol word: String = "http", match: String = "{}") -> String {
    """
    listeners:
      web:
        bind: 127.0.0.1:1
        protocol: \(word)
        tls: \(tls)
        routes: [{ match: \(match), pool: web }]
    pools: { web: { backends: [127.0.0.1:2] } }
    """
  }

  @Test func aListener() throws {
    let text = listener(
      """
      { certificates: [{ certificate: a.pem, key: a.key }, { certificate: wild.pem, key: wild.key }], policy: intermediate,
            min-version: "1.3", ciphers: [A, B], groups: "X25519:P-256", client-auth: { mode: optional, ca: wild.pem },
            strict-sni: true, tickets: false, handshake-timeout: 2s, handshakes: 10, handshake-rate: 5/s burst 9 }
      """)
    let tls = try #require(try load(text).listeners[0].tls)
    #expect(tls.certificates.map(\.chain.path) == ["\(vectors)/a.pem", "\(vectors)/wild.pem"])
    #expect(String(decoding: tls.certificates[0].key.bytes, as: UTF8.self).contains("PRIVATE KEY"))
    #expect(tls.parameters.policy == .intermediate && tls.parameters.minimum == .v13)
    #expect(tls.parameters.ciphers == "A:B" && tls.parameters.groups == "X25519:P-256")
    #expect(tls.clients?.mode == .optional && tls.clients?.authorities.path == "\(vectors)/wild.pem")
    #expect(tls.strictNames && !tls.tickets && tls.handshakes == 10)
    #expect(tls.protocols == ["h2", "http/1.1"])
    #expect(tls.handshakeTimeout == .seconds(2))
    #expect(tls.handshakeRatePerSource == Rate(count: 5, period: .seconds(1), burst: 9))
  }

  @Test func aPool() throws {
    func pool(_ tls: String) throws -> PoolTLS? {
      try load("pools: { web: { tls: \(tls), backends: [127.0.0.1:2] } }").pools[0].tls
    }
    #expect(try pool("{}")?.trust == .system)
    #expect(try pool("{ verify: off }")?.trust == .off)
    let given = try pool("{ ca: a.pem, name: api.test, certificate: wild.pem, key: wild.key, resume: false }")
    guard case .authorities(let file)? = given?.trust else { return #expect(Bool(false)) }
    #expect(file.path == "\(vectors)/a.pem")
    #expect(given?.name == "api.test" && given?.resumes == false && given?.certificate != nil)
  }

  @Test(arguments: [
    ("h1", []), ("h2", ["h2"]), ("auto", ["h2", "http/1.1"]),
  ]) func aPoolOffersWhatItSpeaks(word: String, offered: [String]) throws {
    let pools = try load("pools: { web: { protocol: \(word), tls: {}, backends: [127.0.0.1:2] } }").pools
    #expect(pools[0].tls?.protocols == offered)
    // RFC 7301: a probe is answered in the protocol that it offers.
    #expect(Probe(kind: .grpc(GRPCProbe())).encryption(pools[0].tls)?.protocols == ["h2"])
    #expect(
      Probe(kind: .http(HTTPProbe())).encryption(pools[0].tls)?.protocols == (offered.isEmpty ? [] : ["http/1.1"]))
  }

  @Test(arguments: [
    ("protocol: auto", "auto is agreed on by TLS"),
    ("protocol: h2, tls: { alpn: [http/1.1] }", "h2 is not offered"),
    ("tls: { alpn: [h2, http/1.1] }", "the pool's `protocol` is h1"),
    ("protocol: auto, tls: {}, send-proxy: v2", "are shared by clients"),
  ]) func aPoolThatContradictsItself(words: String, expected: String) {
    let found = faults("pools: { web: { \(words), backends: [127.0.0.1:2] } }")
    #expect(found.count == 1 && found[0].contains(expected), "\(found)")
  }

  @Test func routesLookAtTLS() throws {
    let print = String(repeating: "AB:", count: 31) + "AB"
    let text = listener(
      "{ certificate: a.pem, key: a.key }",
      match:
        "{ sni: [a.test, \"*.b.test\"], alpn: h2, client-cert: { subject: { prefix: \"CN=\" }, fingerprint: [\"\(print)\"] } }"
    )
    let match = try load(text).listeners[0].routes[0].match
    #expect(match.serverNames == [.exact("a.test"), .wildcard("b.test")])
    #expect(match.protocols == ["h2"])
    #expect(match.clientCertificate?.subject == .prefix("CN="))
    #expect(match.clientCertificate?.fingerprints == [String(repeating: "ab", count: 32)])
  }

  @Test(arguments: [
    ("{}", "5:10 `tls`: expected `certificate` (and `key`), or a list of `certificates`"),
    (
      "{ certificate: none.pem }",
      "5:25 `certificate`: \(vectors)/none.pem: the file is not there, or its directory is closed to this user"
    ),
    ("{ certificate: a.pem, key: a.key, policy: old }", "5:52 `policy`: expected modern or intermediate, found `old`"),
    (
      "{ certificate: a.pem, key: a.key, min-version: \"1.3\", max-version: \"1.2\" }",
      "5:77 `tls`: no version from 1.3 to 1.2"
    ),
    (
      "{ certificate: a.pem, key: a.key, client-auth: { mode: require } }",
      "5:57 `client-auth`: expected `ca`: who signs clients' certificates"
    ),
  ])
  func faultsOfAListener(tls: String, expected: String) { #expect(faults(listener(tls)) == [expected]) }

  @Test func aFaultInAFileIsNamedAtItsKey() {
    let broken = MaterialChecks(
      certificate: { files throws(MaterialProblem) in throw MaterialProblem(file: files.key.path, reason: "not its key")
      },
      trust: { _, _ in nil }, parameters: { _ in ("groups", "unknown") })
    let found = faults(listener("{ certificate: a.pem, key: wild.key, groups: x }"), checks: broken)
    #expect(found == ["5:37 `key`: \(vectors)/wild.key: not its key", "5:55 `groups`: unknown"])
  }

  @Test func whatIsInForceStays() throws {
    let old = CertificateFiles(
      chain: FileBytes(path: "\(vectors)/a.pem", bytes: [1]), key: FileBytes(path: "\(vectors)/a.key", bytes: [2]))
    var checks = MaterialChecks(
      certificate: { files throws(MaterialProblem) in throw MaterialProblem(file: files.chain.path, reason: "broken") },
      trust: { _, _ in nil }, parameters: { _ in nil })
    checks.previous = { chain, _ in chain == old.chain.path ? old : nil }
    let text = listener("{ certificate: a.pem, key: a.key }")
    let loaded = try Config.load(text, file: "test.yaml", baseDirectory: vectors, checks: checks)
    #expect(loaded.topology.listeners[0].tls?.certificates == [old])
    #expect(loaded.warnings.map(\.message) == ["\(vectors)/a.pem: broken; the certificate from before stays"])
  }

  @Test func factsInFields() {
    func edit(_ kind: String, _ value: String) -> [String] {
      faults(
        """
        listeners:
          web:
            bind: 127.0.0.1:1
            protocol: http
            routes: [{ request-headers: { \(kind): { x-a: "\(value)" } }, pool: web }]
        pools: { web: { backends: [127.0.0.1:2] } }
        """)
    }
    #expect(edit("set", "%{sni}").isEmpty)
    #expect(edit("add", "%{sni}").count == 1)
    #expect(edit("set", "%{nonsense}").first?.contains("expected one of `%{client-cert-subject}`") == true)
  }
}
