internal import Glibc
internal import Kernel
internal import Model
internal import Reactor
internal import Wire

/// One load, from the first connection to the line of figures.
struct Run: ~Copyable {
  private struct Client: BitwiseCopyable {
    var fd: Int32 = -1
    /// Waits for an answer.
    var isBusy = false
    /// When the request in progress was due, in nanoseconds.
    var since: Int64 = 0
    var answer = Answer()
    /// TCP: bytes of the echo that are still to come.
    var missing = 0
  }

  /// A datagram without an answer for so long is lost.
  private static let lossTime: Int64 = 200_000_000
  /// Connections fail to open for so long before the run gives up.
  private static let patience: Int64 = 10_000_000_000

  private let options: Options
  private var epoll: Epoll
  private var clients: [Client] = []
  private var idle: [Int] = []
  private var incoming = ByteRegion(capacity: 256 * 1024)
  private var requests: ByteRegion
  private var ranges: [Range<Int>] = []
  private var random = Random(seed: 20_201)
  private var latencies = Histogram()
  private var errors = 0
  private var lost = 0
  private var bytes = 0
  private var start: Int64 = 0
  private var end: Int64 = 0
  /// When the next request of a fixed rate is due.
  private var nextDue: Int64 = 0

  init(_ options: Options) {
    self.options = options
    requests = ByteRegion(capacity: options.hosts * options.paths * 128 + options.size)
    do throws(Errno) { epoll = try Epoll(capacity: 1024) } catch { Run.give(up: "\(error)") }
    writeRequests()
  }

  private static func give(up reason: String) -> Never {
    print("loadgen: \(reason)")
    exit(1)
  }

  private mutating func writeRequests() {
    if options.mode == .dns {
      for host in 0..<options.hosts { writeQuestion("h\(host)") }
      return
    }
    guard options.mode == .http else {
      for _ in 0..<options.size { requests.append(byte: UInt8(ascii: "x")) }
      ranges = [0..<(options.mode == .bulk ? 1 : options.size)]
      return
    }
    for host in 0..<options.hosts {
      for path in 0..<options.paths {
        let start = requests.count
        requests.append(string: "GET /p\(path)/x HTTP/1.1\r\nHost: h\(host).bench.test\r\nAccept: */*\r\n\r\n")
        ranges.append(start..<requests.count)
      }
    }
  }

  /// A query for the address of a name below bench.test, with EDNS and 1232 bytes.
  private mutating func writeQuestion(_ label: String) {
    let start = requests.count
    for byte in [0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1] as [UInt8] { requests.append(byte: byte) }
    for label in [label, "bench", "test"] {
      requests.append(byte: UInt8(label.utf8.count))
      requests.append(string: label)
    }
    for byte in [0, 0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0] as [UInt8] { requests.append(byte: byte) }
    ranges.append(start..<requests.count)
  }

  mutating func perform() {
    for index in 0..<options.connections { connect(index) }
    start = Clock.now().nanoseconds
    nextDue = start
    end = start + Int64(options.seconds * 1e9)
    if options.rate == 0 {
      for index in clients.indices { send(index, since: Clock.now().nanoseconds) }
    } else {
      idle = Array(clients.indices.reversed())
    }
    var now = start
    while now < end {
      let wake = options.rate > 0 && !idle.isEmpty ? min(nextDue, end) : end
      let lossCheck = options.isDatagram ? min(wake, now + Run.lossTime) : wake
      let count = epoll.wait(nanoseconds: max(0, lossCheck - now))
      for index in 0..<count { receive(Int(epoll[index].token)) }
      now = Clock.now().nanoseconds
      if options.rate > 0 { sendDue(now) }
      if options.isDatagram, count == 0 { resendLost(now) }
    }
    report(seconds: Double(now - start) / 1e9)
  }

  private mutating func connect(_ index: Int) {
    do throws(Errno) {
      let fd = try Socket.connect(options.target, options.isDatagram ? .datagram : .stream)
      if clients.count <= index { clients.append(Client()) }
      clients[index] = Client()
      clients[index].fd = fd
      if !options.isDatagram { awaitConnected(fd) }
      try epoll.add(fd, token: UInt64(index), .stream)
    } catch {
      Run.give(up: "connecting to \(options.target): \(error)")
    }
  }

