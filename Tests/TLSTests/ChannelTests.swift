import Model
import Reactor
import TLS
import Testing
import Wire

@Suite struct ChannelTests {
  @Test func aHandshake() throws {
    var talk = Conversation()
    let (one, two) = try talk.meet(
      try client(trusting: "a", as: "a.test") { $0.protocols = ["h2", "http/1.1"] },
      try server(["a"]) { $0.protocols = ["http/1.1"] })
    #expect(one.isDone && two.isDone)
    let negotiatedProtocol = talk.right.negotiatedProtocol(talk.server)
    #expect(negotiatedProtocol == .http1)
    let serverName = talk.right.serverName(talk.server)
    #expect(serverName == "a.test")
    let version = talk.right.version(talk.server)
    #expect(version == "TLSv1.3")
    let identity = talk.right.identity(talk.server)
    #expect(identity == nil)
    talk.end()
  }

  /// RFC 9113 §9.2.2: HTTP/2 is not agreed on with a cipher of its list; what the client offers beside it is.
  @Test(arguments: [
    ("ECDHE-ECDSA-AES128-SHA", NegotiatedProtocol.http1), ("ECDHE-ECDSA-AES128-GCM-SHA256", .http2),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", .http2),
  ]) func ciphersOfHTTP2(cipher: String, expected: NegotiatedProtocol) throws {
    var talk = Conversation()
    let (one, two) = try talk.meet(
      try client(trusting: "a", as: "a.test") {
        $0.protocols = ["h2", "http/1.1"]
        $0.parameters.maximum = .v12
        $0.parameters.ciphers = cipher
      },
      try server(["a"]) {
        $0.protocols = ["h2", "http/1.1"]
        $0.parameters.ciphers = cipher
      })
    #expect(one.isDone && two.isDone)
    let chosen = talk.right.negotiatedProtocol(talk.server)
    #expect(chosen == expected)
    talk.end()
  }

  /// RFC 9113 §9.1.1.
  @Test(arguments: [
    ("a.test", true), ("WWW.a.test", true), ("x.w.test", false), ("nobody.test", true), ("", true),
  ]) func hostsOfAConnection(host: String, isServed: Bool) throws {
    var talk = Conversation()
    let context = try server(["a", "wild"])
    _ = try talk.meet(try client(trusting: "a", as: "a.test"), context)
    var region = ByteRegion(capacity: 100)
    region.append(string: host)
    let serves = talk.right.serves(talk.server, region, 0..<region.count, context)
    #expect(serves == isServed)
    let hasNames = context.hasNames
    #expect(hasNames)
    talk.end()
  }

  /// Whatever the pieces are that bytes come in, and whatever room their reader has.
  @Test(arguments: [TLSVersion.v12, .v13]) func bytesSurviveAnyChunking(version: TLSVersion) throws {
    var talk = Conversation()
    let (one, two) = try talk.meet(
      try client(trusting: "a", as: "a.test") { $0.parameters.maximum = version }, try server(["a"]))
    #expect(one.isDone && two.isDone)
    var random = Random(seed: 7)
    var sent: [UInt8] = []
    var got: [UInt8] = []
    for _ in 0..<300 {
      var message = ByteRegion(capacity: 64 * 1024)
      for _ in 0..<random.below(random.below(4) == 0 ? 60_000 : 300) {
        message.append(byte: UInt8(truncatingIfNeeded: random.next()))
      }
      for index in 0..<message.count { sent.append(message[index]) }
      let isWritten = talk.left.encrypt(talk.client, message, 0..<message.count)
      #expect(isWritten)
      // The socket between takes it all: it is read before the next message.
      var chain = Chain()
      var pool = BufferPool(bytes: 1 << 20)
      let result = talk.left.send(to: talk.sockets.client)
      let isKept = talk.left.keepPending(from: result.bytes, in: &pool, &chain)
      #expect(isKept)
      var turns = 0
      while turns < 2000, got.count < sent.count {
        turns += 1
        if !chain.isEmpty { _ = pool.send(&chain, to: talk.sockets.client) }
        var room = ByteRegion(capacity: Int(1 + random.below(random.below(2) == 0 ? 64 : 40_000)))
        _ = talk.right.load(talk.server)
        _ = talk.right.receive(from: talk.sockets.server, atMost: min(talk.right.room, Int(1 + random.below(30_000))))
        let outcome = talk.right.decrypt(talk.server, into: &room)
        #expect(outcome == .drained || outcome == .full)
        for index in 0..<room.count { got.append(room[index]) }
      }
      pool.release(&chain)
      guard got.count == sent.count else { break }
    }
    #expect(got == sent)
    talk.end()
  }

