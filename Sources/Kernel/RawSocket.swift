internal import CKernel
internal import Glibc
package import Model

/// A socket for one IP protocol on one link, with the header's fields in the caller's hands. Non-blocking.
@safe package struct RawSocket: ~Copyable {
  package struct Packet: Sendable {
    package var source: IPAddress
    package var destination: IPAddress
    /// TTL or hop limit.
    package var hopLimit: UInt8
    package var payload: [UInt8]
  }

  package let descriptor: Int32
  private let family: IPAddress.Family
  private let link: NetworkLink
  private let memory: UnsafeMutablePointer<UInt8>
  private static let capacity = 65_535

  /// Bound to the link, a member of the group, sending with TTL or hop limit 255 and DSCP CS6.
  package init(_ protocolNumber: UInt8, on link: NetworkLink, group: IPAddress) throws(Errno) {
    family = group.family
    self.link = link
    let domain = family == .v4 ? AF_INET : AF_INET6
    descriptor = socket(
      domain, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), Int32(protocolNumber))
    // SAFETY: owned by this value, freed in deinit.
    unsafe memory = .allocate(capacity: RawSocket.capacity)
    guard descriptor >= 0 else { throw .last }
    var name = Array(link.name.utf8)
    // SAFETY: the option's value is the name's bytes, read during the call.
    let bound = unsafe setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, &name, socklen_t(name.count))
    guard bound == 0 else { throw .last }
    // A burst must not push the one advert out that matters.
    try? Socket.set(descriptor, SOL_SOCKET, SO_RCVBUF, 1 << 20)
    try? Socket.set(descriptor, SOL_SOCKET, SO_PRIORITY, 7)
    if family == .v4 {
      let level = Int32(IPPROTO_IP)
      try Socket.set(descriptor, level, IP_TTL, 255)
      try Socket.set(descriptor, level, IP_MULTICAST_TTL, 255)
      try Socket.set(descriptor, level, IP_MULTICAST_LOOP, 0)
      try Socket.set(descriptor, level, IP_TOS, 0xc0)
      var request = ip_mreqn(
        imr_multiaddr: in_addr(s_addr: UInt32(truncatingIfNeeded: group.low).bigEndian),
        imr_address: in_addr(s_addr: 0), imr_ifindex: link.index)
      // SAFETY: the options' value is an `ip_mreqn`, read during the calls.
      let size = socklen_t(MemoryLayout<ip_mreqn>.size)
      guard unsafe setsockopt(descriptor, level, IP_ADD_MEMBERSHIP, &request, size) == 0,
        unsafe setsockopt(descriptor, level, IP_MULTICAST_IF, &request, size) == 0
      else { throw .last }
    } else {
      let level = Int32(IPPROTO_IPV6)
      try Socket.set(descriptor, level, IPV6_UNICAST_HOPS, 255)
      try Socket.set(descriptor, level, IPV6_MULTICAST_HOPS, 255)
      try Socket.set(descriptor, level, IPV6_MULTICAST_LOOP, 0)
      try Socket.set(descriptor, level, IPV6_MULTICAST_IF, link.index)
      try Socket.set(descriptor, level, IPV6_TCLASS, 0xc0)
      try Socket.set(descriptor, level, IPV6_RECVHOPLIMIT, 1)
      try Socket.set(descriptor, level, IPV6_RECVPKTINFO, 1)
      var request = ipv6_mreq()
      request.ipv6mr_interface = UInt32(link.index)
      // SAFETY: in6_addr is 16 bytes in network order; the option's value is an `ipv6_mreq`, read during the call.
      unsafe withUnsafeMutableBytes(of: &request.ipv6mr_multiaddr) { unsafe $0.copyBytes(from: group.bytes) }
      let size = socklen_t(MemoryLayout<ipv6_mreq>.size)
      guard unsafe setsockopt(descriptor, level, IPV6_JOIN_GROUP, &request, size) == 0 else { throw .last }
    }
  }

  deinit {
    if descriptor >= 0 { _ = close(descriptor) }
    unsafe memory.deallocate()
  }

  package func send(_ payload: [UInt8], from source: IPAddress, to destination: IPAddress) throws(Errno) {
    let info = sluice_packet_info(
      high: source.high, low: source.low, interface: UInt32(link.index), family: family == .v4 ? AF_INET : AF_INET6)
    let name = SocketName(Endpoint(destination, 0), scope: UInt32(link.index))
    // SAFETY: bytes and name live through the call, which only reads them.
    let sent = unsafe name.withPointer { name, length in
      unsafe payload.withUnsafeBufferPointer {
        unsafe sluice_send_raw(descriptor, $0.baseAddress, $0.count, name, length, info)
      }
    }
    guard sent == payload.count else { throw .last }
  }

  package enum Received { case packet(Packet), nothing, failed(Errno) }

  /// The next packet. One without a whole header comes with an empty payload.
  package func receive() -> Received {
    var info = sluice_raw_packet()
    // SAFETY: the region is as large as is said; only what was written is read.
    let count = unsafe sluice_receive_raw(
      descriptor, family == .v4 ? AF_INET : AF_INET6, memory, RawSocket.capacity, &info)
    guard count >= 0 else { return errno == EAGAIN ? .nothing : .failed(.last) }
    let bytes = unsafe UnsafeBufferPointer(start: memory + Int(info.offset), count: count)
    let v4 = family == .v4
    return unsafe .packet(
      Packet(
        source: v4
          ? IPAddress(v4: UInt32(truncatingIfNeeded: info.source_low))
          : IPAddress(v6: info.source_high, info.source_low),
        destination: v4
          ? IPAddress(v4: UInt32(truncatingIfNeeded: info.destination_low))
          : IPAddress(v6: info.destination_high, info.destination_low),
        hopLimit: UInt8(truncatingIfNeeded: info.hop_limit), payload: Array(bytes)))
  }
}
