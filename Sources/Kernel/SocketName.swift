internal import Glibc
package import Model

/// A kernel socket address, converted to and from the Model's.
@safe package struct SocketName {
  var storage = sockaddr_storage()
  /// Bytes of `storage` that count.
  package private(set) var length = UInt32(MemoryLayout<sockaddr_storage>.size)

  package init() {}

  /// - Parameter scope: the link that a link-local IPv6 address is on.
  package init(_ endpoint: Endpoint, scope: UInt32 = 0) {
    if endpoint.address.family == .v4 {
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = endpoint.port.bigEndian
      name.sin_addr.s_addr = UInt32(truncatingIfNeeded: endpoint.address.low).bigEndian
      self.init(copying: name)
    } else {
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = endpoint.port.bigEndian
      name.sin6_scope_id = scope
      // SAFETY: in6_addr is 16 bytes in network order.
      unsafe withUnsafeMutableBytes(of: &name.sin6_addr) { bytes in
        unsafe bytes.storeBytes(of: endpoint.address.high.bigEndian, toByteOffset: 0, as: UInt64.self)
        unsafe bytes.storeBytes(of: endpoint.address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      self.init(copying: name)
    }
  }

  /// A path, or "@name" for the abstract namespace. The path must fit (Model checks it).
  package init(unixPath path: String) {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8.prefix(107))
    // SAFETY: sun_path has 108 bytes; at most 107 are written and the rest is zero.
    unsafe withUnsafeMutableBytes(of: &name.sun_path) { target in
      unsafe target.copyBytes(from: bytes)
      if bytes.first == UInt8(ascii: "@") { unsafe target[0] = 0 }
    }
    self.init(copying: name)
    // An abstract name is as long as its bytes, not zero-terminated.
    if bytes.first == UInt8(ascii: "@") { length = socklen_t(2 + bytes.count) }
  }

  package init(_ address: SocketAddress) {
    switch address {
    case .ip(let endpoint): self.init(endpoint)
    case .unix(let path): self.init(unixPath: path)
    }
  }

  private init<Name>(copying name: Name) {
    // SAFETY: every socket address type is smaller than sockaddr_storage and plain bytes.
    unsafe withUnsafeMutableBytes(of: &storage) { target in
      unsafe withUnsafeBytes(of: name) { unsafe target.copyMemory(from: $0) }
    }
    length = socklen_t(MemoryLayout<Name>.size)
  }

  package var domain: Int32 { Int32(storage.ss_family) }

  /// nil for a Unix socket or an unknown family.
  package var endpoint: Endpoint? {
    // SAFETY: the storage holds any address.
    unsafe withUnsafeBytes(of: storage) { unsafe SocketName.endpoint(at: $0.baseAddress!) }
  }

  /// The endpoint in what a system call has filled in: at least a sockaddr_in6's 28 bytes.
  @unsafe package static func endpoint(at name: UnsafeRawPointer) -> Endpoint? {
    // SAFETY: the family says what is there: the port at offset 2 of both, the address at 4 or at 8.
    let port = unsafe UInt16(bigEndian: name.load(fromByteOffset: 2, as: UInt16.self))
    switch unsafe Int32(name.load(as: sa_family_t.self)) {
    case AF_INET:
      return unsafe Endpoint(IPAddress(v4: UInt32(bigEndian: name.load(fromByteOffset: 4, as: UInt32.self))), port)
    case AF_INET6:
      let high = unsafe UInt64(bigEndian: name.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      let low = unsafe UInt64(bigEndian: name.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
      return Endpoint(IPAddress(v6: high, low).unmapped, port)
    default: return nil
    }
  }

  /// Lends the address to a system call.
  func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    // SAFETY: `sockaddr` is the prefix of every socket address; the pointer lives for the call.
    unsafe withUnsafePointer(to: storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
    }
  }

  /// Lends the storage to a system call that fills it in.
  mutating func fill<Result>(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result)
    -> Result
  {
    length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // SAFETY: as above; `length` tells the call how much room there is.
    return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        unsafe withUnsafeMutablePointer(to: &length) { unsafe body(name, $0) }
      }
    }
  }
}
