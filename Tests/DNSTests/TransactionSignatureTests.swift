import DNS
import Model
import Testing
import Wire

/// TSIG with a keyed hash that stands in for HMAC; the scenarios have dig, BIND and Knot check real ones.
@Suite struct TransactionSignatureTests {
  private static func key(_ name: String, secret: UInt64 = 1) -> TransactionSigner {
    TransactionSigner(name: named(name), algorithm: .sha256) { message in
      var code: [UInt8] = []
      for part in 0..<4 as Range<UInt64> {
        var hash = SipHash(key: (secret, part))
        for byte in message { hash.update(byte) }
        var word = hash.finish()
        for _ in 0..<8 {
          code.append(UInt8(truncatingIfNeeded: word))
          word >>= 8
        }
      }
      return code
    }
  }

  private static func zone() throws -> Zone {
    try Zone.parse("$TTL 60\n@ SOA ns h 5 1 1 1 60\n@ NS ns\nns A 192.0.2.1\n", apex: named("z.test")).zone
  }

  /// A query with a TSIG record as RFC 8945 §4.2 draws it.
  private func signed(
    by key: TransactionSigner, time: UInt64 = 1_700_000_000, type: RecordType = .soa, corrupt: Bool = false
  ) throws -> [UInt8] {
    var bytes = try #require(Message.query(named("z.test"), type, id: 77).encoded())
    func big(_ value: UInt64, _ count: Int) -> [UInt8] {
      (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    }
    let clock = big(time, 6) + big(300, 2)
    let variables = key.name.wire + [0, 255, 0, 0, 0, 0] + key.algorithm.wire + clock + [0, 0, 0, 0]
    var code = key.code(bytes + variables)
    if corrupt { code[3] ^= 1 }
    let data = key.algorithm.wire + clock + big(UInt64(code.count), 2) + code + [0, 77, 0, 0, 0, 0]
    bytes += key.name.wire + [0, 250, 0, 255, 0, 0, 0, 0] + big(UInt64(data.count), 2) + data
    bytes[11] += 1
    return bytes
  }

  private func ask(
    _ bytes: [UInt8], keys: [TransactionSigner], over transport: Responder.Transport = .udp
  ) throws -> (Message?, outcome: Responder.Outcome, signer: ResponseSigner?) {
    var responder = Responder(.init(), seed: 1)
    responder.configure(.init(), keys: keys)
    var writer = MessageWriter()
    let outcome = responder.answer(
      bytes.span, from: .init(IPAddress(192, 0, 2, 9), transport),
      at: .init(now: Instant(nanoseconds: 0), unixSeconds: 1_700_000_100), zones: Zones([try Self.zone()]),
      view: DynamicView(), into: &writer)
    return (outcome == .respond ? try Message(writer.message) : nil, outcome, responder.signer)
  }

  /// The error field of the TSIG record at the end.
  private func error(_ message: Message?) -> Int? {
    guard let record = message?.additionals.last, record.type == .tsig, let length = record.dataName(at: 0)?.wire.count
    else { return nil }
    let size = Int(record.data[length + 8]) << 8 | Int(record.data[length + 9])
    return Int(record.data[length + 12 + size]) << 8 | Int(record.data[length + 13 + size])
  }

  @Test func aRightSignatureGetsASignedAnswer() throws {
    let key = Self.key("k.test")
    let (answer, _, signer) = try ask(signed(by: key), keys: [key])
    #expect(answer?.code == .noError && answer?.answers.count == 1 && error(answer) == 0 && signer != nil)
  }

  @Test func wrongOnesAreToldWhy() throws {
    let key = Self.key("k.test")
    let (unknown, _, _) = try ask(signed(by: Self.key("other.test")), keys: [key])
    #expect(unknown?.code == .notAuthoritative && error(unknown) == 17)
    let (forged, _, signer) = try ask(signed(by: Self.key("k.test", secret: 2)), keys: [key])
    #expect(forged?.code == .notAuthoritative && error(forged) == 16 && signer == nil)
    let (corrupt, _, _) = try ask(signed(by: key, corrupt: true), keys: [key])
    #expect(error(corrupt) == 16)
    let (late, _, _) = try ask(signed(by: key, time: 1_699_999_000), keys: [key])
    #expect(late?.code == .notAuthoritative && error(late) == 18)
    #expect(late?.answers.isEmpty == true)
  }

  @Test func aTransferIsSignedMessageByMessage() throws {
    let key = Self.key("k.test")
    let (_, outcome, signer) = try ask(signed(by: key, type: .axfr), keys: [key], over: .tcp)
    #expect(outcome == .transfer(zone: 0, since: nil))
    var query = Query()
    var name = LookupName()
    let request = try signed(by: key, type: .axfr)
    try Query.read(request.span, name: &name, into: &query)
    var transfer = ZoneTransfer(try Self.zone(), query: query, since: nil, signer: signer, limit: 512)
    var writer = MessageWriter()
    var count = 0
    while transfer.next(into: &writer, at: 1_700_000_100) {
      let message = try Message(writer.message)
      #expect(message.additionals.last?.type == .tsig)
      count += message.answers.count
    }
    #expect(count == 4)
  }

  @Test func cutOffSignaturesAreFormErrors() throws {
    let key = Self.key("k.test")
    let bytes = try signed(by: key)
    for length in (bytes.count - 60)..<bytes.count {
      let (answer, outcome, _) = try ask(Array(bytes[..<length]), keys: [key])
      #expect(outcome == .respond && answer?.code == .formatError)
    }
  }
}
