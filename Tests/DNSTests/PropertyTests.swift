import DNS
import Model
import Testing
import Wire

/// Whatever the zone and the query, answers are well formed; what is written reads back.
@Suite struct PropertyTests {
  static let labels = ["a", "b", "www", "*", "x-y", "A", "ns"]

  static func name(_ random: inout Random, below apex: String) -> String {
    var text = ""
    for _ in 0..<random.below(4) { text += labels[Int(random.below(UInt32(labels.count)))] + "." }
    return text + apex
  }

  static let data: [@Sendable (inout Random) -> String] = [
    { "A 192.0.2.\($0.below(256))" }, { "AAAA 2001:db8::\($0.below(9999))" },
    { "CNAME \(name(&$0, below: "p.test."))" }, { "NS \(name(&$0, below: "p.test."))" },
    { "DNAME \(name(&$0, below: "p.test."))" }, { "MX \($0.below(100)) \(name(&$0, below: "p.test."))" },
    { "TXT \"\(String(repeating: "t", count: Int($0.below(200))))\"" }, { "SRV 1 2 3 \(name(&$0, below: "p.test."))" },
    { "HTTPS 1 \(name(&$0, below: "p.test.")) alpn=h2" }, { "TYPE999 \\# 2 0\($0.below(10))00" },
  ]

  /// A random zone; records that would make it none are left out.
  static func zone(_ random: inout Random) throws -> Zone {
    let apex = named("p.test")
    let head = "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n"
    var text = head
    var zone = try Zone.parse(text, apex: apex).zone
    for _ in 0..<random.below(20) {
      let line = "\(name(&random, below: "p.test.")) \(data[Int(random.below(UInt32(data.count)))](&random))\n"
      guard let next = try? Zone.parse(text + line, apex: apex).zone else { continue }
      text += line
      zone = next
    }
    return zone
  }

  @Test func anyZoneAnswersAnyQuery() throws {
    var random = Random(seed: 5)
    for _ in 0..<150 {
      let zone = try Self.zone(&random)
      let server = Server([zone])
      for _ in 0..<60 {
        let apex = random.below(8) == 0 ? "test." : "p.test."
        let types: [RecordType] = [
          .a, .aaaa, .cname, .ns, .soa, .mx, .txt, .srv, .https, .dname, .ds, .any, RecordType(rawValue: 999),
        ]
        let type = types[Int(random.below(UInt32(types.count)))]
        let size: UInt16? = random.below(3) == 0 ? nil : 1232
        let query = Message.query(named(Self.name(&random, below: apex)), type, id: 1, udpSize: size)
        let encoded = try #require(query.encoded())
        let (outcome, bytes) = server.ask(encoded)
        #expect(outcome == .respond)
        let answer = try Message(bytes)
        #expect(answer.questions == query.questions)
        #expect(bytes.count <= Int(size ?? 512))
        #expect([.noError, .nameError, .refused, .nameExists].contains(answer.code))
        // A negative answer carries its SOA, a positive one its type or the way to it.
        if answer.code == .nameError, !answer.isTruncated { #expect(answer.authorities.last?.type == .soa) }
        for record in answer.answers where type != .any {
          #expect(record.type == type || record.type == .cname || record.type == .dname)
        }
      }
    }
  }

  @Test func whatIsEncodedDecodes() throws {
    var random = Random(seed: 6)
    for _ in 0..<100 {
      let zone = try Self.zone(&random)
      var message = Message()
      message.id = UInt16(truncatingIfNeeded: random.next())
      message.flags = 0x8400
      message.questions = [.init(zone.apex, .any)]
      let records = zone.records
      message.answers = records.filter { _ in random.below(2) == 0 }
      message.authorities = records.filter { _ in random.below(3) == 0 }
      message.additionals = records.filter { _ in random.below(3) == 0 }
      let bytes = try #require(message.encoded())
      let decoded = try Message(bytes)
      #expect(decoded == message)
      let plain =
        12 + zone.apex.wire.count + 4
        + (message.answers + message.authorities + message.additionals).reduce(0) {
          $0 + $1.name.wire.count + 10 + $1.data.count
        }
      #expect(bytes.count <= plain)
    }
  }

  @Test func aZonePrintsAndReadsBack() throws {
    let rich = try VectorTests.rich()
    let text = rich.records.map(\.description).joined(separator: "\n")
    #expect(try Zone.parse(text, apex: rich.apex).zone.records == rich.records)
  }

  @Test func anyBytesAreAnsweredOrDropped() throws {
    var random = Random(seed: 7)
    var settings = Responder.Settings()
    settings.cookies = ServerCookies(key: (3, 4))
    settings.serverID = [1, 2, 3]
    settings.version = [65]
    let server = Server([try VectorTests.rich()], settings: settings)
    let seeds = MalformedQueryTests.table.map(\.1)
    for _ in 0..<20_000 {
      var bytes = seeds[Int(random.below(UInt32(seeds.count)))]
      for _ in 0..<random.below(6) where !bytes.isEmpty {
        let place = Int(random.below(UInt32(bytes.count)))
        switch random.below(4) {
        case 0: bytes.remove(at: place)
        case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        default: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        }
      }
      let (outcome, response) = server.ask(bytes, over: random.below(2) == 0 ? .tcp : .udp)
      guard outcome == .respond else { continue }
      let message = try Message(response)
      #expect(message.isResponse && message.id == UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
    }
  }
}
