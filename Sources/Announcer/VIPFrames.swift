package import Kernel
package import Model
import Wire

/// Ethernet frames that tell, or ask, who has an address.
package enum VIPFrames {
  private static let arp: UInt16 = 0x0806, v4: UInt16 = 0x0800, v6: UInt16 = 0x86dd
  private static let solicitation: UInt8 = 135, advertisement: UInt8 = 136
  private static let zeros = [UInt8](repeating: 0, count: 6)

  /// What tells a link that `hardware` has an address: gratuitous ARP as a request and as a reply, since some hosts heed
  /// only one of them (RFC 5227 §3), or an unsolicited Neighbour Advertisement (RFC 4861 §7.2.6).
  package static func announcements(_ address: IPAddress, _ hardware: MACAddress) -> [[UInt8]] {
    guard address.family == .v4 else { return [neighbourAdvertisement(address, hardware)] }
    return [
      arp(operation: 1, hardware, sender: address, target: address, targetHardware: zeros),
      arp(operation: 2, hardware, sender: address, target: address, targetHardware: hardware.bytes),
    ]
  }

  /// The question who has an address, which changes nobody's tables: an ARP probe (RFC 5227 §1.1), or a solicitation
  /// from the unspecified address (RFC 4862 §5.4.2), whose answers go to all nodes.
  package static func question(_ address: IPAddress, _ hardware: MACAddress) -> [UInt8] {
    guard address.family == .v6 else {
      return arp(operation: 1, hardware, sender: .anyV4, target: address, targetHardware: zeros)
    }
    let group = IPAddress(v6: 0xff02_0000_0000_0000, 0x1_ff00_0000 | address.low & 0xff_ffff)
    return icmp([solicitation, 0, 0, 0, 0, 0, 0, 0] + address.bytes, from: .anyV6, to: group, hardware)
  }

  /// Whose address a received frame claims, and for which MAC; nil: it claims none.
  package static func claim(_ frame: [UInt8]) -> (address: IPAddress, hardware: MACAddress)? {
    guard frame.count >= 42 else { return nil }
    switch UInt16(frame[12]) << 8 | UInt16(frame[13]) {
    case arp:
      guard Array(frame[14..<20]) == [0, 1, 8, 0, 6, 4], let hardware = MACAddress(Array(frame[22..<28])),
        let address = IPAddress(bytes: Array(frame[28..<32])), !address.isUnspecified
      else { return nil }
      return (address, hardware)
    case v6:
      // RFC 4861 §7.1.2: hop limit 255, code 0, at least 24 bytes.
      guard frame.count >= 14 + 40 + 24, frame[14 + 6] == 58, frame[14 + 7] == 255, frame[54] == advertisement,
        frame[55] == 0, let address = IPAddress(bytes: Array(frame[62..<78])),
        let hardware = MACAddress(Array(frame[6..<12]))
      else { return nil }
      return (address, hardware)
    default: return nil
    }
  }

  /// An IP packet to a group or a broadcast MAC, with hop limit 255 and DSCP CS6.
  static func packet(
    _ payload: [UInt8], protocolNumber: UInt8, from source: IPAddress, to destination: IPAddress,
    _ hardware: MACAddress
  ) -> [UInt8] {
    var writer = ethernet(to: groupHardware(destination), from: hardware, source.family == .v4 ? v4 : v6)
    if source.family == .v4 {
      var header = ByteWriter()
      header.append([0x45, 0xc0])
      header.u16(UInt16(clamping: 20 + payload.count))
      header.append([0, 0, 0, 0, 255, protocolNumber, 0, 0])
      header.append(source.bytes)
      header.append(destination.bytes)
      var sum = InternetChecksum()
      sum.update(header.bytes.span)
      header.patch16(at: 10, sum.finish())
      writer.append(header.bytes)
    } else {
      writer.append([0x6c, 0, 0, 0])
      writer.u16(UInt16(clamping: payload.count))
      writer.append([protocolNumber, 255])
      writer.append(source.bytes)
      writer.append(destination.bytes)
    }
    writer.append(payload)
    return writer.bytes
  }

  /// RFC 1112 §6.4 and RFC 2464 §7.
  private static func groupHardware(_ group: IPAddress) -> [UInt8] {
    let bytes = group.bytes
    if group.family == .v4 { return [0x01, 0x00, 0x5e, bytes[1] & 0x7f, bytes[2], bytes[3]] }
    return [0x33, 0x33] + bytes[12...]
  }

  private static func ethernet(to target: [UInt8], from hardware: MACAddress, _ type: UInt16) -> ByteWriter {
    var writer = ByteWriter(capacity: 128)
    writer.append(target)
    writer.append(hardware.bytes)
    writer.u16(type)
    return writer
  }

  private static func arp(
    operation: UInt16, _ hardware: MACAddress, sender: IPAddress, target: IPAddress, targetHardware: [UInt8]
  ) -> [UInt8] {
    var writer = ethernet(to: MACAddress.broadcast.bytes, from: hardware, arp)
    writer.append([0, 1, 8, 0, 6, 4])
    writer.u16(operation)
    writer.append(hardware.bytes)
    writer.append(sender.bytes)
    writer.append(targetHardware)
    writer.append(target.bytes)
    return writer.bytes
  }

  /// Override, not solicited; not as a router, since hosts are told whether this one is by its own kernel.
  private static func neighbourAdvertisement(_ address: IPAddress, _ hardware: MACAddress) -> [UInt8] {
    let message = [advertisement, 0, 0, 0, 0x20, 0, 0, 0] + address.bytes + [2, 1] + hardware.bytes
    return icmp(message, from: address, to: IPAddress(v6: 0xff02_0000_0000_0000, 1), hardware)
  }

  private static func icmp(
    _ message: [UInt8], from source: IPAddress, to destination: IPAddress, _ hardware: MACAddress
  ) -> [UInt8] {
    var sum = InternetChecksum()
    sum.update(source.bytes.span)
    sum.update(destination.bytes.span)
    sum.update(word: UInt16(message.count))
    sum.update(word: 58)
    sum.update(message.span)
    let checksum = sum.finish()
    var message = message
    message[2] = UInt8(checksum >> 8)
    message[3] = UInt8(checksum & 0xff)
    return packet(message, protocolNumber: 58, from: source, to: destination, hardware)
  }
}
