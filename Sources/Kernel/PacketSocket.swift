internal import CKernel
internal import Glibc

/// A socket for whole Ethernet frames of one link. Non-blocking.
@safe package struct PacketSocket: ~Copyable {
  package enum Receives: Sendable {
    case nothing
    case arp
    /// ICMPv6 Neighbour Advertisements.
    case neighbourAdvertisements
  }

  package let descriptor: Int32
  private let memory: UnsafeMutablePointer<UInt8>
  private static let capacity = 2_048

  package init(on link: Int32, _ receives: Receives = .nothing) throws(Errno) {
    let type: Int32 =
      switch receives {
      case .nothing: 0
      case .arp: 0x0806
      case .neighbourAdvertisements: 0x86dd
      }
    descriptor = sluice_packet_socket(link, type, receives == .neighbourAdvertisements ? 1 : 0)
    // SAFETY: owned by this value, freed in deinit.
    unsafe memory = .allocate(capacity: PacketSocket.capacity)
    guard descriptor >= 0 else { throw .last }
  }

  deinit {
    if descriptor >= 0 { _ = close(descriptor) }
    unsafe memory.deallocate()
  }

  package func send(_ frame: [UInt8]) throws(Errno) {
    // SAFETY: the bytes live through the call, which only reads them.
    let sent = unsafe frame.withUnsafeBytes {
      unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }
    guard sent == frame.count else { throw .last }
  }

  /// A frame from outside; empty: one of this machine's own; nil: none waits.
  package func receive() -> [UInt8]? {
    // SAFETY: writes at most the region's size; only what was written is read.
    let count = unsafe sluice_receive_frame(descriptor, memory, PacketSocket.capacity)
    return count < 0 ? nil : unsafe Array(UnsafeBufferPointer(start: memory, count: count))
  }
}
