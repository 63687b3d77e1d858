// fuzz: DNS Wire Model
import DNS
import Model
import Wire

private let zone = try? Zone.parse(
  """
  $TTL 300
  @ SOA ns host 1 2 3 4 5
  @ NS ns
  ns A 192.0.2.53
  www A 192.0.2.1
  alias CNAME www
  loop CNAME loop
  sub NS ns.sub
  ns.sub AAAA 2001:db8::1
  *.wild MX 1 www
  dn DNAME wild
  a.b.ent TXT "x"
  svc SRV 1 2 3 any.wild
  """, apex: Name("z.test") ?? .root, balanced: [Name("bal.z.test") ?? .root: "bal"]
).zone

/// Any bytes: what decodes encodes to the same message, and any query is dropped or answered with a well-formed response.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  if let message = try? Message(bytes), let encoded = message.encoded() {
    require((try? Message(encoded)) == message, "what decodes encodes to itself")
  }
  guard let zone else {
    require(false, "the zone is one")
    return 0
  }
  var settings = Responder.Settings()
  settings.cookies = ServerCookies(key: (1, 2))
  settings.serverID = [110]
  settings.version = [118]
  settings.rateLimit = RateLimiter.Settings()
  settings.rateLimit?.accounts = 16
  var responder = Responder(settings, seed: 1)
  let members = (1...3).map { BalancedSet.Choice.member(.init(IPAddress(10, 0, 0, UInt8($0)))) }
  let view = DynamicView([CompiledSet(BalancedSet(.init(.hash, members), count: 2))])
  responder.prepare(for: view)
  let zones = Zones([zone])
  var writer = MessageWriter()
  for transport in [Responder.Transport.udp, .tcp] {
    let outcome = responder.answer(
      bytes.span, from: .init(IPAddress(192, 0, 2, 1), transport),
      at: .init(now: Instant(nanoseconds: 1), unixSeconds: 1),
      zones: zones, view: view, into: &writer)
    guard outcome == .respond else { continue }
    require(transport == .tcp || writer.count <= settings.udpLimit, "a response keeps to its limit")
    guard let response = try? Message(writer.message) else {
      require(false, "a response is well formed")
      continue
    }
    require(
      response.isResponse && response.id == UInt16(bytes[0]) << 8 | UInt16(bytes[1]), "a response belongs to its query")
  }
  settings.rateLimit = nil
  answerBothWays(bytes, settings, zones, view, &writer)
  return 0
}

/// What is answered in place is what the long way answers.
private func answerBothWays(
  _ bytes: [UInt8], _ settings: Responder.Settings, _ zones: Zones, _ view: DynamicView, _ writer: inout MessageWriter
) {
  var responder = Responder(settings, seed: 1)
  responder.prepare(for: view)
  let client = IPAddress(192, 0, 2, 1)
  var memory = bytes + [UInt8](repeating: 0, count: 4096)
  var message = memory.mutableSpan
  let count = responder.answerInPlace(
    &message, bytes.count, from: client, zones: zones, view: view, places: NoPlaces())
  guard count > 0 else { return }
  let outcome = responder.answer(
    bytes.span, from: .init(client, .udp), at: .init(now: Instant(nanoseconds: 1), unixSeconds: 1), zones: zones,
    view: view, into: &writer)
  require(outcome == .respond && writer.message == Array(memory[..<count]), "both ways say the same")
}
