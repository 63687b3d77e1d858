import TLS
import Testing

@Suite struct MutualTLSTests {
  let authority: CertificateAuthority
  let server: CertificateAuthority.Issued
  let client: CertificateAuthority.Issued

  init() throws {
    let root = try CertificateAuthority.create(name: "test authority", days: 10)
    authority = try CertificateAuthority(certificate: root.certificate, key: root.key)
    server = try authority.issue(name: "machine", days: 1, isServer: true)
    client = try authority.issue(name: "controller", days: 1, isServer: false)
  }

  private func identity(_ issued: CertificateAuthority.Issued, _ authority: String? = nil) throws -> MutualTLS.Identity
  {
    try MutualTLS.Identity(certificate: issued.certificate, key: issued.key, authority: authority ?? self.authority.pem)
  }

  private func meet(_ one: MutualTLS, _ other: MutualTLS) throws {
    var nothing: [UInt8] = []
    try one.handshake()
    for _ in 0..<10 {
      _ = try other.receive(one.takeOutgoing(), into: &nothing)
      _ = try one.receive(other.takeOutgoing(), into: &nothing)
    }
  }

  @Test func carriesBytesBothWays() throws {
    let one = try MutualTLS(identity(client), client: "machine")
    let other = try MutualTLS(identity(server), client: nil)
    try meet(one, other)
    #expect(one.isEstablished && other.isEstablished)
    #expect(one.peerSerial == server.serial)
    #expect(other.peerSerial == client.serial)
    let message = [UInt8](repeating: 7, count: 100_000)
    try one.send(message)
    var got: [UInt8] = []
    for byte in one.takeOutgoing().chunked(999) { _ = try other.receive(byte, into: &got) }
    #expect(got == message)
    one.close()
    #expect(try other.receive(one.takeOutgoing(), into: &got) == .closed)
  }

  @Test func refusesAnotherName() throws {
    let one = try MutualTLS(identity(client), client: "another")
    let other = try MutualTLS(identity(server), client: nil)
    #expect(throws: CryptoError.self) { try meet(one, other) }
  }

  @Test func refusesAnotherAuthority() throws {
    let root = try CertificateAuthority.create(name: "test authority", days: 10)
    let stranger = try CertificateAuthority(certificate: root.certificate, key: root.key)
      .issue(name: "controller", days: 1, isServer: false)
    let one = try MutualTLS(identity(stranger), client: "machine")
    let other = try MutualTLS(identity(server), client: nil)
    #expect(throws: CryptoError.self) { try meet(one, other) }
  }

  @Test func refusesAServerAsClient() throws {
    let one = try MutualTLS(identity(server), client: "machine")
    let other = try MutualTLS(identity(server), client: nil)
    #expect(throws: CryptoError.self) { try meet(one, other) }
  }
}

extension [UInt8] {
  fileprivate func chunked(_ size: Int) -> [[UInt8]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
