import HTTP2
import Testing

/// Two engines that talk to each other through bytes.
private final class Pair {
  let server = FrameEngine()
  let client = FrameEngine()
  /// Content that each branch has ready.
  var content: [UInt32: [UInt8]] = [:]

  init(_ settings: FrameSettings = FrameSettings()) {
    server.open(0, .server, settings)
    client.open(0, .client, FrameSettings())
  }

  func request(_ head: String, as branch: UInt32, trailers: Bool = false, end: Bool = false) -> Bool {
    client.request(0, Array(head.utf8).span, as: branch, secure: false, trailers: trailers, end: end)
  }

  /// What one side sends, as bytes.
  func output(of engine: FrameEngine, room: Int = 65_536) -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      #expect(engine.pull(0, room: room))
      let before = bytes.count
      for piece in engine.pieces {
        let control = engine.control(piece.start..<piece.end)
        for index in control.indices { bytes.append(control[index]) }
        if piece.branch != FrameEngine.none {
          bytes += content[piece.branch, default: []].prefix(piece.content)
          content[piece.branch]?.removeFirst(piece.content)
        }
      }
      for branch in engine.wantsTrailers { engine.sendTrailers(branch, Array("grpc-status: 0\r\n".utf8).span) }
      if bytes.count == before { return bytes }
    }
  }

  struct Seen: Equatable {
    var kind: FrameEvent.Kind
    var text = ""
    var ends = false
  }

  /// Gives bytes to one side in pieces; what they meant.
  func deliver(_ bytes: [UInt8], to engine: FrameEngine, isServer: Bool, gate: inout FrameGate) -> [Seen] {
    var seen: [Seen] = []
    var position = 0
    while case .piece(let end) = gate.next(bytes.span, from: position, limits: FrameLimits(), now: 0) {
      let piece = Array(bytes[position..<end])
      let goesOn = engine.receive(0, piece.span)
      #expect(goesOn)
      for event in engine.events {
        switch event.kind {
        case .head, .trailers: seen.append(Seen(kind: event.kind, text: text(engine.text()), ends: event.endsStream))
        case .data: seen.append(Seen(kind: .data, text: String(decoding: piece[event.range], as: UTF8.self)))
        default: seen.append(Seen(kind: event.kind))
        }
        if isServer, event.kind == .head { engine.bind(0, event.id, to: UInt32(event.id), expected: nil) }
      }
      position = end
      if position >= bytes.count { break }
    }
    return seen
  }
}

@Suite struct FrameEngineTests {
  private let request = "POST /x HTTP/1.1\r\nHost: a\r\nX-Thing: 1\r\nConnection: close\r\n\r\n"

