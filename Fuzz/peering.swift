// fuzz: Peering Wire Model
import Model
import Peering
import Wire

/// What a peer sends: a message is read, written and read again; a channel and a whole neighborhood take any bytes in any
/// pieces. The cipher does nothing, so that the fuzzer gets behind it.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  if let message = try? Message(reading: bytes.span), message.bytes.count <= Channel.messageLimit {
    guard let again = try? Message(reading: message.bytes.span) else {
      require(false, "what was read can be written and read")
      return 0
    }
    require(again == message, "a message survives")
  }
  checkTalk(bytes)
  return 0
}

private let open = Cryptography(
  authenticate: { _, _ in [UInt8](repeating: 7, count: 32) },
  keyPair: { ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32)) },
  agree: { _, shared in shared },
  seal: { plain, _, _, _ in plain + [UInt8](repeating: 0, count: 16) },
  open: { sealed, _, _, _ in Array(sealed.dropLast(16)) })

/// The bytes are messages, each behind its length in two bytes; a peer says them one after the other.
private func checkTalk(_ bytes: [UInt8]) {
  var peers = PeerSettings(
    key: "key",
    nodes: ["a", "b"].map { .init(name: $0, address: Endpoint(.loopbackV4, $0 == "a" ? 1 : 2)) })
  peers.heartbeat = .milliseconds(500)
  var neighborhood = Neighborhood(open, boot: 1, parts: 2, seed: 1) { 0 }
  var effects: [Neighborhood.Effect] = []
  var now = Instant(nanoseconds: 1)
  neighborhood.handle(.configure(.init(name: "b", site: "", version: "", peers: peers)), at: now, into: &effects)
  let id = neighborhood.number()
  neighborhood.handle(.accepted(id), at: now, into: &effects)
  let hello = Array("SLPR".utf8) + [1, 0, 0, 0] + [UInt8](repeating: 9, count: 32)
  let welcome = Message.welcome(
    .init(name: "a", site: "", version: "", boot: 5, wall: 0, position: .init(boot: 0, time: 0)))
  var stream = hello + record(welcome.bytes)
  var rest = bytes[...]
  while rest.count >= 2 {
    let length = min(Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1]), rest.count - 2)
    stream += record(Array(rest.dropFirst(2).prefix(length)))
    rest = rest.dropFirst(2 + length)
  }
  stream += rest
  var position = 0
  for cut in cuts(stream) + [stream.count] where cut > position {
    effects = []
    neighborhood.handle(.received(id, Array(stream[position..<cut])), at: now, into: &effects)
    position = cut
    for case .scan(let peer, let part, _) in effects {
      neighborhood.handle(.scanned(peer: peer, part: part, [], asOf: 3), at: now, into: &effects)
    }
    now = now + .milliseconds(100)
    neighborhood.handle(.tick, at: now, into: &effects)
    if let deadline = neighborhood.deadline { require(deadline > now, "a deadline is in the future after a tick") }
  }
}

private func record(_ plain: [UInt8]) -> [UInt8] {
  let length = plain.count + 16
  return [UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length)] + plain
    + [UInt8](repeating: 0, count: 16)
}
