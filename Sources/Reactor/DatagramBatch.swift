internal import CKernel
internal import Glibc
package import Kernel
package import Model

/// Datagrams received together and sent on together: one system call for up to 64.
///
/// Each slot has room for the longest datagram that UDP knows, so that none is ever cut.
/// It is address space, not memory: pages that no datagram has reached cost nothing.
@safe package struct DatagramBatch: ~Copyable {
  package enum Kind: Sendable {
    /// From a listener's socket: with each datagram comes who sent it and where to.
    case fromMany
    /// From a connected socket: the peer is known.
    case fromOne
  }

  package static let slots = 64
  /// Bytes of a slot; UDP carries at most 65,527.
  package static let room = 1 << 16
  /// Slots begin at different cache sets: most of what is received is short.
  private static let stride = room + 576
  /// One cmsg with an in6_pktinfo takes 40 bytes.
  private static let controlRoom = 64

  // SAFETY: all five are owned by this value, initialised in init and freed in deinit. The kernel's view (`messages`)
  // points only into the other four, with the lengths of their parts; indices are checked against `count`.
  private let messages: UnsafeMutablePointer<sluice_datagram>
  private let names: UnsafeMutablePointer<SocketName>
  /// Two for each slot: a prefix and the datagram.
  private let pieces: UnsafeMutablePointer<iovec>
  private let controls: UnsafeMutableRawPointer
  private let memory: UnsafeMutableRawPointer
  private let kind: Kind
  /// Datagrams that are held now.
  package private(set) var count = 0

  package init(_ kind: Kind) throws(Errno) {
    self.kind = kind
    let slots = DatagramBatch.slots
    let space = unsafe mmap(
      nil, slots * DatagramBatch.stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let space = unsafe space, unsafe space != MAP_FAILED else { throw .last }
    unsafe memory = space
    unsafe messages = .allocate(capacity: slots)
    unsafe messages.initialize(repeating: sluice_datagram(), count: slots)
    unsafe names = .allocate(capacity: slots)
    unsafe names.initialize(repeating: SocketName(), count: slots)
    unsafe pieces = .allocate(capacity: 2 * slots)
    unsafe pieces.initialize(repeating: iovec(), count: 2 * slots)
    unsafe controls = .allocate(byteCount: slots * DatagramBatch.controlRoom, alignment: 16)
    for slot in 0..<slots { prepare(slot) }
  }

  deinit {
    unsafe munmap(memory, DatagramBatch.slots * DatagramBatch.stride)
    unsafe messages.deallocate()
    unsafe names.deallocate()
    unsafe pieces.deallocate()
    unsafe controls.deallocate()
  }

  package var isFull: Bool { count == DatagramBatch.slots }

  /// Forgets all datagrams.
  package mutating func clear() {
    for slot in 0..<count { prepare(slot) }
    count = 0
  }

  /// Makes a slot ready to be received into.
  private mutating func prepare(_ slot: Int) {
    unsafe pieces[2 * slot + 1] = iovec(
      iov_base: memory + slot * DatagramBatch.stride, iov_len: DatagramBatch.room)
    var header = unsafe msghdr()
    unsafe header.msg_iov = pieces + (2 * slot + 1)
    unsafe header.msg_iovlen = 1
    if kind == .fromMany {
      unsafe header.msg_name = UnsafeMutableRawPointer(names + slot)
      unsafe header.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
      unsafe header.msg_control = controls + slot * DatagramBatch.controlRoom
      unsafe header.msg_controllen = DatagramBatch.controlRoom
    }
    unsafe messages[slot] = sluice_datagram(header: header, length: 0)
  }

  /// Receives behind what is there; one system call. The value is a number of datagrams; fewer than there was
  /// room for means that the socket is empty.
  package mutating func receive(from fd: Int32) -> Transfer {
    precondition(!isFull)
    let received = unsafe sluice_recvmmsg(fd, messages + count, UInt32(DatagramBatch.slots - count), 0)
    let result = Transfer(returned: Int(received), error: errno)
    for slot in count..<count + result.bytes {
      // What is sent on is what was received, not the room for it.
      unsafe pieces[2 * slot + 1].iov_len = min(Int(messages[slot].length), DatagramBatch.room)
    }
    count += result.bytes
    return result
  }

  // MARK: What was received

  private func check(_ index: Int) { precondition(index >= 0 && index < count) }

  private func check(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.lowerBound < range.upperBound && range.upperBound <= count)
  }

  /// Who sent it; only from a listener's socket.
  package func source(_ index: Int) -> Endpoint? {
    check(index)
    return unsafe names[index].endpoint
  }

  /// The local address that it was sent to, and the interface that it came by; only from a listener's socket, and
  /// before it is sent on.
  package func destination(_ index: Int) -> (address: IPAddress, interface: UInt32)? {
    check(index)
    let info = unsafe sluice_get_packet_info(&messages[index].header)
    switch info.family {
    case AF_INET: return (IPAddress(v4: UInt32(truncatingIfNeeded: info.low)), info.interface)
    case AF_INET6: return (IPAddress(v6: info.high, info.low), info.interface)
    default: return nil
    }
  }

  /// Bytes of a datagram; 0 is a valid length.
  package func length(_ index: Int) -> Int {
    check(index)
    return unsafe pieces[2 * index + 1].iov_len
  }

  /// Bytes of several.
  package func length(_ range: Range<Int>) -> Int {
    var sum = 0
    for index in range { sum += length(index) }
    return sum
  }

  /// Whether the end is missing. No UDP datagram is longer than a slot, so this is never so unless the kernel changes.
  package func isTruncated(_ index: Int) -> Bool {
    check(index)
    return unsafe messages[index].header.msg_flags & Int32(MSG_TRUNC) != 0
  }

  @_lifetime(borrow self)
  package func bytes(_ index: Int) -> Span<UInt8> {
    let count = length(index)
    let start = unsafe (memory + index * DatagramBatch.stride).assumingMemoryBound(to: UInt8.self)
    let span = unsafe Span(_unsafeStart: start, count: count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  // MARK: Sending on

  /// Sends a run through a connected socket; one system call. The value is a number of datagrams.
  package mutating func send(_ range: Range<Int>, to fd: Int32) -> Transfer {
    check(range)
    if range.count == 1 {
      let piece = unsafe pieces[2 * range.lowerBound + 1]
      let result = unsafe IO.send(fd, UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len))
      return result.value >= 0 ? Transfer(1) : result
    }
    for index in range { unsafe address(index, name: nil, control: nil, pieces: 1) }
    return sendPrepared(range, fd)
  }

  /// The same with each datagram behind `prefix`, in one datagram.
  package mutating func send(_ range: Range<Int>, to fd: Int32, after prefix: [UInt8]) -> Transfer {
    check(range)
    return unsafe prefix.withUnsafeBytes { bytes in
      for index in range {
        // SAFETY: the kernel only reads the prefix, within this call.
        unsafe pieces[2 * index] = iovec(
          iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        unsafe address(index, name: nil, control: nil, pieces: 2)
      }
      return sendPrepared(range, fd)
    }
  }

  /// Addresses a run to a client, from one of our addresses; `interface` 0 leaves the way to the routes.
  package mutating func address(
    _ range: Range<Int>, to client: Endpoint, from local: IPAddress, interface: UInt32
  ) {
    check(range)
    let first = range.lowerBound
    unsafe names[first] = SocketName(client)
    let control = unsafe controls + first * DatagramBatch.controlRoom
    for index in range { unsafe address(index, name: names + first, control: control, pieces: 1) }
    var info = sluice_packet_info()
    info.high = local.high
    info.low = local.low
    info.interface = interface
    info.family = local.family == .v4 ? AF_INET : AF_INET6
    // An unspecified address leaves the choice to the kernel.
    for index in range { unsafe sluice_set_packet_info(&messages[index].header, info) }
  }

  /// Sends an addressed run through a listener's socket; one system call. The value is a number of datagrams.
  package mutating func sendAddressed(_ range: Range<Int>, through fd: Int32) -> Transfer {
    check(range)
    return sendPrepared(range, fd)
  }

  @unsafe private mutating func address(
    _ index: Int, name: UnsafeMutablePointer<SocketName>?, control: UnsafeMutableRawPointer?, pieces used: Int
  ) {
    unsafe messages[index].header.msg_name = UnsafeMutableRawPointer(name)
    unsafe messages[index].header.msg_namelen = unsafe name?.pointee.length ?? 0
    unsafe messages[index].header.msg_control = control
    unsafe messages[index].header.msg_controllen = 0
    unsafe messages[index].header.msg_iov = pieces + (2 * index + 2 - used)
    unsafe messages[index].header.msg_iovlen = used
  }

  private mutating func sendPrepared(_ range: Range<Int>, _ fd: Int32) -> Transfer {
    let sent = unsafe sluice_sendmmsg(fd, messages + range.lowerBound, UInt32(range.count), 0)
    return Transfer(returned: Int(sent), error: errno)
  }
}
