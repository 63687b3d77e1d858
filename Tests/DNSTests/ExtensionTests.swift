import DNS
import Model
import Testing

/// EDNS options: NSID, cookies, client subnet.
@Suite struct ExtensionTests {
  static func options(_ message: Message) -> [UInt16: [UInt8]] {
    var result: [UInt16: [UInt8]] = [:]
    var data = (message.options?.data ?? [])[...]
    while data.count >= 4 {
      let words = Array(data.prefix(4)).map(UInt16.init)
      let length = Int(words[2] << 8 | words[3])
      result[words[0] << 8 | words[1]] = Array(data.dropFirst(4).prefix(length))
      data = data.dropFirst(4 + length)
    }
    return result
  }

  static func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  static func word(_ bytes: [UInt8], _ start: Int = 0) -> UInt64 {
    bytes[start..<(start + 8)].reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// RFC 9018 appendix A: secret, client cookie, address, time, server cookie.
  static let cookies: [(String, String, String, UInt32, String)] = [
    (
      "e5e973e5a6b2a43f48e7dc849e37bfcf", "2464c4abcf10c957", "198.51.100.100", 1_559_731_985,
      "010000005cf79f111f8130c3eee29480"
    ),
    (
      "e5e973e5a6b2a43f48e7dc849e37bfcf", "2464c4abcf10c957", "198.51.100.100", 1_559_734_385,
      "010000005cf7a871d4a564a1442aca77"
    ),
    (
      "dd3bdf9344b678b185a6f5cb60fca715", "22681ab97d52c298", "2001:db8:220:1:59de:d0f4:8769:82b8", 1_559_741_817,
      "010000005cf7c57926556bd0934c72f8"
    ),
  ]

  @Test(arguments: cookies.indices) func serverCookiesAreThoseOfTheRFC(_ index: Int) throws {
    let (secret, client, address, time, cookie) = Self.cookies[index]
    let cookies = try #require(ServerCookies(secret: Self.hex(secret)))
    let made = cookies.make(client: Self.word(Self.hex(client)), address: try #require(IPAddress(address)), time: time)
    #expect(made == (Self.word(Self.hex(cookie)), Self.word(Self.hex(cookie), 8)))
  }

  @Test func cookiesAgeAndRoll() throws {
    let old = Self.hex("dd3bdf9344b678b185a6f5cb60fca715")
    let new = Self.hex("445536bcd2513298075a5d379663c962")
    let before = try #require(ServerCookies(secret: old))
    let after = try #require(ServerCookies(secret: new, previous: old))
    let address = IPAddress(192, 0, 2, 1)
    let cookie = before.make(client: 7, address: address, time: 10_000)
    func check(_ cookies: ServerCookies, _ time: UInt32, client: UInt64 = 7, from: IPAddress = IPAddress(192, 0, 2, 1))
      -> ServerCookies.Check
    {
      cookies.check(client: client, server: cookie, address: from, time: time)
    }
    #expect(check(before, 10_000) == .valid)
    #expect(check(before, 9_700) == .valid)
    #expect(check(before, 9_699) == .invalid)
    #expect(check(before, 11_801) == .aging)
    #expect(check(before, 13_601) == .invalid)
    #expect(check(after, 10_000) == .aging)
    #expect(check(before, 10_000, client: 8) == .invalid)
    #expect(check(before, 10_000, from: IPAddress(192, 0, 2, 2)) == .invalid)
    // Appendix A.3: the reserved bytes are another implementation's, but part of the hash.
    let foreign = try #require(ServerCookies(secret: Self.hex("e5e973e5a6b2a43f48e7dc849e37bfcf")))
    #expect(
      foreign.check(
        client: 0xfc93_fc62_807d_db86, server: (0x01ab_cdef_5cf7_8f71, 0xa314_227b_6679_ebf5),
        address: IPAddress(203, 0, 113, 203), time: 0x5cf7_8f71 + 60) == .valid)
  }

  @Test func cookiesAndServerIDAreAnswered() throws {
    var settings = Responder.Settings()
    settings.cookies = ServerCookies(key: (1, 2))
    settings.serverID = Array("node-1".utf8)
    let server = Server([try VectorTests.rich()], settings: settings)
    let own: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
    let query = Message.query(Name("www.rich.test")!, .a, udpSize: 1232, options: [0, 10, 0, 8] + own + [0, 3, 0, 0])
    let message = try #require(server.ask(query))
    let options = Self.options(message)
    #expect(options[3] == Array("node-1".utf8))
    let cookie = try #require(options[10])
    #expect(cookie.count == 24 && Array(cookie.prefix(8)) == own)
    // RFC 7873 §5.4: without a question, a cookie alone is asked for.
    var bare = query
    bare.questions = []
    let answer = try #require(server.ask(bare))
    #expect(answer.code == .noError && Self.options(answer)[10]?.count == 24)
  }

  @Test func answersArePaddedWhereTheyAreEncrypted() throws {
    let server = Server([try VectorTests.rich()])
    func size(_ name: String, _ type: RecordType, _ options: [UInt8], over transport: Responder.Transport) throws -> Int
    {
      let query = try #require(Message.query(named(name), type, udpSize: 1232, options: options).encoded())
      let (outcome, bytes) = server.ask(query, over: transport)
      #expect(outcome == .respond)
      let message = try Message(bytes)
      #expect(Self.options(message)[12].map { $0.allSatisfy { $0 == 0 } } ?? true)
      return bytes.count
    }
    let padding: [UInt8] = [0, 12, 0, 2, 0, 0]
    for (name, type) in [("www.rich.test", .a), ("nothing.rich.test", .a), ("big.rich.test", .txt)]
      as [(String, RecordType)]
    {
      let plain = try size(name, type, [], over: .tls)
      let padded = try size(name, type, padding, over: .tls)
      #expect(padded % 468 == 0 && padded - plain <= 468 + 3)
      #expect(try size(name, type, padding, over: .tcp) == plain)
    }
    // The option alone may fill a block, with nothing in it.
    #expect(try size("www.rich.test", .a, padding, over: .udp) < 468)
  }

  @Test func theSubnetComesBackWithTheScopeThatMattered() throws {
    let zone = try ResponderTests.zone("fixed A 192.0.2.1\n", balanced: ["hash.z.test": "h"])
    let members = (1...4).map { BalancedSet.Choice.member(.init(IPAddress(10, 0, 0, UInt8($0)))) }
    let server = Server([zone], view: [CompiledSet(BalancedSet(.init(.hash, members)))])
    func ask(_ name: String, _ option: [UInt8]) throws -> [UInt8] {
      let query = Message.query(named(name), .a, udpSize: 1232, options: [0, 8, 0, UInt8(option.count)] + option)
      let message = try #require(server.ask(query))
      return try #require(Self.options(message)[8])
    }
    // A static name is the same for everybody: scope 0 (RFC 7871 §7.2.1).
    #expect(try ask("fixed.z.test", [0, 1, 24, 0, 203, 0, 113]) == [0, 1, 24, 0, 203, 0, 113])
    #expect(try ask("hash.z.test", [0, 1, 24, 0, 203, 0, 113]) == [0, 1, 24, 24, 203, 0, 113])
    #expect(try ask("hash.z.test", [0, 1, 16, 0, 203, 0]) == [0, 1, 16, 16, 203, 0])
    #expect(
      try ask("hash.z.test", [0, 2, 56, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0]) == [0, 2, 56, 56, 0x20, 1, 0xd, 0xb8, 0, 0, 0])
    #expect(try ask("hash.z.test", [0, 1, 0, 0]) == [0, 1, 0, 0])
  }

  @Test func theOfferedSizeIsOurs() throws {
    let server = Server([try VectorTests.rich()])
    let options = try #require(server.ask("www.rich.test", .a, udpSize: 4096)?.options)
    #expect(options.class.rawValue == 1232)
    #expect(try #require(server.ask("www.rich.test", .a, udpSize: nil)).options == nil)
    let secure = Message.query(Name("www.rich.test")!, .a, udpSize: 1232, dnssecOK: true)
    #expect(try #require(server.ask(secure)?.options).ttl & 0x8000 != 0)
  }

  @Test func refusalsSayWhy() throws {
    let server = Server([try VectorTests.rich()])
    let refused = try #require(server.ask("www.elsewhere.example", .a))
    #expect(refused.code == .refused && Self.options(refused)[15] == [0, 20])
  }
}
