internal import CKernel
internal import Glibc
package import Model

/// Sockets by number. A socket that is being served lives in a slab as a plain
/// `Int32`; whoever removes it from the slab closes it.
package enum Socket {
  package enum Kind: Sendable { case stream, datagram }

  /// Clients that the kernel accepts ahead of us, for each descriptor.
  package static let backlog = 4096

  private static let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)

  private static func open(_ domain: Int32, _ kind: Kind) throws(Errno) -> Int32 {
    let type = Int32(kind == .stream ? SOCK_STREAM.rawValue : SOCK_DGRAM.rawValue)
    let fd = socket(domain, type | flags, 0)
    guard fd >= 0 else { throw .last }
    return fd
  }

  /// A bound socket of a `SO_REUSEPORT` group; a stream socket also listens.
  ///
  /// A Unix socket cannot be in such a group: all workers share the one descriptor.
  /// - Parameters:
  ///   - destinations: whether each datagram comes with the address that it was sent to.
  ///   - elsewhere: the address may be on another machine now, and come here later.
  package static func listen(
    _ address: SocketAddress, _ kind: Kind, destinations: Bool = true, elsewhere: Bool = false
  ) throws(Errno) -> Int32 {
    let name = SocketName(address)
    if case .unix(let path) = address, !path.hasPrefix("@") {
      let stale = unsafe sluice_unlink_if_stale(path)
      guard stale == 0 else { throw Errno(stale) }
    }
    let fd = try open(name.domain, kind)
    do throws(Errno) {
      if case .ip(let endpoint) = address {
        try set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        try set(fd, SOL_SOCKET, SO_REUSEPORT, 1)
        // "[::]:80" and "0.0.0.0:80" are two binds, so that each does what it says.
        if endpoint.address.family == .v6 { try set(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        if kind == .datagram, destinations { try enablePacketInfo(fd, endpoint.address.family) }
        if elsewhere { try allowForeignAddress(fd, endpoint.address.family) }
      }
      guard unsafe name.withPointer({ unsafe bind(fd, $0, $1) }) == 0 else { throw .last }
      // PERF: accepted sockets inherit it on Linux, which saves a system call for each.
      if kind == .stream, case .ip = address { setNoDelay(fd) }
      if kind == .stream { guard Glibc.listen(fd, Int32(Socket.backlog)) == 0 else { throw .last } }
    } catch {
      close(fd)
      throw error
    }
    return fd
  }

  /// Whether the address can be bound by somebody who does not share it (a port in use by another program).
  package static func probeExclusive(
    _ address: SocketAddress, _ kind: Kind, elsewhere: Bool = false
  ) throws(Errno) {
    guard case .ip(let endpoint) = address, endpoint.port != 0 else { return }
    let name = SocketName(address)
    let fd = try open(name.domain, kind)
    defer { close(fd) }
    if kind == .stream { try set(fd, SOL_SOCKET, SO_REUSEADDR, 1) }
    if endpoint.address.family == .v6 { try set(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
    if elsewhere { try allowForeignAddress(fd, endpoint.address.family) }
    guard unsafe name.withPointer({ unsafe bind(fd, $0, $1) }) == 0 else { throw .last }
  }

  private static func allowForeignAddress(_ fd: Int32, _ family: IPAddress.Family) throws(Errno) {
    if family == .v4 {
      try set(fd, Int32(IPPROTO_IP), IP_FREEBIND, 1)
    } else {
      try set(fd, Int32(IPPROTO_IPV6), IPV6_FREEBIND, 1)
    }
  }

  /// Permission bits of a Unix socket's file.
  package static func setMode(_ path: String, _ mode: UInt16) throws(Errno) {
    guard unsafe chmod(path, mode_t(mode)) == 0 else { throw .last }
  }

  package static func removeFile(_ path: String) { _ = unsafe unlink(path) }

  /// Starts a connection; the socket becomes writable when it is there or has failed (`pendingError`).
  /// - Parameter speaksFirst: the handshake's last acknowledgement may wait for what is sent then.
  package static func connect(
    _ address: SocketAddress, _ kind: Kind = .stream, speaksFirst: Bool = false
  ) throws(Errno) -> Int32 {
    let name = SocketName(address)
    let fd = try open(name.domain, kind)
    if kind == .stream, case .ip = address {
      setNoDelay(fd)
      // PERF: a segment less for each connection, of about ten with one request and its answer.
      if speaksFirst { try? set(fd, Int32(IPPROTO_TCP), TCP_QUICKACK, 0) }
    }
    let result = unsafe name.withPointer { unsafe Glibc.connect(fd, $0, $1) }
    // A Unix socket whose backlog is full answers EAGAIN: to the caller that is a refusal.
    if result != 0, errno != EINPROGRESS {
      let error = Errno.last
      close(fd)
      throw error
    }
    return fd
  }

  package enum Accepted: ~Copyable {
    case connection(Int32, Endpoint?)
    case none
    case failed(Errno)
  }

  package static func accept(_ listener: Int32) -> Accepted {
    var name = SocketName()
    let fd = unsafe name.fill { unsafe sluice_accept4(listener, $0, $1, flags) }
    if fd >= 0 { return .connection(fd, name.endpoint) }
    let error = errno
    return error == EAGAIN ? .none : .failed(Errno(error))
  }

  package static func close(_ fd: Int32) { _ = Glibc.close(fd) }

  package static func shutdownWrite(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_WR)) }

  /// Makes `close` send a reset instead of an orderly end: the peer must see that its message is incomplete.
  package static func resetOnClose(_ fd: Int32) {
    var value = linger(l_onoff: 1, l_linger: 0)
    // SAFETY: the option's value is a `linger`, read during the call.
    _ = unsafe setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }

  package static func setNoDelay(_ fd: Int32) { try? set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

  /// The result of a connection attempt; nil: connected.
  package static func pendingError(_ fd: Int32) -> Errno? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // SAFETY: the option's value is an `int`, written during the call.
    guard unsafe getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length) == 0 else { return .last }
    return value == 0 ? nil : Errno(value)
  }

  /// Whether a connection that nobody speaks on has neither bytes nor an end waiting.
  package static func isQuiet(_ fd: Int32) -> Bool {
    var byte: UInt8 = 0
    // SAFETY: peeks at most one byte into a local.
    let count = unsafe recv(fd, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
    return count < 0 && errno == EAGAIN
  }

  package static func localEndpoint(_ fd: Int32) -> Endpoint? {
    var name = SocketName()
    return unsafe name.fill { unsafe getsockname(fd, $0, $1) } == 0 ? name.endpoint : nil
  }

  /// How long a blocking receive waits before it fails with `wouldBlock`.
  static func setReceiveTimeout(_ fd: Int32, milliseconds: Int) {
    var value = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    // SAFETY: the option's value is a `timeval`, read during the call.
    _ = unsafe setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, socklen_t(MemoryLayout<timeval>.size))
  }

  /// How long a blocking send waits before it fails with `wouldBlock`.
  static func setSendTimeout(_ fd: Int32, milliseconds: Int) {
    var value = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    // SAFETY: the option's value is a `timeval`, read during the call.
    _ = unsafe setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Bytes that must be there before the socket tells of them (`SO_RCVLOWAT`); its end it tells of at once.
  package static func setLowWater(_ fd: Int32, bytes: Int32) {
    try? set(fd, SOL_SOCKET, SO_RCVLOWAT, bytes)
  }

  /// Bytes that were received and not yet read.
  package static func unreadBytes(_ fd: Int32) -> Int {
    var count: Int32 = 0
    // SAFETY: the call writes an `int`.
    guard unsafe ioctl(fd, UInt(FIONREAD), &count) == 0 else { return 0 }
    return Int(count)
  }

  static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) throws(Errno) {
    var value = value
    // SAFETY: the option's value is an `int`, read during the call.
    guard unsafe setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else { throw .last }
  }

  /// What a datagram socket does with a message that may be too long for the path. In both cases nothing that routers,
  /// or who passes for one, say of the path counts (RFC 9715 appendix B: that is how answers are made to be fragmented).
  package enum Fragmentation: Int32, Sendable {
    /// It is never cut (IP_PMTUDISC_PROBE; RFC 9715 §3.1).
    case never = 3
    /// It is cut to the interface's measure (IP_PMTUDISC_OMIT).
    case byInterface = 5
  }

  package static func setFragmentation(_ fd: Int32, _ family: IPAddress.Family, _ mode: Fragmentation) {
    if family == .v4 {
      try? set(fd, Int32(IPPROTO_IP), IP_MTU_DISCOVER, mode.rawValue)
    } else {
      try? set(fd, Int32(IPPROTO_IPV6), IPV6_MTU_DISCOVER, mode.rawValue)
    }
  }

  /// The destination address of each datagram, so that the answer leaves from where the question went.
  static func enablePacketInfo(_ fd: Int32, _ family: IPAddress.Family) throws(Errno) {
    if family == .v4 {
      try set(fd, Int32(IPPROTO_IP), IP_PKTINFO, 1)
    } else {
      try set(fd, Int32(IPPROTO_IPV6), IPV6_RECVPKTINFO, 1)
    }
  }
}
