import Glibc
import Kernel
import Model
import Proxy
import Sniff
import Testing

/// UDP through a real data plane on loopback.
@Suite(.serialized) struct DatagramTests {
  private func backends(_ count: Int) throws -> [EchoBackend] { try (0..<count).map { try EchoBackend("b\($0)") } }

  @Test func aClientStaysOnItsBackend() throws {
    let servers = try backends(3)
    defer { for server in servers { server.stop() } }
    let bench = try UDPBench(servers.map(\.endpoint), workers: 2)
    var used: Set<String> = []
    for _ in 0..<6 {
      let client = try UDPSocket()
      let answers = (0..<5).map { client.ask("q\($0)", bench.target) }
      let name = answers[0]?.split(separator: ":").first.map(String.init) ?? "-"
      #expect(answers == (0..<5).map { "\(name):q\($0)" })
      used.insert(name)
    }
    #expect(used.count > 1)
    #expect(bench.listener.accepted == 6)
    #expect(bench.listener.connections == 6)
    #expect((0..<3).map { bench.backend($0).requests }.reduce(0, +) == 6)
    #expect((0..<3).map { bench.backend($0).inFlight }.reduce(0, +) == 6)
    #expect(bench.listener.bytesIn == 60)
    #expect(bench.eventually { bench.listener.bytesOut == 6 * 5 * 5 })
    #expect(bench.listener.dropped == 0)
  }

  @Test func repliesLeaveFromTheAddressThatWasAsked() throws {
    let servers = try backends(1)
    defer { servers[0].stop() }
    let bench = try UDPBench([servers[0].endpoint])
    let client = try UDPSocket()
    for last in 1...3 as ClosedRange<UInt8> {
      let target = Endpoint(IPAddress(127, 0, 0, last), bench.port)
      let answer = client.ask([7], target)
      #expect(answer?.from == target)
    }
    // The same client at another of our addresses is another session.
    #expect(bench.listener.accepted == 3)
  }

  @Test(arguments: [0, 1, 1500, 60_000, 65_000])
  func datagramsPassWhole(length: Int) throws {
    let servers = try backends(1)
    defer { servers[0].stop() }
    let bench = try UDPBench([servers[0].endpoint])
    let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    #expect(try UDPSocket().ask(payload, bench.target)?.bytes == Array("b0:".utf8) + payload)
  }

