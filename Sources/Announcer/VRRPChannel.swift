import Kernel
import Model
import VRRP

/// The way of adverts of one family on one link, for all its virtual routers.
final class VRRPChannel {
  struct Key: Hashable {
    var link: Int32
    var family: IPAddress.Family
  }

  let link: NetworkLink
  private let socket: RawSocket
  /// For frames with another source MAC than the link's; made when one is sent.
  private var frames: FrameChannel?

  init(_ family: IPAddress.Family, on link: NetworkLink) throws(Errno) {
    self.link = link
    socket = try RawSocket(
      PacketHeader.protocolNumber, on: link, group: family == .v4 ? PacketHeader.groupV4 : PacketHeader.groupV6)
  }

  var descriptor: Int32 { socket.descriptor }

  /// - Parameter hardware: the source MAC, where it is not the link's own (RFC 9568 §7.2).
  func send(_ payload: [UInt8], in header: PacketHeader, from hardware: MACAddress?) throws(Errno) {
    guard let hardware else { return try socket.send(payload, from: header.source, to: header.destination) }
    if frames == nil { frames = try FrameChannel(on: link.index) }
    let frame = VIPFrames.packet(
      payload, protocolNumber: PacketHeader.protocolNumber, from: header.source, to: header.destination, hardware)
    try frames?.send(frame)
  }

  func receive() -> RawSocket.Received { socket.receive() }
}

/// Frames out of one link.
final class FrameChannel {
  private let socket: PacketSocket

  init(on link: Int32) throws(Errno) { socket = try PacketSocket(on: link) }

  func send(_ frame: [UInt8]) throws(Errno) { try socket.send(frame) }
}
