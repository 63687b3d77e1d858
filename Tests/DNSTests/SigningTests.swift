import DNS
import Model
import Testing

/// DNSSEC's shape, with a signature that is only a checksum; the scenarios have real validators judge real ones.
@Suite struct SigningTests {
  private static func server(_ denial: ZoneSigning.Denial) throws -> SignedServer {
    let text = """
      $TTL 300
      @ SOA ns h 5 1 1 1 60
      @ NS ns
      ns A 192.0.2.53
      www A 192.0.2.1
      www A 192.0.2.2
      alias CNAME www
      *.wild A 192.0.2.3
      a.ent A 192.0.2.4
      sub NS ns.sub
      ns.sub A 192.0.2.5
      dn DNAME www
      """
    let zone = try Zone.parse(text, apex: named("z.test"), balanced: [named("api.z.test"): "api"]).zone
    let signer = ZoneSigner(publicKey: [UInt8](repeating: 7, count: 64), denial: denial, validity: 86_400) { message in
      var sum: UInt8 = 0
      for byte in message { sum = sum &* 31 &+ byte }
      return [UInt8](repeating: sum, count: 64)
    }
    return SignedServer(zone, signer)
  }

  final class SignedServer {
    var responder = Responder(.init(), seed: 1)
    var writer = MessageWriter()
    let zones: Zones
    let view: DynamicView

    init(_ zone: Zone, _ signer: ZoneSigner) {
      zones = Zones([zone], signers: [zone.apex: signer])
      let members = (1...2).map { BalancedSet.Choice.member(.init(IPAddress(10, 0, 0, UInt8($0)))) }
      view = DynamicView([CompiledSet(BalancedSet(.init(.all, members), count: 2))])
      responder.prepare(for: view)
    }

    func ask(_ name: String, _ type: RecordType, dnssecOK: Bool = true) throws -> Message {
      let query = Message.query(named(name), type, id: 1, udpSize: 1232, dnssecOK: dnssecOK)
      let bytes = try #require(query.encoded())
      let outcome = responder.answer(
        bytes.span, from: .init(IPAddress(192, 0, 2, 200), .udp),
        at: .init(now: Instant(nanoseconds: 0), unixSeconds: 1_700_000_000), zones: zones, view: view, into: &writer)
      #expect(outcome == .respond)
      return try Message(writer.message)
    }
  }

  private func types(_ records: [Record]) -> [RecordType] { records.map(\.type) }

  @Test func eachSetHasItsSignature() throws {
    let server = try Self.server(.compact)
    #expect(try types(server.ask("www.z.test", .a).answers) == [.a, .a, .rrsig])
    #expect(try types(server.ask("alias.z.test", .a).answers) == [.cname, .rrsig, .a, .a, .rrsig])
    #expect(try types(server.ask("api.z.test", .a).answers) == [.a, .a, .rrsig])
    #expect(try types(server.ask("www.z.test", .a, dnssecOK: false).answers) == [.a, .a])
    let wild = try server.ask("x.wild.z.test", .a)
    // Signed under the name that was asked for: four labels, not the wildcard's three.
    #expect(types(wild.answers) == [.a, .rrsig] && wild.answers[1].data[3] == 4 && wild.authorities.isEmpty)
    // What a DNAME means is not signed.
    #expect(try types(server.ask("x.dn.z.test", .txt).answers) == [.dname, .rrsig, .cname])
  }

  @Test func equalSetsAreSignedOnce() throws {
    let server = try Self.server(.compact)
    _ = try server.ask("www.z.test", .a)
    let made = server.responder.account().signatures
    for _ in 0..<10 { _ = try server.ask("WWW.z.test", .a) }
    #expect(server.responder.account().signatures == made)
  }

