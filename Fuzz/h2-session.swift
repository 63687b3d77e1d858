// fuzz: HTTP2 HTTP Wire Model -lnghttp2
import HTTP2

/// Bytes of a client (or of a server) into a connection, in pieces: no crash, events make sense, and what is to be sent
/// stays within the room for it.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  guard let first = bytes.first else { return 0 }
  let isServer = first & 1 == 0
  let engine = FrameEngine()
  engine.open(0, isServer ? .server : .client, FrameSettings())
  var next: UInt32 = 1
  if !isServer {
    let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    require(engine.request(0, request.span, as: 0, secure: false, trailers: false, end: true), "a first request")
  }
  drain(engine)
  let magic: [UInt8] =
    isServer
    ? Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0] : [0, 0, 0, 4, 0, 0, 0, 0, 0]
  let all = magic + bytes.dropFirst()
  var gate = FrameGate(server: isServer)
  var position = 0
  while case .piece(let end) = gate.next(all.span, from: position, limits: FrameLimits(), now: 0) {
    require(end > position || end == all.count, "a piece is longer than nothing")
    let piece = Array(all[position..<end])
    guard engine.receive(0, piece.span) else { break }
    for event in engine.events {
      require(event.start >= 0 && event.end >= event.start, "a range")
      if event.kind == .data { require(event.end <= piece.count, "data lies within the piece") }
      guard event.kind == .head, isServer, event.branch == FrameEngine.none else { continue }
      engine.bind(0, event.id, to: next, expected: engine.facts.length)
      let answer = Array("HTTP/1.1 200 OK\r\nx: y\r\n\r\n".utf8)
      engine.respond(next, answer.span, interim: false, end: next % 2 == 0)
      engine.offer(next, pending: 0, complete: next % 3 == 0, trailers: false)
      if next % 5 == 0 { engine.unbind(next, reset: .cancel) }
      next += 1
    }
    drain(engine)
    position = end
    if position >= all.count { break }
  }
  return 0
}

private func drain(_ engine: FrameEngine) {
  for _ in 0..<8 {
    guard engine.pull(0, room: 65_536) else { return }
    let sum = engine.pieces.reduce(0) { $0 + $1.end - $1.start + $1.content }
    require(sum <= 65_536, "no more than there is room for")
    if sum == 0 { return }
  }
}
