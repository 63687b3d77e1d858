import Sniff
import Testing
import Wire

/// Builds ClientHellos, right and wrong ones.
struct HelloBuilder {
  var version: UInt16 = 0x0303
  var session: [UInt8] = Array(repeating: 7, count: 32)
  var ciphers: [UInt8] = [0x13, 0x01, 0x13, 0x02]
  var methods: [UInt8] = [0]
  var extensions: [(UInt16, [UInt8])] = []

  static func sixteen(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

  static func name(_ text: String) -> (UInt16, [UInt8]) { name(Array(text.utf8)) }
  static func name(_ bytes: [UInt8]) -> (UInt16, [UInt8]) {
    (0, sixteen(bytes.count + 3) + [0] + sixteen(bytes.count) + bytes)
  }
  static func protocols(_ names: [String]) -> (UInt16, [UInt8]) {
    let list = names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    return (16, sixteen(list.count) + list)
  }

  var message: [UInt8] {
    var body = HelloBuilder.sixteen(Int(version)) + [UInt8](repeating: 1, count: 32)
    body += [UInt8(session.count)] + session
    body += HelloBuilder.sixteen(ciphers.count) + ciphers
    body += [UInt8(methods.count)] + methods
    let list = extensions.flatMap { HelloBuilder.sixteen(Int($0.0)) + HelloBuilder.sixteen($0.1.count) + $0.1 }
    if !extensions.isEmpty { body += HelloBuilder.sixteen(list.count) + list }
    return [1, UInt8(body.count >> 16)] + HelloBuilder.sixteen(body.count & 0xffff) + body
  }

  /// In records of at most `size` bytes.
  func records(of size: Int = 1 << 14) -> [UInt8] {
    let message = message
    return stride(from: 0, to: message.count, by: size).flatMap { start -> [UInt8] in
      let part = message[start..<min(start + size, message.count)]
      return [22, 3, 1] + HelloBuilder.sixteen(part.count) + part
    }
  }
}

private func parse(_ bytes: [UInt8]) -> Result<ClientHello?, ClientHelloError> {
  do { return .success(try ClientHello.parse(bytes.span)) } catch { return .failure(error) }
}

@Suite struct ClientHelloTests {
  private var usual: HelloBuilder {
    HelloBuilder(extensions: [
      HelloBuilder.name("Shop.Example.com."), (43, [2, 3, 4]), HelloBuilder.protocols(["h2", "http/1.1"]),
    ])
  }
  private let expected: ClientHello = {
    var hello = ClientHello()
    hello.serverName = "shop.example.com"
    hello.protocols = ["h2", "http/1.1"]
    return hello
  }()

  @Test func nameAndProtocols() { #expect(parse(usual.records() + [1, 2, 3]) == .success(expected)) }

  @Test(arguments: [1, 2, 3, 5, 17, 64, 100]) func inManyRecords(size: Int) {
    #expect(parse(usual.records(of: size)) == .success(expected))
  }

  @Test(arguments: [1, 7, 16_384]) func everyCutAsksForMore(size: Int) {
    let bytes = usual.records(of: size)
    for cut in 0..<bytes.count {
      guard case .success(let found) = parse(Array(bytes[..<cut])) else {
        Issue.record("cut at \(cut): an error")
        return
      }
      #expect(found == nil, "cut at \(cut) of \(bytes.count)")
    }
  }

  @Test func withoutExtensions() { #expect(parse(HelloBuilder().records()) == .success(ClientHello())) }

  @Test func withoutAName() {
    #expect(parse(HelloBuilder(extensions: [(43, [2, 3, 4])]).records()) == .success(ClientHello()))
  }

  @Test(arguments: [
    (Array("GET / HTTP/1.1\r\n".utf8), ClientHelloError.notTLS), ([0x80, 0x2e, 1, 3, 1], .notTLS), ([22, 2], .notTLS),
    ([22, 3, 1, 0, 0], .malformed), ([22, 3, 1, 0x40, 1], .malformed), ([22, 3, 1, 0, 1, 2], .notClientHello),
    ([22, 3, 1, 0, 1, 1, 21, 3, 1, 0, 2], .unexpectedRecord), ([22, 3, 3, 0, 4, 1, 0xff, 0, 0], .tooLong),
  ])
  func notOne(bytes: [UInt8], error: ClientHelloError) { #expect(parse(bytes) == .failure(error)) }

  static let wrong: [HelloBuilder] = [
    HelloBuilder(version: 0x0203), HelloBuilder(session: [UInt8](repeating: 1, count: 33)), HelloBuilder(ciphers: []),
    HelloBuilder(ciphers: [1, 2, 3]), HelloBuilder(methods: []),
    HelloBuilder(extensions: [HelloBuilder.name("a.test"), HelloBuilder.name("b.test")]),
    HelloBuilder(extensions: [(43, []), (43, [])]), HelloBuilder(extensions: [(0, [])]),
    HelloBuilder(extensions: [(0, [0, 0])]), HelloBuilder(extensions: [(0, [0, 3, 0, 0, 0])]),
    HelloBuilder(extensions: [(0, [0, 4, 1, 0, 1, 97])]), HelloBuilder(extensions: [(0, [0, 9, 0, 0, 1, 97])]),
    // Two names in one list.
    HelloBuilder(extensions: [(0, [0, 8, 0, 0, 1, 97, 0, 0, 1, 98])]), HelloBuilder(extensions: [(16, [0, 0])]),
    HelloBuilder(extensions: [(16, [0, 1, 0])]), HelloBuilder(extensions: [(16, [0, 3, 5, 104, 50])]),
  ]

  @Test(arguments: wrong.indices) func malformed(index: Int) {
    #expect(parse(ClientHelloTests.wrong[index].records()) == .failure(.malformed))
  }

  @Test(arguments: ["a b", "a\0.test", "a/../b", "ä.test", "a:443", ".", String(repeating: "a", count: 254)])
  func badName(text: String) {
    #expect(parse(HelloBuilder(extensions: [HelloBuilder.name(text)]).records()) == .failure(.badName))
  }

  @Test func lengthsThatLie() {
    var bytes = usual.records()
    // The extensions' total says one byte more than there is.
    let offset = 5 + 4 + 2 + 32 + 33 + 6 + 2
    bytes[offset + 1] &+= 1
    #expect(parse(bytes) == .failure(.malformed))
  }

  @Test func aLongHello() {
    let padding = [UInt8](repeating: 0, count: 12_000)
    let hello = HelloBuilder(extensions: [(21, padding), HelloBuilder.name("late.test")])
    #expect((try? parse(hello.records(of: 4000)).get())??.serverName == "late.test")
    let longer = HelloBuilder(extensions: [(21, padding), (22, padding)])
    #expect(parse(longer.records()) == .failure(.tooLong))
  }
}