  /// Blocks: connections are made before the clock starts, or in place of a lost one.
  private func awaitConnected(_ fd: Int32) {
    do throws(Errno) {
      var waiter = try Epoll(capacity: 1)
      try waiter.add(fd, token: 0, .stream)
      let deadline = Clock.now().nanoseconds + Run.patience
      while Clock.now().nanoseconds < deadline {
        guard waiter.wait(milliseconds: 100) > 0, waiter[0].writable else { continue }
        if let error = Socket.pendingError(fd) { throw error }
        return
      }
      throw .timedOut
    } catch {
      Run.give(up: "connecting to \(options.target): \(error)")
    }
  }

  private mutating func send(_ index: Int, since: Int64) {
    let range = ranges.count == 1 ? ranges[0] : ranges[Int(random.below(UInt32(ranges.count)))]
    clients[index].isBusy = true
    clients[index].since = since
    clients[index].missing = options.size
    // A request is far smaller than a socket's buffer: what is refused is an error.
    if requests.send(range, to: clients[index].fd).value != range.count { fail(index) }
  }

  private mutating func sendDue(_ now: Int64) {
    while nextDue <= now, let index = idle.popLast() {
      send(index, since: nextDue)
      // Poisson arrivals, the same sequence in every run.
      let uniform = Double(random.next() >> 11) / Double(1 << 53)
      nextDue += Int64(-log(1 - uniform) / options.rate * 1e9)
    }
  }

  private mutating func receive(_ index: Int) {
    while true {
      incoming.clear()
      let result = incoming.receive(from: clients[index].fd)
      if result.wouldBlock { return }
      guard result.value > 0 else { return fail(index) }
      bytes += result.bytes
      let isShort = incoming.room > 0
      switch options.mode {
      case .bulk: break
      case .udp: finish(index)
      case .dns:
        // No error, and at least one record.
        if result.value < 12 || incoming[3] & 15 != 0 || incoming[7] == 0 { errors += 1 }
        finish(index)
      case .tcp:
        clients[index].missing -= result.bytes
        if clients[index].missing <= 0 { finish(index) }
      case .http:
        var answer = clients[index].answer
        let outcome = answer.take(incoming.bytes)
        clients[index].answer = answer
        switch outcome {
        case .unfinished: break
        case .finished: finish(index)
        case .bad:
          errors += 1
          finish(index)
        }
      }
      if isShort { return }
    }
  }

  private mutating func finish(_ index: Int) {
    guard clients[index].isBusy else { return }
    clients[index].isBusy = false
    let now = Clock.now().nanoseconds
    latencies.record(now - clients[index].since)
    if options.rate > 0 {
      idle.append(index)
      if nextDue <= now { sendDue(now) }
    } else {
      send(index, since: now)
    }
  }

  private mutating func fail(_ index: Int) {
    errors += 1
    if options.isDatagram { return clients[index].since = Clock.now().nanoseconds }
    if errors > 1000 + options.connections { Run.give(up: "too many errors: \(errors)") }
    let wasBusy = clients[index].isBusy
    Socket.close(clients[index].fd)
    connect(index)
    if options.rate == 0 {
      send(index, since: Clock.now().nanoseconds)
    } else if wasBusy {
      idle.append(index)
    }
  }

  private mutating func resendLost(_ now: Int64) {
    for index in clients.indices where now - clients[index].since > Run.lossTime {
      lost += 1
      send(index, since: now)
    }
  }

  private func report(seconds: Double) {
    let microseconds = { (value: Int64) in "\(Double(value / 100) / 10)" }
    print(
      "{\"seconds\": \(seconds), \"requests\": \(latencies.count), \"bytes\": \(bytes), \"errors\": \(errors),",
      "\"lost\": \(lost), \"unfinished\": \(clients.count { $0.isBusy }),",
      "\"mean\": \(microseconds(latencies.count == 0 ? 0 : latencies.sum / Int64(latencies.count))),",
      "\"p50\": \(microseconds(latencies.percentile(0.5))), \"p90\": \(microseconds(latencies.percentile(0.9))),",
      "\"p99\": \(microseconds(latencies.percentile(0.99))), \"p999\": \(microseconds(latencies.percentile(0.999))),",
      "\"max\": \(microseconds(latencies.max))}")
  }
}