  @Test func aBurstPassesInOrder() throws {
    let servers = try backends(1)
    defer { servers[0].stop() }
    let bench = try UDPBench([servers[0].endpoint])
    let client = try UDPSocket()
    for number in 0..<150 { client.send("\(number)", to: bench.target) }
    #expect(
      (0..<150).map { _ in client.receive().map { String(decoding: $0.bytes, as: UTF8.self) } }
        == (0..<150).map { "b0:\($0)" })
  }

  @Test func eachDatagramGetsItsOwnBackendWhenAsked() throws {
    let servers = try backends(3)
    defer { for server in servers { server.stop() } }
    let bench = try UDPBench(servers.map(\.endpoint)) { listener, _ in listener.udp.balancing = .datagram }
    let client = try UDPSocket()
    var counts: [String: Int] = [:]
    for number in 0..<30 {
      let answer = client.ask("\(number)", bench.target) ?? "-"
      #expect(answer.hasSuffix(":\(number)"))
      counts[String(answer.prefix(2)), default: 0] += 1
    }
    #expect(counts == ["b0": 10, "b1": 10, "b2": 10])
    // A backend sees one client.
    #expect(servers.map(\.clients) == [1, 1, 1])
    #expect(bench.listener.requests == 30)
    #expect((0..<3).map { bench.backend($0).requests } == [10, 10, 10])
  }

  @Test func silenceEndsASession() throws {
    let servers = try backends(1)
    defer { servers[0].stop() }
    let bench = try UDPBench([servers[0].endpoint]) { listener, _ in listener.udp.idle = .milliseconds(60) }
    let client = try UDPSocket()
    #expect(client.ask("a", bench.target) == "b0:a")
    // One by one: they are counted down one after the other.
    #expect(bench.eventually { bench.listener.connections == 0 })
    #expect(bench.eventually { bench.backend(0).inFlight == 0 })
    #expect(bench.eventually { bench.backend(0).connections == 0 })
    #expect(bench.eventually { bench.plane.openConnections == 0 })
    #expect(client.ask("b", bench.target) == "b0:b")
    #expect(bench.listener.accepted == 2)
  }

  @Test func theLastReplyEndsASession() throws {
    let server = try EchoBackend("b0", answers: 2)
    defer { server.stop() }
    let bench = try UDPBench([server.endpoint]) { listener, _ in listener.udp.replies = 2 }
    let client = try UDPSocket()
    client.send("a", to: bench.target)
    for _ in 0..<2 { #expect(client.receive()?.bytes == Array("b0:a".utf8)) }
    #expect(bench.eventually { bench.listener.connections == 0 })
  }

  @Test func aRefusedClientGoesToAnotherBackend() throws {
    let gone = try UDPSocket().local
    let server = try EchoBackend("b1")
    defer { server.stop() }
    let bench = try UDPBench([gone, server.endpoint]) { _, pool in
      pool.policy = .first
      pool.outlier = OutlierPolicy()
      pool.outlier?.consecutiveFailures = 1
    }
    let client = try UDPSocket()
    client.send("lost", to: bench.target)
    #expect(bench.eventually { bench.backend(0).failures == 1 })
    #expect(client.ask("a", bench.target) == "b1:a")
    #expect(client.ask("b", bench.target) == "b1:b")
    #expect(bench.listener.accepted == 1)
    #expect(bench.eventually { bench.backend(0).inFlight == 0 })
    #expect(bench.backend(1).retries == 1)
    #expect(bench.reports.all.withLock { $0.map(\.key.backend) } == ["b0"])
  }

  @Test func aRefusedDatagramGoesToAnotherBackend() throws {
    let gone = try UDPSocket().local
    let server = try EchoBackend("b1")
    defer { server.stop() }
    let bench = try UDPBench([gone, server.endpoint]) { listener, pool in
      pool.policy = .first
      listener.udp.balancing = .datagram
    }
    let client = try UDPSocket(wait: 100)
    // The refusal of one is seen at the next, or before it.
    let answers = (0..<4).map { client.ask("\($0)", bench.target) }
    #expect(bench.eventually { bench.backend(0).failures > 0 })
    #expect(answers.allSatisfy { $0 == nil || $0?.hasPrefix("b1:") == true })
  }

  @Test func aReloadKeepsSessionsAndMovesThoseOfARemovedBackend() throws {
    let servers = try backends(2)
    defer { for server in servers { server.stop() } }
    let bench = try UDPBench(servers.map(\.endpoint)) { _, pool in pool.policy = .first }
    let client = try UDPSocket()
    #expect(client.ask("a", bench.target) == "b0:a")
    bench.topology.pools[0].backends[0].state = .drain
    try bench.apply()
    // Drained: who is there stays, who comes goes elsewhere.
    #expect(try UDPSocket().ask("n", bench.target) == "b1:n")
    #expect(client.ask("b", bench.target) == "b0:b")
    #expect(servers[0].clients == 1)
    bench.topology.pools[0].backends.removeFirst()
    try bench.apply()
    #expect(bench.eventually { client.ask("c", bench.target) == "b1:c" })
    #expect(bench.listener.accepted == 2)
  }

  @Test func aRemovedListenerEndsItsSessions() throws {
    let servers = try backends(1)
    defer { servers[0].stop() }
    let bench = try UDPBench([servers[0].endpoint])
    #expect(try UDPSocket().ask("a", bench.target) == "b0:a")
    bench.topology.listeners = []
    try bench.apply()
    #expect(bench.eventually { bench.plane.openConnections == 0 })
  }

  @Test func accessAndRatesDecideAtASessionsStart() throws {
    let servers = try backends(1)
    defer { servers[0].stop() }
    let bench = try UDPBench([servers[0].endpoint]) { listener, _ in
      listener.access.deny = [IPPrefix(host: IPAddress(127, 0, 0, 66))]
      listener.limits.connectionRatePerSource = Rate(count: 1, period: .seconds(3600), burst: 2)
    }
    try UDPSocket(IPAddress(127, 0, 0, 66)).send("x", to: bench.target)
    #expect(bench.eventually { bench.listener.refused == 1 })
    let (first, second, third) = (try UDPSocket(), try UDPSocket(), try UDPSocket())
    #expect(first.ask("a", bench.target) == "b0:a")
    #expect(second.ask("b", bench.target) == "b0:b")
    third.send("c", to: bench.target)
    #expect(bench.eventually { bench.listener.refused == 2 })
    #expect(first.ask("d", bench.target) == "b0:d")
  }

  @Test func aFullListenerGivesUpAnIdleSession() throws {
    let servers = try backends(1)
    defer { servers[0].stop() }
    let bench = try UDPBench([servers[0].endpoint]) { listener, _ in listener.udp.maxSessions = 4 }
    let clients = try (0..<10).map { _ in try UDPSocket() }
    for client in clients { #expect(client.ask("a", bench.target) == "b0:a") }
    #expect(bench.listener.accepted == 10)
    #expect(bench.listener.connections == 4)
    #expect(bench.backend(0).inFlight == 4)
  }

  @Test func aSourceSticksToItsBackend() throws {
    let servers = try backends(4)
    defer { for server in servers { server.stop() } }
    let bench = try UDPBench(servers.map(\.endpoint)) { _, pool in
      pool.persistence = .source(prefixV4: 32, prefixV6: 64, idle: .seconds(60), maxEntries: 100)
    }
    let names = try (0..<8).map { _ in try UDPSocket().ask("a", bench.target) }
    #expect(Set(names).count == 1)
  }

  @Test func everyDatagramCarriesItsClient() throws {
    let backend = try UDPSocket()
    let bench = try UDPBench([backend.local]) { _, pool in pool.sendProxy = .v2 }
    let client = try UDPSocket()
    for text in ["a", "b"] {
      client.send(text, to: bench.target)
      let got = try #require(backend.receive())
      let (header, length) = try #require(try ProxyHeader.parse(got.bytes.span))
      #expect(header == ProxyHeader(source: client.local, destination: bench.target, transport: .datagram))
      #expect(Array(got.bytes[length...]) == Array(text.utf8))
    }
  }

  @Test func drainingEndsWhenSessionsAreSilent() throws {
    let servers = try backends(1)
    defer { servers[0].stop() }
    let bench = try UDPBench([servers[0].endpoint]) { listener, _ in listener.udp.idle = .milliseconds(1000) }
    let (old, new) = (try UDPSocket(), try UDPSocket(wait: 50))
    #expect(old.ask("a", bench.target) == "b0:a")
    bench.plane.drain()
    #expect(new.ask("b", bench.target) == nil)
    #expect(old.ask("c", bench.target) == "b0:c")
    #expect(bench.eventually { bench.plane.openConnections == 0 })
  }

  @Test func aSessionIsALineInTheLog() throws {
    let path = "/tmp/sluice-udp-log-\(getpid())-\(Clock.entropy())"
    defer { Socket.removeFile(path) }
    let servers = try backends(1)
    defer { servers[0].stop() }
    let bench = try UDPBench([servers[0].endpoint]) { listener, _ in listener.udp.replies = 1 }
    bench.topology.accessLog = .file(path)
    try bench.apply()
    let client = try UDPSocket()
    // The worker may still serve by the World without a log.
    var text = ""
    #expect(
      bench.eventually {
        _ = client.ask("hello", bench.target)
        text = read(path)
        return !text.isEmpty
      })
    let line = text.split(separator: "\n").first.map(String.init) ?? ""
    #expect(
      line.contains(
        "\"listener\":\"dns\",\"client\":\"\(client.local)\",\"status\":0,\"pool\":\"dns\",\"backend\":\"b0\",\"tries\":1,\"bytes_in\":5,\"bytes\":8,"
      ))
    #expect(line.hasSuffix("\"reason\":\"-\"}"))
  }

  private func read(_ path: String) -> String {
    let fd = open(path, O_RDONLY)
    guard fd >= 0 else { return "" }
    defer { close(fd) }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = Glibc.read(fd, &buffer, buffer.count)
    return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
  }
}