  @Test func theEnd() throws {
    var talk = Conversation()
    _ = try talk.meet(try client(trusting: "a", as: "a.test"), try server(["a"]))
    talk.left.end(talk.client)
    let hasPending = talk.left.hasPending
    #expect(hasPending)
    _ = talk.left.send(to: talk.sockets.client)
    talk.left.clearPending()
    var region = ByteRegion(capacity: 100)
    _ = talk.right.load(talk.server)
    _ = talk.right.receive(from: talk.sockets.server, atMost: 1000)
    let outcome = talk.right.decrypt(talk.server, into: &region)
    #expect(outcome == .ended)
    let standing = talk.right.standing(talk.server)
    #expect(standing == .ended)
    // It may still answer.
    region.append("bye")
    let isWritten = talk.right.encrypt(talk.server, region, 0..<3)
    #expect(isWritten)
    talk.right.clearPending()
    talk.end()
  }

  @Test func rubbishFails() throws {
    var talk = Conversation()
    _ = try talk.meet(try client(trusting: "a", as: "a.test"), try server(["a"]))
    var region = ByteRegion(capacity: 100)
    region.append("HTTP/1.1 400 nonsense\r\n\r\n")
    _ = region.send(0..<region.count, to: talk.sockets.client)
    region.clear()
    _ = talk.right.load(talk.server)
    _ = talk.right.receive(from: talk.sockets.server, atMost: 1000)
    let outcome = talk.right.decrypt(talk.server, into: &region)
    #expect(outcome == .failed)
    let standing = talk.right.standing(talk.server)
    #expect(standing == .failed)
    talk.right.clearPending()
    talk.end()
  }

  // MARK: Names

  @Test(arguments: [
    ("a.test", "a"), ("A.TEST", "a"), ("x.w.test", "wild"), ("www.a.test", "a"), ("x.y.w.test", "a"), ("w.test", "a"),
    ("other.test", "a"),
  ])
  func theCertificateOfAName(name: String, expected: String) throws {
    var talk = Conversation()
    let context = try server(["a", "wild"])
    // Only who has that certificate among its authorities gets through.
    let (one, _) = try talk.meet(
      try client(trusting: expected, as: name) { $0.trust = .off }, context)
    #expect(one.isDone)
    let identity = talk.left.identity(talk.client)
    #expect(identity?.subject == "CN=\(expected)")
    talk.end()
  }

  @Test func strictNames() throws {
    var talk = Conversation()
    let (one, two) = try talk.meet(
      try client(trusting: nil, as: "other.test"), try server(["a"]) { $0.strictNames = true })
    #expect(two.failure?.kind == .name)
    #expect(one.failure?.kind == .alert)
    talk.end()
  }

  @Test func noCommonProtocol() throws {
    var talk = Conversation()
    let (_, two) = try talk.meet(
      try client(trusting: nil, as: "a.test") { $0.protocols = ["h9"] },
      try server(["a"]) { $0.protocols = ["http/1.1"] })
    #expect(two.failure?.kind == .name)
    talk.end()
  }

  @Test func noCommonVersion() throws {
    var talk = Conversation()
    let (_, two) = try talk.meet(
      try client(trusting: nil, as: "a.test") { $0.parameters.maximum = .v12 },
      try server(["a"]) { $0.parameters.minimum = .v13 })
    #expect(two.failure?.kind == .mismatch)
    talk.end()
  }

  // MARK: Trust

  @Test(arguments: [("wild", "a.test"), ("a", "other.test")]) func aWrongAuthorityOrName(trusted: String, name: String)
    throws
  {
    var talk = Conversation()
    let (one, two) = try talk.meet(try client(trusting: trusted, as: name), try server(["a"]))
    #expect(one.failure?.kind == .certificate)
    #expect(!two.isDone || one.failure != nil)
    talk.end()
  }

