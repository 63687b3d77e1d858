// fuzz: DNS Wire Model
import DNS
import Model
import Wire

private let zone = try? Zone.parse(
  "$TTL 300\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n*.w TXT x\nsub NS ns.sub\nns.sub A 192.0.2.1\n",
  apex: Name("z.test") ?? .root, balanced: [Name("hash.z.test") ?? .root: "hash", Name("map.z.test") ?? .root: "map"]
).zone

private func set(_ policy: BalancedSet.Policy) -> CompiledSet {
  CompiledSet(
    BalancedSet(
      .init(policy, (1...3).map { BalancedSet.Choice.member(.init(IPAddress(10, 0, 0, UInt8($0)))) }), count: 2))
}

/// Any OPT data, and any TSIG behind it, on a proper question: an answer that is well formed, keeps its limit, and
/// whose client subnet is the one that was asked for; signed zones and unsigned ones.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  guard let zone, bytes.count > 2, bytes.count < 4000 else { return 0 }
  let names = [
    "hash.z.test", "map.z.test", "ns.z.test", "a.w.z.test", "x.sub.z.test", "no.z.test", "z.test", "sub.z.test",
  ]
  let types: [RecordType] = [.a, .aaaa, .txt, .ds, .dnskey, .any, .soa, .ns]
  let dnssecOK = bytes[0] & 0x80 != 0
  guard let name = Name(names[Int(bytes[0] & 7)]) else { return 0 }
  var query = Message.query(
    name, types[Int(bytes[0] >> 4 & 7)], id: 7, udpSize: UInt16(bytes[1]) << 4, options: Array(bytes[2...]),
    dnssecOK: dnssecOK)
  if bytes[0] & 8 != 0 {
    query.additionals.append(
      Record(Name("k.test") ?? .root, .tsig, class: .any, ttl: 0, data: Array(bytes[2...])))
  }
  guard let question = query.encoded() else { return 0 }
  var settings = Responder.Settings()
  settings.cookies = ServerCookies(key: (1, 2))
  settings.serverID = [110]
  let signer = ZoneSigner(
    publicKey: [UInt8](repeating: 1, count: 64), denial: bytes[1] & 1 == 0 ? .compact : .nsec, validity: 3600
  ) { _ in [UInt8](repeating: 2, count: 64) }
  let key = TransactionSigner(name: Name("k.test") ?? .root, algorithm: .sha256) { _ in
    [UInt8](repeating: 3, count: 32)
  }
  var responder = Responder(settings, seed: 1)
  responder.configure(settings, keys: [key])
  let rule = IPPrefix(IPAddress(10, 0, 0, 0), length: 8).map { [BalancedSet.NetworkRule($0, 1)] } ?? []
  let view = DynamicView([set(.hash), set(.networks(rule))])
  responder.prepare(for: view)
  let zones = Zones([zone], signers: bytes[1] & 2 == 0 ? [:] : [zone.apex: signer])
  var writer = MessageWriter()
  let outcome = responder.answer(
    question.span, from: .init(IPAddress(192, 0, 2, 1), .udp), at: .init(now: Instant(nanoseconds: 1), unixSeconds: 1),
    zones: zones, view: view, into: &writer)
  guard outcome == .respond else { return 0 }
  require(writer.count <= settings.udpLimit, "a response keeps to its limit")
  guard let response = try? Message(writer.message) else {
    require(false, "a response is well formed")
    return 0
  }
  require(response.isResponse && response.id == 7, "a response belongs to its query")
  if let subnet = responder.query.extensions?.subnet, response.code == .noError {
    require(subnet.source <= (subnet.address.family == .v4 ? 32 : 128), "a subnet that was read fits its family")
  }
  return 0
}
