// fuzz: BGP Wire Model
import BGP
import Model
import Wire

/// Bytes to an Established session: pieces end as the whole does, and a clean UPDATE can be written and read again.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  for old in [false, true] {
    let whole = run(bytes, [], old)
    let pieces = run(bytes, cuts(bytes), old)
    require(whole == pieces, "pieces end as the whole")
  }
  let options = CodecOptions(extendedNextHop: true, isInternal: true, sendLimit: Message.extendedLimit)
  guard case .update(let update)? = try? Message.decode(bytes.span, options: options), update.issues.isEmpty else {
    return 0
  }
  for reach in update.announced {
    let messages = UpdateEncoder(options: options).announce(
      reach.prefixes, nextHop: reach.nextHop, attributes: update.attributes)
    // What filled a message may need two when MP_REACH_NLRI carries what NLRI did: nothing to compare then.
    guard let messages, messages.count == 1, let first = messages.first else { continue }
    guard case .update(let again)? = try? Message.decode(first.span, options: options) else {
      require(false, "what is written can be read")
      continue
    }
    require(again.announced.flatMap(\.prefixes) == reach.prefixes, "prefixes survive")
    require(again.attributes.communities == update.attributes.communities, "communities survive")
    require(again.issues.isEmpty, "what is written is well formed")
  }
  return 0
}

private struct Outcome: Equatable {
  var state: SessionState
  var counters: SessionCounters
  var updates: [Update]
}

private func run(_ bytes: [UInt8], _ cuts: [Int], _ isOld: Bool) -> Outcome {
  var session = Session(
    SessionSettings(
      localAS: 65001, identifier: 1, peerAS: .external, extendedNextHop: true,
      gracefulRestart: GracefulRestart(notification: true, seconds: 60, families: [])))
  var random = Random(seed: 1)
  var effects: [SessionEffect] = []
  let id = ConnectionID(.outgoing, 1)
  let now = Instant(nanoseconds: 1)
  let hop = Capability.extendedNextHop([Capability.NextHopEncoding(.v4, nextHopAFI: 2)])
  let open = Open(
    autonomousSystem: 65002, holdTime: 90, identifier: 2,
    capabilities: [.multiprotocol(.v4), .multiprotocol(.v6), hop, .extendedMessage]
      + (isOld ? [] : [.fourOctetAS(65002)]))
  // The first byte picks how far the handshake got.
  let hello: [[UInt8]] = bytes.first.map { $0 & 3 } == 0 ? [] : [open.encode(), Message.keepaliveBytes]
  for event in [SessionEvent.start, .connected(id)] + hello.map({ .received(id, $0) }) {
    session.handle(event, at: now, random: &random, into: &effects)
  }
  var start = min(1, bytes.count)
  for cut in cuts.filter({ $0 >= start }) + [bytes.count] {
    session.handle(.received(id, Array(bytes[start..<cut])), at: now, random: &random, into: &effects)
    start = cut
  }
  return Outcome(
    state: session.state, counters: session.counters,
    updates: effects.compactMap { if case .update(let update) = $0 { update } else { nil } })
}