  @Test func aRequestAndItsResponsePass() {
    let pair = Pair()
    var (toServer, toClient) = (FrameGate(server: true), FrameGate(server: false))
    pair.content[7] = Array("hello".utf8)
    #expect(pair.request(request, as: 7, trailers: true, end: false))
    pair.client.offer(7, pending: 5, complete: true, trailers: false)
    let seen = pair.deliver(pair.output(of: pair.client), to: pair.server, isServer: true, gate: &toServer)
    #expect(
      seen.filter { $0.kind != .settings } == [
        .init(kind: .head, text: "POST /x HTTP/1.1\r\nhost: a\r\nte: trailers\r\nx-thing: 1\r\n"),
        .init(kind: .data, text: "hello"), .init(kind: .end),
      ])
    pair.content[1] = Array("world".utf8)
    pair.server.respond(1, Array("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".utf8).span, interim: true, end: false)
    pair.server.respond(1, Array("HTTP/1.1 200 OK\r\nX: y\r\n\r\n".utf8).span, interim: false, end: false)
    pair.server.offer(1, pending: 5, complete: true, trailers: true)
    let answer = pair.deliver(pair.output(of: pair.server), to: pair.client, isServer: false, gate: &toClient)
    #expect(
      answer.filter { $0.kind != .settings } == [
        .init(kind: .head, text: "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n"),
        .init(kind: .head, text: "HTTP/1.1 200 OK\r\nx: y\r\n"), .init(kind: .data, text: "world"),
        .init(kind: .trailers, text: "grpc-status: 0\r\n", ends: true), .init(kind: .closed),
      ])
  }

  @Test func aSlowStreamHoldsBackNoOther() {
    var settings = FrameSettings()
    settings.streamWindow = 65_535
    let pair = Pair(settings)
    var toServer = FrameGate(server: true)
    for branch in [1, 3] as [UInt32] {
      #expect(pair.request(request, as: branch, trailers: false, end: false))
    }
    // The first stream's content is never consumed.
    pair.content[1] = Array(repeating: 0, count: 200_000)
    pair.client.offer(1, pending: 200_000, complete: false, trailers: false)
    _ = pair.deliver(pair.output(of: pair.client), to: pair.server, isServer: true, gate: &toServer)
    #expect(pair.content[1]!.count == 200_000 - 65_535)
    var toClient = FrameGate(server: false)
    _ = pair.deliver(pair.output(of: pair.server), to: pair.client, isServer: false, gate: &toClient)
    pair.content[3] = Array("second".utf8)
    pair.client.offer(3, pending: 6, complete: true, trailers: false)
    let seen = pair.deliver(pair.output(of: pair.client), to: pair.server, isServer: true, gate: &toServer)
    #expect(seen.contains(.init(kind: .data, text: "second")))
    // What is consumed may be sent anew.
    pair.server.consume(1, 65_535)
    _ = pair.deliver(pair.output(of: pair.server), to: pair.client, isServer: false, gate: &toClient)
    _ = pair.output(of: pair.client)
    #expect(pair.content[1]!.count == 200_000 - 2 * 65_535)
  }

  @Test func contentLengthIsHeldToItsWord() {
    for (length, content) in [("3", "four"), ("5", "four")] {
      let pair = Pair()
      var toServer = FrameGate(server: true)
      let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n"
      pair.content[1] = Array(content.utf8)
      #expect(pair.request(head, as: 1, trailers: false, end: false))
      pair.client.offer(1, pending: 4, complete: true, trailers: false)
      let bytes = pair.output(of: pair.client)
      var position = 0
      var kinds: [FrameEvent.Kind] = []
      while position < bytes.count,
        case .piece(let end) = toServer.next(bytes.span, from: position, limits: FrameLimits(), now: 0)
      {
        let goesOn = pair.server.receive(0, Array(bytes[position..<end]).span)
        #expect(goesOn)
        position = end
        for event in pair.server.events {
          kinds.append(event.kind)
          if event.kind == .head { pair.server.bind(0, event.id, to: 1, expected: Int64(length)) }
        }
      }
      #expect(kinds.contains(.malformed), "\(length) for \(content)")
    }
  }

  @Test func anUnboundStreamIsReset() {
    let pair = Pair()
    var (toServer, toClient) = (FrameGate(server: true), FrameGate(server: false))
    #expect(pair.request(request, as: 1, trailers: false, end: true))
    _ = pair.deliver(pair.output(of: pair.client), to: pair.server, isServer: true, gate: &toServer)
    pair.server.unbind(1, reset: .internalError)
    let seen = pair.deliver(pair.output(of: pair.server), to: pair.client, isServer: false, gate: &toClient)
    #expect(seen.last == .init(kind: .closed))
    #expect(!pair.client.isOpen(1))
  }

  @Test func aShutdownIsAnnouncedBeforeItComes() {
    let pair = Pair()
    var (toServer, toClient) = (FrameGate(server: true), FrameGate(server: false))
    _ = pair.deliver(pair.output(of: pair.client), to: pair.server, isServer: true, gate: &toServer)
    pair.server.announceShutdown(0)
    let first = pair.deliver(pair.output(of: pair.server), to: pair.client, isServer: false, gate: &toClient)
    #expect(first.filter { $0.kind == .goaway }.count == 1)
    pair.server.shutDown(0)
    let second = pair.output(of: pair.server)
    // RFC 9113 §6.8: the last stream, 0, and no error.
    #expect(second.suffix(17) == [0, 0, 8, 7, 0] + [UInt8](repeating: 0, count: 12))
  }

  /// However many streams a client has, what it has sent and nobody has taken is within the connection's window.
  @Test func aConnectionHoldsNoMoreThanItsWindow() {
    var settings = FrameSettings()
    settings.connectionWindow = 131_070
    let pair = Pair(settings)
    var (toServer, toClient) = (FrameGate(server: true), FrameGate(server: false))
    _ = pair.deliver(pair.output(of: pair.server), to: pair.client, isServer: false, gate: &toClient)
    let branches: [UInt32] = [1, 3, 5, 7]
    for branch in branches {
      #expect(pair.request(request, as: branch, trailers: false, end: false))
      pair.content[branch] = Array(repeating: 0, count: 500_000)
      pair.client.offer(branch, pending: 500_000, complete: false, trailers: false)
    }
    func pass() -> Int {
      for _ in 0..<5 {
        _ = pair.deliver(pair.output(of: pair.client), to: pair.server, isServer: true, gate: &toServer)
        _ = pair.deliver(pair.output(of: pair.server), to: pair.client, isServer: false, gate: &toClient)
      }
      return 2_000_000 - branches.reduce(0) { $0 + pair.content[$1]!.count }
    }
    #expect(pass() == 131_070)
    // What is taken, and what a stream that ends has left, may come anew.
    var taken: [UInt32: Int] = [:]
    func held(_ branch: UInt32) -> Int { 500_000 - pair.content[branch]!.count - taken[branch, default: 0] }
    func take(_ branch: UInt32) -> Int {
      let count = held(branch)
      pair.server.consume(branch, count)
      taken[branch, default: 0] += count
      return count
    }
    // The library tells of half a window at once, or more.
    func isWithin(_ freed: Int) -> Bool { (freed - 65_535...freed).contains(pass() - 131_070) }
    var freed = take(1) + take(3) + take(5)
    #expect(freed > 65_535 && isWithin(freed))
    freed += held(7)
    pair.server.unbind(7, reset: .cancel)
    freed += take(1) + take(3) + take(5)
    #expect(isWithin(freed))
  }

  @Test func anUpgradeIsAnExtendedConnect() {
    let pair = Pair()
    var (toServer, toClient) = (FrameGate(server: true), FrameGate(server: false))
    #expect(!pair.client.peerTakesExtendedConnect(0))
    _ = pair.deliver(pair.output(of: pair.server), to: pair.client, isServer: false, gate: &toClient)
    #expect(pair.client.peerTakesExtendedConnect(0))
    let head =
      "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
      + "Sec-WebSocket-Version: 13\r\n\r\n"
    let isTaken = pair.client.request(
      0, Array(head.utf8).span, as: 1, secure: true, trailers: false, webSocket: true, end: false)
    #expect(isTaken)
    let seen = pair.deliver(pair.output(of: pair.client), to: pair.server, isServer: true, gate: &toServer)
    let text = seen.first { $0.kind == .head }?.text ?? ""
    #expect(text.hasPrefix("GET /chat HTTP/1.1\r\n"))
    #expect(text.contains("sec-websocket-version: 13\r\n"))
    #expect(!text.contains("sec-websocket-key"))
    #expect(pair.server.facts.isWebSocket)
  }

  /// RFC 9113 §5.1.2: more streams than our SETTINGS allow.
  @Test func tooManyStreamsAreToldApartFromOtherFaults() {
    var settings = FrameSettings()
    settings.maxStreams = 2
    let pair = Pair(settings)
    var (toServer, toClient) = (FrameGate(server: true), FrameGate(server: false))
    _ = pair.deliver(pair.output(of: pair.server), to: pair.client, isServer: false, gate: &toClient)
    for branch in [1, 3] as [UInt32] { #expect(pair.request(request, as: branch, trailers: false, end: false)) }
    _ = pair.deliver(pair.output(of: pair.client), to: pair.server, isServer: true, gate: &toServer)
    // A third: HEADERS on stream 5 with END_HEADERS, `:method: GET` and `:path: /` by index.
    let third: [UInt8] = [0, 0, 2, 1, 4, 0, 0, 0, 5, 0x82, 0x84]
    let seen = pair.deliver(third, to: pair.server, isServer: true, gate: &toServer)
    #expect(seen.map(\.kind) == [.excess])
  }
}
