import Foundation
import Model
import VRRP
import Wire
import Testing

func address(_ text: String) -> IPAddress { IPAddress(text) ?? .anyV4 }

func hex(_ text: String) -> [UInt8] {
  let digits = Array(text.utf8)
  return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
    UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
  }
}

func every(_ centiseconds: Int, _ version: ProtocolVersion = .v3) -> AdvertInterval {
  AdvertInterval(centiseconds: centiseconds, version: version) ?? .second
}

/// Milliseconds from the start of a test.
func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

extension RouterConfiguration {
  /// Version 3, 100 ms, one address.
  static func example(priority: UInt8 = 100) -> RouterConfiguration {
    var configuration = RouterConfiguration(
      name: "web", virtualRouter: 51, priority: priority, interval: every(10), addresses: [address("192.0.2.100")])
    configuration.announcing = AnnouncementPolicy(count: 3, delay: nil)
    return configuration
  }

  func advert(_ priority: UInt8, from source: String, centiseconds: Int? = nil) -> VirtualRouter.Event {
    var advert = advertisement(priority: priority)
    if let centiseconds { advert.interval = every(centiseconds, version) }
    return .advert(AdmittedAdvert(advert, from: address(source)))
  }
}

/// Not a MAC for anything but tests: 16 bytes that depend on the key and on every byte.
func toyCode(_ keys: [UInt8: UInt64]) -> MessageCode {
  { key, message in
    guard let secret = keys[key] else { return nil }
    var writer = ByteWriter()
    for half in [1, 2] as [UInt64] {
      var hash = SipHash(key: (secret, half))
      hash.update(message.span)
      writer.u64(hash.finish())
    }
    return writer.bytes
  }
}

struct Vector: Sendable, CustomTestStringConvertible {
  var name: String
  var header: PacketHeader
  var payload: [UInt8]
  var testDescription: String { name }

  /// The lines of Tests/Vectors/vrrp/keepalived.txt.
  static let keepalived: [Vector] = {
    let path = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    guard let text = try? String(contentsOfFile: "/\(path)/Vectors/vrrp/keepalived.txt", encoding: .utf8) else {
      return []
    }
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line in
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 5, let hopLimit = UInt8(words[3]) else { return nil }
      let header = PacketHeader(source: address(words[1]), destination: address(words[2]), hopLimit: hopLimit)
      return Vector(name: words[0], header: header, payload: hex(words[4]))
    }
  }()
}

extension AdvertGate {
  /// An array for the span, which the macros of Testing cannot take from a temporary.
  mutating func admit(_ payload: [UInt8], in header: PacketHeader, local: IPAddress?) throws -> AdmittedAdvert {
    try admit(payload.span, in: header, local: local)
  }
}
