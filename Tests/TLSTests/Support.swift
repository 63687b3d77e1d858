import Foundation
import Glibc
import Kernel
import Model
import Reactor
import TLS
import Testing

private let vectors = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("Vectors/tls")

func file(_ name: String) throws -> FileBytes {
  FileBytes(path: name, bytes: Array(try Data(contentsOf: vectors.appendingPathComponent(name))))
}

func files(_ name: String) throws -> CertificateFiles {
  CertificateFiles(chain: try file("\(name).pem"), key: try file("\(name).key"))
}

func server(
  _ names: [String], listener: String = "web", tickets: TicketKeys? = TicketKeys(),
  _ edit: (inout ListenerTLS) -> Void = { _ in }
) throws -> ServerContext {
  var tls = ListenerTLS(certificates: try names.map(files))
  edit(&tls)
  return try ServerContext(
    name: listener, tls, certificates: try tls.certificates.map { try Certificate($0) }, tickets: tickets)
}

func client(trusting name: String?, as host: String?, _ edit: (inout PoolTLS) -> Void = { _ in }) throws
  -> ClientContext
{
  var tls = PoolTLS()
  tls.name = host
  tls.trust = if let name { .authorities(try file("\(name).pem")) } else { .off }
  edit(&tls)
  return try ClientContext(tls)
}

/// Two tables of channels with a pair of sockets between them.
struct Conversation: ~Copyable {
  var left = Channels(limit: 4)
  var right = Channels(limit: 4)
  let sockets: (client: Int32, server: Int32)
  private(set) var client: UInt32 = 0
  private(set) var server: UInt32 = 0

  init() {
    var pair: [Int32] = [0, 0]
    _ = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &pair)
    sockets = (pair[0], pair[1])
  }

  deinit {
    _ = close(sockets.client)
    _ = close(sockets.server)
  }

  /// A handshake on fresh channels; what each side says of it.
  mutating func meet(_ from: ClientContext, _ to: ServerContext) throws -> (client: Handshake, server: Handshake) {
    let connected = left.connect(from, to: .ip(Endpoint(.loopbackV4, 1)), backend: 7)
    let accepted = right.accept(to)
    client = try #require(connected)
    server = try #require(accepted)
    var one = Handshake.wantsMore
    var two = Handshake.wantsMore
    for _ in 0..<10 {
      one = Conversation.step(&left, client, sockets.client, one)
      two = Conversation.step(&right, server, sockets.server, two)
      if case .failed = one { break }
      if case .failed = two {
        one = Conversation.step(&left, client, sockets.client, one)
        break
      }
      if case .done = one, case .done = two { break }
    }
    return (one, two)
  }

  private static func step(
    _ channels: inout Channels, _ channel: UInt32, _ socket: Int32, _ before: Handshake
  ) -> Handshake {
    if case .done = before { return before }
    _ = channels.load(channel)
    _ = channels.receive(from: socket, atMost: channels.room)
    let now = channels.shake(channel)
    if case .done = now { _ = channels.hold(channel) }
    if channels.hasPending { _ = channels.send(to: socket) }
    channels.clearPending()
    return now
  }

  mutating func end() {
    left.close(client)
    right.close(server)
  }
}

extension Handshake {
  var isDone: Bool { if case .done = self { true } else { false } }
  var failure: HandshakeFailure? { if case .failed(let failure) = self { failure } else { nil } }
}
