internal import CKernel
internal import Glibc
package import Model

/// The address of a neighbour, or of our end to it: an endpoint, and the interface of a link-local one (0: none).
package struct PeerName: Hashable, Sendable, BitwiseCopyable {
  package let address: IPAddress
  package let port: UInt16
  package let scope: UInt32

  package init(_ address: IPAddress, port: UInt16 = 0, scope: UInt32 = 0) {
    self.address = address
    self.port = port
    self.scope = scope
  }

  init(_ raw: sluice_peer) {
    let address =
      raw.family == 4 ? IPAddress(v4: UInt32(truncatingIfNeeded: raw.low)) : IPAddress(v6: raw.high, raw.low)
    self.init(address, port: raw.port, scope: raw.scope)
  }

  var raw: sluice_peer {
    sluice_peer(high: address.high, low: address.low, scope: scope, port: port, family: code)
  }

  var code: UInt8 { address.family == .v4 ? 4 : 6 }
}

/// Sockets to and from known neighbours: what routing protocols need beyond a plain connection.
package enum PeerSocket {
  package struct Options: Hashable, Sendable {
    /// The TTL or hop limit of what we send.
    package var ttl: UInt8
    /// The least TTL that is taken (GTSM, RFC 5082); 0: any.
    package var minimumTTL: UInt8
    /// TCP MD5 (RFC 2385): at most 80 bytes.
    package var key: [UInt8]

    package init(ttl: UInt8 = 64, minimumTTL: UInt8 = 0, key: [UInt8] = []) {
      self.ttl = ttl
      self.minimumTTL = minimumTTL
      self.key = key
    }
  }

  /// DSCP CS6, network control (RFC 4594 §3.1).
  private static let trafficClass: Int32 = 0xc0

  // MARK: Streams

  /// Starts a connection; the socket becomes writable when it is there or has failed.
  package static func connect(
    to remote: PeerName, from local: PeerName?, _ options: Options
  ) throws(Errno) -> Int32 {
    let fd = try open(remote, SOCK_STREAM)
    do throws(Errno) {
      Socket.setNoDelay(fd)
      try check(sluice_peer_ttl(fd, remote.code, Int32(options.ttl), Int32(options.minimumTTL)))
      _ = sluice_peer_traffic_class(fd, remote.code, trafficClass)
      if !options.key.isEmpty { try setKey(fd, remote, prefix: nil, options.key) }
      if let local { try check(sluice_peer_bind(fd, local.raw)) }
      let result = sluice_peer_connect(fd, remote.raw)
      guard result == 0 || result == EINPROGRESS else { throw Errno(result) }
    } catch {
      Socket.close(fd)
      throw error
    }
    return fd
  }

  /// A listening socket. It answers with the full TTL, since who asks for that drops less (RFC 5082 §3).
  package static func listen(_ local: PeerName) throws(Errno) -> Int32 {
    let fd = try open(local, SOCK_STREAM)
    do throws(Errno) {
      try Socket.set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
      if local.address.family == .v6 { try Socket.set(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
      try check(sluice_peer_ttl(fd, local.code, 255, 0))
      _ = sluice_peer_traffic_class(fd, local.code, trafficClass)
      try check(sluice_peer_bind(fd, local.raw))
      guard Glibc.listen(fd, 128) == 0 else { throw .last }
    } catch {
      Socket.close(fd)
      throw error
    }
    return fd
  }

  /// The next connection that waits; nil: none.
  package static func accept(_ listener: Int32) throws(Errno) -> (fd: Int32, remote: PeerName)? {
    var name = sluice_peer()
    let fd = unsafe sluice_peer_accept(listener, &name)
    if fd == -EAGAIN { return nil }
    guard fd >= 0 else { throw Errno(-fd) }
    Socket.setNoDelay(fd)
    return (fd, PeerName(name))
  }

  package static func setTTL(_ fd: Int32, _ family: IPAddress.Family, _ options: Options) throws(Errno) {
    try check(sluice_peer_ttl(fd, family == .v4 ? 4 : 6, Int32(options.ttl), Int32(options.minimumTTL)))
  }

  /// The key for segments from and to `remote`, or from a whole prefix; an empty one takes it away.
  package static func setKey(
    _ fd: Int32, _ remote: PeerName, prefix: Int?, _ key: [UInt8]
  ) throws(Errno) {
    // SAFETY: the array lives through the call, which reads `count` bytes of it.
    try check(
      unsafe key.withUnsafeBytes {
        unsafe sluice_peer_md5(
          fd, remote.raw, prefix.map { UInt8(clamping: $0) } ?? 255, $0.baseAddress, UInt16(clamping: $0.count))
      })
  }

  /// Our end of a socket.
  package static func local(_ fd: Int32) -> PeerName? {
    var name = sluice_peer()
    return unsafe sluice_peer_local(fd, &name) == 0 ? PeerName(name) : nil
  }

  // MARK: Datagrams

  /// Receives from anybody, with the TTL of each datagram.
  package static func datagrams(at local: PeerName) throws(Errno) -> Int32 {
    let fd = try open(local, SOCK_DGRAM)
    do throws(Errno) {
      if local.address.family == .v6 { try Socket.set(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
      try check(sluice_peer_want_ttl(fd, local.code))
      try check(sluice_peer_bind(fd, local.raw))
    } catch {
      Socket.close(fd)
      throw error
    }
    return fd
  }

  /// Sends to one neighbour, from a port of our choice.
  package static func datagrams(to remote: PeerName, from local: PeerName, ttl: UInt8) throws(Errno) -> Int32 {
    let fd = try open(remote, SOCK_DGRAM)
    do throws(Errno) {
      try check(sluice_peer_ttl(fd, remote.code, Int32(ttl), 0))
      _ = sluice_peer_traffic_class(fd, remote.code, trafficClass)
      try check(sluice_peer_bind(fd, local.raw))
      try check(sluice_peer_connect(fd, remote.raw))
    } catch {
      Socket.close(fd)
      throw error
    }
    return fd
  }

  package struct Datagram: Sendable {
    package var bytes: [UInt8]
    package var remote: PeerName
    /// nil: the kernel did not say.
    package var ttl: UInt8?
    /// The interface that it came in by.
    package var interface: UInt32
  }

  /// The next datagram of at most `limit` bytes (longer ones are cut); nil: none waits.
  package static func receive(_ fd: Int32, limit: Int = 128) -> Datagram? {
    var (name, ttl, interface) = (sluice_peer(), Int32(-1), UInt32(0))
    var count = 0
    // SAFETY: the call writes at most `limit` bytes, and `initialized` says how many.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { memory, initialized in
      count = unsafe sluice_peer_receive(fd, memory.baseAddress, limit, &name, &ttl, &interface)
      initialized = max(0, count)
    }
    guard count >= 0 else { return nil }
    return Datagram(bytes: bytes, remote: PeerName(name), ttl: UInt8(exactly: ttl), interface: interface)
  }

  package static func send(_ fd: Int32, _ bytes: [UInt8]) -> Transfer {
    // SAFETY: the array lives through the call, which only reads it.
    Transfer(unsafe bytes.withUnsafeBytes { unsafe sluice_peer_send(fd, $0.baseAddress, $0.count) })
  }

  /// The same for the part of a queue that is still to be sent.
  package static func send(_ fd: Int32, _ bytes: ArraySlice<UInt8>) -> Transfer {
    // SAFETY: as above.
    Transfer(unsafe bytes.withUnsafeBytes { unsafe sluice_peer_send(fd, $0.baseAddress, $0.count) })
  }

  /// What a stream has for us, up to `limit` bytes, and how the call ended.
  package static func read(_ fd: Int32, limit: Int) -> (bytes: [UInt8], transfer: Transfer) {
    var count = 0
    var error: Int32 = 0
    // SAFETY: recv writes at most `limit` bytes, and `initialized` says how many.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { memory, initialized in
      count = unsafe recv(fd, memory.baseAddress, limit, 0)
      error = errno
      initialized = max(0, count)
    }
    return (bytes, Transfer(returned: count, error: error))
  }

  // MARK: Interfaces

  /// nil: there is none of this name now.
  package static func interface(_ name: String) -> UInt32? {
    let index = unsafe sluice_interface_index(name)
    return index == 0 ? nil : index
  }

  package static func linkLocal(of interface: UInt32) -> IPAddress? {
    var (high, low) = (UInt64(0), UInt64(0))
    guard unsafe sluice_link_local(interface, &high, &low) == 0 else { return nil }
    return IPAddress(v6: high, low)
  }

  private static func open(_ name: PeerName, _ kind: __socket_type) throws(Errno) -> Int32 {
    let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let fd = socket(name.address.family == .v4 ? AF_INET : AF_INET6, Int32(kind.rawValue) | flags, 0)
    guard fd >= 0 else { throw .last }
    return fd
  }

  private static func check(_ result: Int32) throws(Errno) {
    if result != 0 { throw Errno(result) }
  }
}

extension Thread {
  /// The calling thread runs before all ordinary ones (SCHED_FIFO), and its timers are not rounded.
  /// - Returns: whether the kernel allowed the first; the second it always does.
  package static func bePrompt() -> Bool { sluice_be_prompt(10) == 0 }
}
