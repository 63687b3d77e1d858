// fuzz: BFD Wire Model
import BFD
import Model
import Wire

/// Datagrams to a running session: a packet that is read can be written, and no packet makes it send without bound.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  if let packet = try? ControlPacket.decode(bytes.span) {
    let again = try? ControlPacket.decode(packet.encode().span)
    require(again == packet, "a packet survives")
  }
  var session = Session(SessionSettings(discriminator: 7))
  var random = Random(seed: 1)
  var now = Instant(nanoseconds: 1_000_000)
  var effects: [Session.Effect] = []
  session.handle(.start, at: now, random: &random, into: &effects)
  // Pieces of a datagram's size, each at the next deadline or at once.
  for start in stride(from: 0, to: bytes.count, by: 24) {
    effects = []
    let piece = Array(bytes[start..<min(start + 24, bytes.count)])
    session.handle(.received(piece, ttl: 255), at: now, random: &random, into: &effects)
    require(effects.count <= 2, "a datagram is answered once at most")
    if piece.last.map({ $0 & 1 == 0 }) == true, let deadline = session.deadline {
      require(deadline >= now, "no deadline lies in the past")
      now = deadline
      effects = []
      session.handle(.timer, at: now, random: &random, into: &effects)
      require(effects.count <= 2, "an expiry sends once at most")
      require(session.deadline.map { $0 > now } ?? true, "time moves on")
    }
  }
  return 0
}