  @Test func clientsCertificates() throws {
    let authorities = try file("wild.pem")
    let required = try server(["a"]) { $0.clients = ClientAuthentication(mode: .require, authorities: authorities) }
    var talk = Conversation()
    let (_, without) = try talk.meet(try client(trusting: "a", as: "a.test"), required)
    #expect(without.failure?.kind == .certificate)
    talk.end()
    var other = Conversation()
    let certificate = try files("wild")
    let (_, with) = try other.meet(try client(trusting: "a", as: "a.test") { $0.certificate = certificate }, required)
    #expect(with.isDone)
    let identity = other.right.identity(other.server)
    #expect(identity?.subject == "CN=wild")
    #expect(identity?.fingerprint == (try Certificate(certificate)).fingerprint)
    other.end()
  }

  // MARK: Resumption

  /// Reads the tickets that come behind a handshake of TLS 1.3.
  private func settle(_ talk: inout Conversation) {
    var region = ByteRegion(capacity: 4096)
    _ = talk.left.load(talk.client)
    _ = talk.left.receive(from: talk.sockets.client, atMost: talk.left.room)
    _ = talk.left.decrypt(talk.client, into: &region)
    talk.left.clearPending()
  }

  @Test(arguments: [TLSVersion.v12, .v13]) func sessionsAreResumed(version: TLSVersion) throws {
    let keys = TicketKeys()
    let context = try client(trusting: "a", as: "a.test") { $0.parameters.maximum = version }
    let one = try server(["a"], tickets: keys)
    // Another worker's, or a reload's.
    let again = try server(["a"], tickets: keys)
    let elsewhere = try server(["a"], listener: "admin", tickets: keys)
    let authorities = try file("a.pem")
    let stricter = try server(["a"], tickets: keys) {
      $0.clients = ClientAuthentication(mode: .optional, authorities: authorities)
    }
    var talk = Conversation()
    var seen: [Bool] = []
    for server in [one, one, again, elsewhere, stricter, one] { seen.append(try resumes(&talk, context, server)) }
    #expect(seen == [false, true, true, false, false, false])
    keys.rotate()
    let afterOne = try resumes(&talk, context, one)
    #expect(afterOne, "the key before is still understood")
    for _ in 0..<3 { keys.rotate() }
    let afterMore = try resumes(&talk, context, one)
    #expect(!afterMore, "older ones are not")
  }

  @Test(arguments: [TLSVersion.v12, .v13]) func sessionsStayWithTheirRulesForClients(version: TLSVersion) throws {
    let (keys, certificate) = (TicketKeys(), try files("wild"))
    let authority = try file("wild.pem")
    let more = FileBytes(path: "more.pem", bytes: authority.bytes + (try file("a.pem").bytes))
    let context = try client(trusting: "a", as: "a.test") {
      $0.parameters.maximum = version
      $0.certificate = certificate
    }
    // The client's certificate is good by each of them.
    let rules: [ClientAuthentication?] = [
      nil, ClientAuthentication(mode: .optional, authorities: authority),
      ClientAuthentication(mode: .optional, authorities: more),
      ClientAuthentication(mode: .require, authorities: authority),
    ]
    let servers = try rules.map { rule in try server(["a"], tickets: keys) { $0.clients = rule } }
    var talk = Conversation()
    for (from, one) in servers.enumerated() {
      for (to, other) in servers.enumerated() {
        _ = try resumes(&talk, context, one)
        let resumed = try resumes(&talk, context, other)
        #expect(resumed == (from == to), "a session of \(from) at \(to)")
      }
    }
  }

  private func resumes(_ talk: inout Conversation, _ client: ClientContext, _ server: ServerContext) throws -> Bool {
    let (one, two) = try talk.meet(client, server)
    #expect(one.isDone && two.isDone)
    settle(&talk)
    let resumed = talk.right.isResumed(talk.server)
    // As an orderly end: OpenSSL thinks little of a session whose connection broke.
    talk.left.end(talk.client)
    talk.left.clearPending()
    talk.end()
    return resumed
  }

  @Test func ticketKeysInAFile() {
    let keys = TicketKeys()
    keys.rotate()
    let bytes = keys.bytes
    #expect(bytes.count == 2 * TicketKeys.size)
    let copy = TicketKeys()
    #expect(copy.replace(with: bytes))
    #expect(copy.bytes == bytes)
    #expect(!copy.replace(with: []))
    #expect(!copy.replace(with: Array(bytes.dropLast())))
    #expect(copy.bytes == bytes)
  }
}