  @Test func compactDenialSaysThatTheNameExistsWithoutTheType() throws {
    let server = try Self.server(.compact)
    let nothing = try server.ask("nowhere.z.test", .a)
    #expect(nothing.code == .noError && types(nothing.authorities) == [.soa, .rrsig, .nsec, .rrsig])
    let proof = nothing.authorities[2]
    #expect(proof.name == Name("nowhere.z.test") && proof.dataName(at: 0) == Name("\\000.nowhere.z.test"))
    // RRSIG and NSEC in the first window; NXNAME is 128.
    #expect(proof.data.suffix(19) == [0, 17, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128])
    #expect(try server.ask("nowhere.z.test", .a, dnssecOK: false).code == .nameError)
    let noType = try server.ask("www.z.test", .txt)
    // A, RRSIG, NSEC.
    #expect(noType.authorities[2].data.suffix(8) == [0, 6, 0x40, 0, 0, 0, 0, 3])
    #expect(try server.ask("ent.z.test", .a).authorities[2].data.suffix(8) == [0, 6, 0, 0, 0, 0, 0, 3])
    #expect(try server.ask("www.z.test", .nxname).code == .formatError)
  }

  @Test func theChainCoversTheNameAndItsWildcard() throws {
    let server = try Self.server(.nsec)
    let nothing = try server.ask("nowhere.z.test", .a)
    #expect(nothing.code == .nameError)
    let proofs = nothing.authorities.filter { $0.type == .nsec }
    #expect(proofs.map { $0.name.description } == ["a.ent.z.test.", "z.test."])
    #expect(proofs[0].dataName(at: 0) == Name("ns.z.test") && proofs[1].dataName(at: 0) == Name("alias.z.test"))
    // The empty non-terminal is covered: the next name is below it.
    let inner = try server.ask("ent.z.test", .a).authorities.filter { $0.type == .nsec }
    #expect(inner.map { $0.dataName(at: 0)?.description } == ["a.ent.z.test."])
    // The last name leads back to the apex.
    let last = try server.ask("zzz.z.test", .a).authorities.filter { $0.type == .nsec }
    #expect(last[0].dataName(at: 0) == Name("z.test"))
  }

  /// The balanced name has IPv4 addresses only.
  @Test(arguments: [ZoneSigning.Denial.compact, .nsec])
  func aMissingFamilyIsDeniedWhereItIsAskedForAlone(_ denial: ZoneSigning.Denial) throws {
    let server = try Self.server(denial)
    let denied = try #require(server.ask("api.z.test", .aaaa).authorities.first { $0.type == .nsec })
    // A, RRSIG, NSEC.
    #expect(denied.name == Name("api.z.test") && denied.data.suffix(8) == [0, 6, 0x40, 0, 0, 0, 0, 3])
    guard denial == .nsec else { return }
    // The proof for a name behind it lists both: who keeps it must not take them for missing.
    let covering = try #require(server.ask("apj.z.test", .aaaa).authorities.first { $0.type == .nsec })
    #expect(covering.name == Name("api.z.test") && covering.data.suffix(8) == [0, 6, 0x40, 0, 0, 8, 0, 3])
  }

  @Test(arguments: [ZoneSigning.Denial.compact, .nsec])
  func theProofItselfCanBeAskedFor(_ denial: ZoneSigning.Denial) throws {
    let server = try Self.server(denial)
    let asked = try server.ask("www.z.test", .nsec)
    #expect(types(asked.answers) == [.nsec, .rrsig] && asked.authorities.isEmpty && asked.code == .noError)
    #expect(asked.answers[0].data.suffix(8) == [0, 6, 0x40, 0, 0, 0, 0, 3])
    // An empty non-terminal has none in a chain.
    #expect(try server.ask("ent.z.test", .nsec).answers.isEmpty == (denial == .nsec))
    #expect(try server.ask("www.z.test", .nsec, dnssecOK: false).answers.isEmpty)
  }

  @Test(arguments: [ZoneSigning.Denial.compact, .nsec])
  func anInsecureDelegationIsProved(_ denial: ZoneSigning.Denial) throws {
    let answer = try Self.server(denial).ask("x.sub.z.test", .a)
    #expect(types(answer.authorities) == [.ns, .nsec, .rrsig] && !answer.isAuthoritative)
    #expect(answer.authorities[1].name == Name("sub.z.test"))
    #expect(types(answer.additionals.filter { $0.type != .opt }) == [.a])
  }

  @Test func aKeyHasItsTag() {
    // RFC 6605 §6.1.
    let text = "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA=="
    let key = Base64.decode(Array(text.utf8)) ?? []
    let signer = ZoneSigner(publicKey: key, denial: .compact, validity: 0) { _ in nil }
    #expect(signer.keyTag == 55_648)
  }
}
