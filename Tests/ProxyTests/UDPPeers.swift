import Glibc
import Kernel
import Model
import Synchronization

/// A blocking UDP socket of a test: a client's, or a backend's.
final class UDPSocket: Sendable {
  let fd: Int32
  let local: Endpoint

  /// Bound to `address`, any port unless given; what is not there within `wait` milliseconds is nil.
  init(_ address: IPAddress = .loopbackV4, port: UInt16 = 0, wait: Int = 2000) throws {
    fd = try Socket.listen(.ip(Endpoint(address, port)), .datagram)
    local = Socket.localEndpoint(fd) ?? Endpoint(address, 0)
    _ = fcntl(fd, F_SETFL, 0)
    set(wait: wait)
    var size: Int32 = 4 << 20
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, 4)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, 4)
  }

  deinit { Socket.close(fd) }

  func set(wait milliseconds: Int) {
    var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  func send(_ payload: [UInt8], to target: Endpoint) {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = target.port.bigEndian
    name.sin_addr.s_addr = UInt32(truncatingIfNeeded: target.address.low).bigEndian
    _ = withUnsafePointer(to: name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(fd, payload, payload.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  func send(_ text: String, to target: Endpoint) { send(Array(text.utf8), to: target) }

  func receive() -> (bytes: [UInt8], from: Endpoint)? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var name = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let count = withUnsafeMutablePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(fd, &buffer, buffer.count, 0, $0, &length) }
    }
    guard count >= 0 else { return nil }
    let from = Endpoint(IPAddress(v4: UInt32(bigEndian: name.sin_addr.s_addr)), UInt16(bigEndian: name.sin_port))
    return (Array(buffer[..<count]), from)
  }

  /// Sends, and waits for an answer.
  func ask(_ payload: [UInt8], _ target: Endpoint) -> (bytes: [UInt8], from: Endpoint)? {
    send(payload, to: target)
    return receive()
  }

  func ask(_ text: String, _ target: Endpoint) -> String? {
    ask(Array(text.utf8), target).map { String(decoding: $0.bytes, as: UTF8.self) }
  }
}

/// Answers each datagram with its own name and what came.
final class EchoBackend: Sendable {
  let name: String
  let endpoint: Endpoint
  private let isStopped = Atomic(false)
  private let thread = Mutex<Thread.Handle?>(nil)
  private let peers = Mutex<Set<Endpoint>>([])

  init(_ name: String, answers: Int = 1) throws {
    let socket = try UDPSocket(wait: 50)
    self.name = name
    endpoint = socket.local
    let handle = try Thread.start(name: name) { [self] in
      while !isStopped.load(ordering: .relaxed) {
        guard let (bytes, from) = socket.receive() else { continue }
        peers.withLock { _ = $0.insert(from) }
        for _ in 0..<answers { socket.send(Array("\(name):".utf8) + bytes, to: from) }
      }
    }
    thread.withLock { $0 = handle }
  }

  /// How many sockets have sent something.
  var clients: Int { peers.withLock { $0.count } }

  /// Closes the socket: what comes then is refused.
  func stop() {
    isStopped.store(true, ordering: .relaxed)
    thread.withLock { handle in
      handle?.join()
      handle = nil
    }
  }
}
