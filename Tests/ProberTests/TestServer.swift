import Glibc
import Kernel
import Model
import Synchronization

/// A server on a thread of its own: each connection is handled by a closure, blocking, one after the other.
final class TestServer: Sendable {
  let address: SocketAddress
  private let listener: Int32
  private let count = Mutex(0)

  var connections: Int { count.withLock { $0 } }
  var port: UInt16 {
    guard case .ip(let endpoint) = address else { return 0 }
    return endpoint.port
  }

  init(
    _ bind: SocketAddress = .ip(Endpoint(.loopbackV4, 0)), _ kind: Kernel.Socket.Kind = .stream,
    _ handle: @escaping @Sendable (Int32) -> Void
  ) throws {
    listener = try Kernel.Socket.listen(bind, kind)
    address = Kernel.Socket.localEndpoint(listener).map { .ip($0) } ?? bind
    _ = fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) & ~O_NONBLOCK)
    if kind == .datagram {
      let listener = listener
      _ = try Thread.start(name: "test-udp") { handle(listener) }
      return
    }
    let listener = listener
    _ = try Thread.start(name: "test-server") { [self] in
      while true {
        let client = accept(listener, nil, nil)
        if client < 0 { return }
        count.withLock { $0 += 1 }
        handle(client)
        close(client)
      }
    }
  }

  /// Refuses from now on.
  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  /// Reads what is there and answers.
  static func answering(_ text: String) -> @Sendable (Int32) -> Void {
    { client in
      _ = receive(client)
      send(client, text)
    }
  }

  static func receive(_ client: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(client, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }

  static func send(_ client: Int32, _ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }
}

/// What a prober reports, for tests to wait on.
final class Findings: Sendable {
  private let reports = Mutex<[ProbeReportList.Element]>([])
  let complaints = Mutex<[String]>([])

  typealias ProbeReportList = [(key: String, text: String)]

  func add(_ key: String, _ text: String) { reports.withLock { $0.append((key, text)) } }
  func of(_ key: String) -> [String] { reports.withLock { $0.filter { $0.key == key }.map(\.text) } }

  /// The first finding of a backend; nil after ten seconds.
  func first(_ key: String) -> String? { wait { of(key).first } }

  func wait<Value>(_ value: () -> Value?) -> Value? {
    let deadline = Clock.now() + .seconds(10)
    while Clock.now() < deadline {
      if let value = value() { return value }
      usleep(1000)
    }
    return nil
  }
}
