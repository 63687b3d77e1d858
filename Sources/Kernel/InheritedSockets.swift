internal import CKernel
internal import Glibc
package import Model
internal import Synchronization

/// Listening sockets that somebody else has bound: an earlier process of this node, or the service manager.
///
/// What waits in their queues is served by whoever has them. So they are taken as they are, never bound anew.
package final class InheritedSockets: Sendable {
  package struct Name: Hashable, Sendable {
    package var address: SocketAddress
    package var kind: Socket.Kind

    package init(_ address: SocketAddress, _ kind: Socket.Kind) {
      self.address = address
      self.kind = kind
    }
  }

  private let sockets: Mutex<[Name: [Int32]]>
  /// Their Unix sockets' files are the service manager's.
  private let foreign: Set<SocketAddress>

  package init(_ sockets: [Name: [Int32]] = [:], foreign: Set<SocketAddress> = []) {
    self.sockets = Mutex(sockets)
    self.foreign = foreign
  }

  package func isForeign(_ address: SocketAddress) -> Bool { foreign.contains(address) }

  package var isEmpty: Bool { sockets.withLock { $0.isEmpty } }

  /// Those of an address, which are the caller's from now on; empty: there are none.
  package func take(_ address: SocketAddress, _ kind: Socket.Kind, destinations: Bool = true) -> [Int32] {
    let found = sockets.withLock { $0.removeValue(forKey: Name(address, kind)) } ?? []
    for descriptor in found { Socket.prepare(inherited: descriptor, address, kind, destinations: destinations) }
    return found
  }

  /// Closes what nobody has taken; the addresses.
  package func closeRest() -> [SocketAddress] {
    let rest = sockets.withLock { sockets in
      defer { sockets = [:] }
      return sockets
    }
    for descriptor in rest.values.joined() { Socket.close(descriptor) }
    return rest.keys.map(\.address)
  }

  /// Of this process's descriptors from 3 on: what `LISTEN_FDS` counts (sd_listen_fds(3)).
  package static func activated(count: Int) -> InheritedSockets {
    var sockets: [Name: [Int32]] = [:]
    for descriptor in 3..<Int32(3 + min(max(0, count), 4096)) {
      guard let name = Socket.name(of: descriptor) else { continue }
      sockets[name, default: []].append(descriptor)
    }
    return InheritedSockets(sockets, foreign: Set(sockets.keys.map(\.address)))
  }
}

/// Copies of the listening sockets of one address, on their way to another process.
package struct HandedSockets: Sendable {
  package let name: InheritedSockets.Name
  package let descriptors: [Int32]
  package let isForeign: Bool

  package init(copying sockets: [Int32], _ name: InheritedSockets.Name, isForeign: Bool = false) throws(Errno) {
    var copies: [Int32] = []
    do throws(Errno) {
      for socket in sockets { copies.append(try Socket.duplicate(socket)) }
    } catch {
      for copy in copies { Socket.close(copy) }
      throw error
    }
    self.name = name
    descriptors = copies
    self.isForeign = isForeign
  }
}

extension Socket {
  /// A second descriptor of the same socket.
  package static func duplicate(_ fd: Int32) throws(Errno) -> Int32 {
    let copy = sluice_duplicate(fd)
    guard copy >= 0 else { throw .last }
    return copy
  }

  static func check(_ fd: Int32, type wanted: UInt32) -> Bool {
    var type: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // SAFETY: the option's value is an `int`, written during the call.
    return unsafe getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && UInt32(type) == wanted
  }

  /// What a listening socket is bound to; nil: it is no such socket.
  static func name(of fd: Int32) -> InheritedSockets.Name? {
    var type: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // SAFETY: the option's value is an `int`, written during the call.
    guard unsafe getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 else { return nil }
    var name = SocketName()
    guard unsafe name.fill({ unsafe getsockname(fd, $0, $1) }) == 0 else { return nil }
    let kind: Kind
    switch UInt32(type) {
    case SOCK_STREAM.rawValue: kind = .stream
    case SOCK_DGRAM.rawValue: kind = .datagram
    default: return nil
    }
    if let endpoint = name.endpoint { return InheritedSockets.Name(.ip(endpoint), kind) }
    return name.unixPath.map { InheritedSockets.Name(.unix($0), kind) }
  }

  /// The options that a socket of ours has.
  static func prepare(inherited fd: Int32, _ address: SocketAddress, _ kind: Kind, destinations: Bool) {
    sluice_make_nonblocking(fd)
    guard case .ip(let endpoint) = address else { return }
    if kind == .stream { setNoDelay(fd) }
    if kind == .datagram, destinations { try? enablePacketInfo(fd, endpoint.address.family) }
  }
}

extension SocketName {
  /// The path of a Unix socket; nil for other families and for a nameless one.
  var unixPath: String? {
    guard Int32(storage.ss_family) == AF_UNIX, length > 3 else { return nil }
    // SAFETY: the family says that the storage holds a sockaddr_un, of which `length` bytes count.
    let bytes = unsafe withUnsafeBytes(of: storage) { unsafe Array($0[2..<min(Int(length), 110)]) }
    if bytes.first == 0 { return "@" + String(decoding: bytes.dropFirst(), as: UTF8.self) }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
