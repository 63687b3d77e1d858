// fuzz: VRRP Wire Model
import Model
import VRRP
import Wire

/// An IP payload: what is read can be written and read again, and no state machine or gate stumbles over it.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let all = unsafe input(data, count)
  guard let choice = all.first else { return 0 }
  var bytes = Array(all.dropFirst())
  let header =
    choice & 1 == 0
    ? PacketHeader(source: IPAddress(192, 0, 2, 1), destination: PacketHeader.groupV4)
    : PacketHeader(source: IPAddress(v6: 0xfe80 << 48, 1), destination: PacketHeader.groupV6)
  checkReading(bytes, header)
  // The fuzzer finds no checksums: with the right one it gets past them.
  if choice & 2 == 0, bytes.count >= 8 {
    bytes[6] = 0
    bytes[7] = 0
    var sum = InternetChecksum()
    if bytes[0] >> 4 != 2, header.source.family == .v6 {
      let pseudo = header.source.bytes + header.destination.bytes
      sum.update(pseudo.span)
      sum.update(word: UInt16(truncatingIfNeeded: bytes.count))
      sum.update(word: UInt16(PacketHeader.protocolNumber))
    }
    sum.update(bytes.span)
    let value = sum.finish()
    bytes[6] = UInt8(value >> 8)
    bytes[7] = UInt8(value & 255)
    checkReading(bytes, header)
  }
  return 0
}

private func checkReading(_ bytes: [UInt8], _ header: PacketHeader) {
  guard let decoded = try? DecodedAdvert(bytes.span, in: header) else { return }
  let advert = decoded.advertisement
  require(DecodedAdvert.virtualRouter(peekedFrom: bytes.span) == advert.virtualRouter, "the peeked id is the read one")
  guard let again = advert.encode(in: header, checksum: decoded.checksum ?? .plain) else {
    require(false, "what was read can be written")
    return
  }
  require((try? DecodedAdvert(again.span, in: header))?.advertisement == advert, "an advert survives")

  var configuration = RouterConfiguration(
    name: "fuzz", version: advert.version, virtualRouter: advert.virtualRouter, interval: advert.interval,
    addresses: advert.addresses)
  configuration.authentication = advert.authentication
  configuration.isSealed = decoded.trailer != nil
  var gate = AdvertGate(configuration) { _, _ in [UInt8](repeating: 0, count: 32) }
  let local = header.source.family == .v4 ? IPAddress(192, 0, 2, 9) : IPAddress(v6: 0xfe80 << 48, 9)
  guard let admitted = try? gate.admit(bytes.span, in: header, local: local) else { return }
  for settle in [0, 100] as [Int64] {
    var router = VirtualRouter(configuration, primaryAddress: local)
    var effects: [Effect] = []
    var now = Instant(nanoseconds: 0)
    router.handle(.start, at: now, into: &effects)
    for _ in 0..<settle {
      guard let deadline = router.deadline else { break }
      require(deadline >= now, "a deadline is never in the past")
      now = deadline
      router.handle(.tick, at: now, into: &effects)
    }
    router.handle(.advert(admitted), at: now, into: &effects)
    if let deadline = router.deadline { require(deadline >= now, "an advert sets no deadline in the past") }
  }
}
