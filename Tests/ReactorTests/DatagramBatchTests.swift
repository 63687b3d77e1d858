import Kernel
import Model
import Reactor
import Testing

@Suite struct DatagramBatchTests {
  /// A listener's socket with its port, and a socket connected to it.
  private func pair(_ bind: IPAddress, to address: IPAddress) throws -> (server: Int32, client: Int32, port: UInt16) {
    let server = try Socket.listen(.ip(Endpoint(bind, 0)), .datagram)
    let port = try #require(Socket.localEndpoint(server)).port
    return (server, try Socket.connect(.ip(Endpoint(address, port)), .datagram), port)
  }

  /// The macro cannot look into a batch, which is not copyable.
  private func same<Value: Equatable>(_ left: Value, _ right: Value, at place: SourceLocation = #_sourceLocation) {
    #expect(left == right, sourceLocation: place)
  }

  private func bytes(_ batch: borrowing DatagramBatch, _ index: Int) -> [UInt8] {
    let span = batch.bytes(index)
    return span.indices.map { span[$0] }
  }

  private func send(_ payload: [UInt8], _ fd: Int32) { #expect(IO.write(fd, payload.span).value == payload.count) }

  @Test(arguments: [(IPAddress.anyV4, IPAddress(127, 0, 0, 9)), (.anyV6, .loopbackV6)])
  func tellsWhoSentADatagramAndWhereTo(bind: IPAddress, address: IPAddress) throws {
    let (server, client, _) = try pair(bind, to: address)
    defer { for fd in [server, client] { Socket.close(fd) } }
    send([1, 2, 3], client)
    var batch = try DatagramBatch(.fromMany)
    same(batch.receive(from: server).value, 1)
    same(batch.source(0), Socket.localEndpoint(client))
    same(batch.destination(0)?.address, address)
    same(bytes(batch, 0), [1, 2, 3])
  }

  @Test func keepsEveryLengthThatUDPKnows() throws {
    let (server, client, _) = try pair(.anyV4, to: .loopbackV4)
    defer { for fd in [server, client] { Socket.close(fd) } }
    var batch = try DatagramBatch(.fromMany)
    for length in [0, 1, 1472, 2048, 2049, 9000, 60_000, 65_507] {
      let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      send(payload, client)
      batch.clear()
      same(batch.receive(from: server).value, 1)
      same(batch.isTruncated(0), false)
      same(bytes(batch, 0), payload)
    }
  }

  @Test func receivesAtMostItsSlotsAndThenTheRest() throws {
    let (server, client, _) = try pair(.anyV4, to: .loopbackV4)
    defer { for fd in [server, client] { Socket.close(fd) } }
    for number in 0..<UInt8(100) { send([number], client) }
    var batch = try DatagramBatch(.fromMany)
    same(batch.receive(from: server).value, 64)
    same(batch.isFull, true)
    batch.clear()
    same(batch.receive(from: server).value, 36)
    same(bytes(batch, 0), [64])
    same(batch.receive(from: server).wouldBlock, true)
    same(batch.count, 36)
  }

  @Test func sendsRunsOnInOrderAndBehindAPrefix() throws {
    let (server, client, _) = try pair(.anyV4, to: .loopbackV4)
    let (sink, out, _) = try pair(.anyV4, to: .loopbackV4)
    defer { for fd in [server, client, sink, out] { Socket.close(fd) } }
    for number in 0..<UInt8(5) { send([number], client) }
    var batch = try DatagramBatch(.fromMany)
    same(batch.receive(from: server).value, 5)
    same(batch.send(0..<3, to: out).value, 3)
    same(batch.send(3..<4, to: out).value, 1)
    same(batch.send(4..<5, to: out, after: [9, 9]).value, 1)
    var arrived = try DatagramBatch(.fromOne)
    same(arrived.receive(from: sink).value, 5)
    for (index, expected) in [[0], [1], [2], [3], [9, 9, 4]].enumerated() {
      same(bytes(arrived, index), expected.map(UInt8.init))
    }
  }

  @Test(arguments: [(IPAddress.anyV4, IPAddress(127, 0, 0, 7)), (.anyV6, .loopbackV6)])
  func answersFromTheAddressThatWasAsked(bind: IPAddress, address: IPAddress) throws {
    // A connected socket takes datagrams from its peer's address alone.
    let (server, client, _) = try pair(bind, to: address)
    let (backend, upstream, _) = try pair(.anyV4, to: .loopbackV4)
    defer { for fd in [server, client, backend, upstream] { Socket.close(fd) } }
    let name = try #require(Socket.localEndpoint(client))
    for number in 0..<UInt8(3) { send([number], upstream) }
    var replies = try DatagramBatch(.fromOne)
    same(replies.receive(from: backend).value, 3)
    replies.address(0..<3, to: name, from: address, interface: 0)
    same(replies.sendAddressed(0..<3, through: server).value, 3)
    var arrived = try DatagramBatch(.fromOne)
    same(arrived.receive(from: client).value, 3)
    same(bytes(arrived, 2), [2])
  }

  @Test func namesTheRefusalThatICMPBrings() throws {
    let (server, client, _) = try pair(.anyV4, to: .loopbackV4)
    Socket.close(server)
    defer { Socket.close(client) }
    send([1], client)
    var batch = try DatagramBatch(.fromOne)
    let result = batch.receive(from: client)
    #expect(result.failed)
    #expect(result.error == .refused)
    same(batch.count, 0)
  }
}
