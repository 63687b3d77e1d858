internal import Glibc
internal import Kernel
internal import Model
internal import Reactor

/// The event loop: everything that the responder does, on one thread.
struct Loop: ~Copyable {
  private enum Token {
    static let listener: UInt64 = 1 << 63
    static let datagrams: UInt64 = 1 << 62
  }

  private let services: [Service]
  private var epoll: Epoll
  private var connections = Slab(limit: 65536, blank: Connection())
  private var buffers = BufferPool(bytes: 64 << 20)
  private var incoming = ByteRegion(capacity: 64 * 1024)
  /// The responses of all services, one behind the other.
  private var responses: ByteRegion
  private var ranges: [Range<Int>] = []
  private var queues: [Queue]
  private var listeners: [Int32] = []
  private var echo = DatagramEcho()
  private var hasDelays: Bool

  /// Serves until the process is killed.
  static func serve(_ services: [Service]) {
    do throws(Errno) {
      var loop = try Loop(services)
      for index in services.indices { try loop.listen(index) }
      print("responder: serving \(services.map { "\($0.kind) on \($0.address)" }.joined(separator: ", "))")
      fflush(nil)
      while true { loop.turn() }
    } catch {
      print("responder: \(error)")
      exit(1)
    }
  }

  private init(_ services: [Service]) throws(Errno) {
    self.services = services
    epoll = try Epoll()
    queues = services.map { Queue($0) }
    hasDelays = services.contains { $0.delay > 0 }
    responses = ByteRegion(capacity: services.reduce(0) { $0 + $1.size + 512 })
    for service in services {
      let start = responses.count
      if service.kind == .http {
        responses.append("HTTP/1.1 200 OK\r\nServer: responder\r\nContent-Type: text/plain\r\nContent-Length: ")
        responses.append(decimal: UInt64(service.size))
        responses.append("\r\n\r\n")
      }
      for index in 0..<service.size { responses.append(byte: index % 64 == 63 ? 10 : UInt8(ascii: "a")) }
      ranges.append(start..<responses.count)
    }
  }

  private mutating func listen(_ index: Int) throws(Errno) {
    let service = services[index]
    let kind: Socket.Kind = service.kind == .udp ? .datagram : .stream
    do throws(Errno) {
      try Socket.probeExclusive(service.address, kind)
      let fd = try Socket.listen(service.address, kind)
      listeners.append(fd)
      try epoll.add(fd, token: (kind == .datagram ? Token.datagrams : Token.listener) | UInt64(index), .level)
    } catch {
      print("responder: \(service.address): \(error)")
      exit(1)
    }
  }

  private mutating func turn() {
    let due = hasDelays ? queues.compactMap(\.nextDue).min() : nil
    let count =
      if let due { epoll.wait(nanoseconds: max(0, due - Clock.now().nanoseconds)) } else {
        epoll.wait(milliseconds: -1)
      }
    for index in 0..<count {
      let event = epoll[index]
      let number = Int(event.token & 0xffff_ffff)
      if event.token & Token.listener != 0 {
        accept(number)
      } else if event.token & Token.datagrams != 0 {
        echo.serve(listeners[number])
      } else {
        handle(UInt32(number), generation: UInt32(event.token >> 32), event)
      }
    }
    if hasDelays { finishDue() }
  }

  private mutating func finishDue() {
    let now = Clock.now().nanoseconds
    for service in queues.indices {
      while let item = queues[service].next(now: now) {
        guard connections.isUsed(item.index), connections.generation(item.index) == item.generation else { continue }
        connections[item.index].owed += 1
        if connections[item.index].owed == 1 { answer(item.index) }
      }
    }
  }

  private mutating func accept(_ service: Int) {
    while true {
      guard case .connection(let fd, _) = Socket.accept(listeners[service]) else { return }
      Socket.setNoDelay(fd)
      guard let index = connections.insert() else { return Socket.close(fd) }
      connections[index].fd = fd
      connections[index].service = UInt32(service)
      do throws(Errno) {
        try epoll.add(fd, token: UInt64(connections.generation(index)) << 32 | UInt64(index), .stream)
      } catch {
        close(index)
      }
    }
  }

  private mutating func close(_ index: UInt32) {
    buffers.release(&connections[index].output)
    Socket.close(connections[index].fd)
    connections.remove(index)
  }

  private mutating func handle(_ index: UInt32, generation: UInt32, _ event: Epoll.Event) {
    guard connections.isUsed(index), connections.generation(index) == generation else { return }
    let kind = services[Int(connections[index].service)].kind
    if event.writable {
      if !connections[index].output.isEmpty {
        let result = buffers.send(&connections[index].output, to: connections[index].fd)
        if result.failed { return close(index) }
      } else if connections[index].owed > 0 {
        answer(index)
        guard connections.isUsed(index) else { return }
      }
    }
    guard event.readable else { return }
    // Until a short read; an echo that cannot be sent leaves the rest where it is.
    while connections[index].output.isEmpty {
      incoming.clear()
      let result = incoming.receive(from: connections[index].fd)
      if result.wouldBlock { return }
      guard result.value > 0 else { return close(index) }
      let short = incoming.room > 0
      switch kind {
      case .http: request(index)
      case .echo: echoBack(index)
      case .pour: if connections[index].owed == 0 { pour(index) }
      case .udp: break
      }
      guard connections.isUsed(index) else { return }
      if short, !event.ending { return }
    }
  }

  private mutating func request(_ index: UInt32) {
    var matched = connections[index].matched
    let heads = Connection.countHeads(in: incoming.bytes, matched: &matched)
    connections[index].matched = matched
    guard heads > 0 else { return }
    let service = Int(connections[index].service)
    if queues[service].delay > 0 {
      let now = Clock.now().nanoseconds
      for _ in 0..<heads { queues[service].add(index, connections.generation(index), now: now) }
      return
    }
    let idle = connections[index].owed == 0
    connections[index].owed += heads
    if idle { answer(index) }
  }

  /// Sends what is owed, until the socket refuses.
  private mutating func answer(_ index: UInt32) {
    let range = ranges[Int(connections[index].service)]
    while connections[index].owed > 0 {
      let start = range.lowerBound + connections[index].sent
      let result = responses.send(start..<range.upperBound, to: connections[index].fd)
      if result.failed { return close(index) }
      if result.wouldBlock { return }
      connections[index].sent += result.bytes
      if connections[index].sent < range.count { continue }
      connections[index].sent = 0
      // Who pours never has paid.
      if services[Int(connections[index].service)].kind != .pour { connections[index].owed -= 1 }
    }
  }

  private mutating func pour(_ index: UInt32) {
    connections[index].owed = 1
    answer(index)
  }

  private mutating func echoBack(_ index: UInt32) {
    let result = incoming.send(0..<incoming.count, to: connections[index].fd)
    if result.failed { return close(index) }
    guard result.bytes < incoming.count else { return }
    if !buffers.append(incoming, result.bytes..<incoming.count, to: &connections[index].output) { close(index) }
  }
}
