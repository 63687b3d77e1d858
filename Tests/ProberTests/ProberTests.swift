import Glibc
import Health
import Kernel
import Model
import Prober
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct ProberTests {
  let findings = Findings()

  func prober(_ limits: ProberLimits = ProberLimits()) throws -> Prober {
    let findings = findings
    return try Prober(
      limits: limits,
      report: { reports in
        for report in reports {
          switch report.finding {
          case .probe(.success): findings.add(report.key.backend, "ok")
          case .probe(.failure(let reason)): findings.add(report.key.backend, reason)
          case .agent(let line): findings.add(report.key.backend, "agent \(String(decoding: line, as: UTF8.self))")
          }
        }
      }, complain: { text in findings.complaints.withLock { $0.append(text) } })
  }

  func target(
    _ name: String, _ address: SocketAddress, _ kind: Probe.Kind, every: Duration = .seconds(60),
    timeout: Duration = .seconds(5)
  ) -> ProbeTarget {
    var probe = Probe(kind: kind)
    probe.every = every
    probe.timeout = timeout
    return ProbeTarget(key: BackendKey(pool: "web", backend: name), address: address, check: .probe(probe))
  }

  func http(_ edit: (inout HTTPProbe) -> Void = { _ in }) -> Probe.Kind {
    var probe = HTTPProbe()
    edit(&probe)
    return .http(probe)
  }

  /// A port that nobody listens on.
  func closedPort() throws -> SocketAddress {
    let server = try TestServer { _ in }
    server.stop()
    return server.address
  }

  @Test func everyKindOfServerGetsItsVerdict() throws {
    let seen = Mutex("")
    let well = try TestServer { client in
      let request = TestServer.receive(client)
      seen.withLock { $0 = request }
      TestServer.send(
        client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nI am \r\n4\r\nwell\r\n0\r\n\r\n")
    }
    let ill = try TestServer(.ip(Endpoint(.loopbackV6, 0)), .stream, TestServer.answering("HTTP/1.1 503 No\r\n\r\n"))
    let redis = try TestServer(.unix("@sluice-test-\(getpid())"), .stream, TestServer.answering("+PONG\r\n"))
    let refusing = try closedPort()
    let prober = try prober()
    prober.apply([
      target(
        "well", well.address,
        http {
          $0.path = "/healthz"; $0.body = "^I am well$"
        }),
      target("ill", ill.address, http()),
      target("redis", redis.address, .tcp(send: Array("PING\r\n".utf8), expect: "^\\+PONG")),
      target("mute", redis.address, .tcp(send: Array("PING\r\n".utf8), expect: "^nothing of this")),
      target("open", redis.address, .tcp(send: [], expect: nil)),
      target("refusing", refusing, http()),
      target("nowhere", .unix("/nowhere/at/all"), .tcp(send: [], expect: nil)),
      target("faulty", well.address, .tcp(send: [], expect: "(")),
    ])
    #expect(findings.first("well") == "ok")
    #expect(findings.first("ill") == "HTTP 503, expected 200-399")
    #expect(findings.first("redis") == "ok")
    #expect(findings.first("mute") == "reply does not match")
    #expect(findings.first("open") == "ok")
    #expect(findings.first("refusing") == "connect: Connection refused")
    #expect(findings.first("nowhere") == "connect: No such file or directory")
    #expect(findings.first("faulty") == "the pattern \"(\" does not compile: missing closing parenthesis")
    prober.stop()
    #expect(
      seen.withLock { $0 }
        == "GET /healthz HTTP/1.1\r\nHost: \(well.address)\r\nUser-Agent: sluice-probe\r\nConnection: close\r\n\r\n")
    #expect(findings.complaints.withLock { $0 } == [])
  }

  @Test func silenceEndsWithTheStepThatWasWaitedFor() throws {
    let silent = try TestServer { client in while !TestServer.receive(client).isEmpty {} }
    let slow = try TestServer { client in
      TestServer.send(client, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!")
      while !TestServer.receive(client).isEmpty {}
    }
    let prober = try prober()
    let limit = Duration.milliseconds(100)
    // Its head must be there by then, also on a busy machine.
    let long = Duration.milliseconds(1500)
    prober.apply([
      target("silent", silent.address, http(), timeout: limit),
      target("slow", slow.address, http { $0.body = "x" }, timeout: long),
      // Nobody answers there: TEST-NET-1 (RFC 5737); without a route it says so at once.
      target("far", .ip(Endpoint(IPAddress(192, 0, 2, 1), 81)), .tcp(send: [], expect: nil), timeout: limit),
    ])
    #expect(findings.first("silent") == "timeout after 100ms in response")
    #expect(findings.first("slow") == "timeout after 1500ms in response body")
    #expect(findings.first("far")?.contains("connect") == true)
    prober.stop()
  }

  @Test func datagrams() throws {
    let echo = try TestServer(.ip(Endpoint(.loopbackV4, 0)), .datagram) { socket in
      var buffer = [UInt8](repeating: 0, count: 2048)
      while true {
        var name = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = withUnsafeMutablePointer(to: &name) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            recvfrom(socket, &buffer, buffer.count, 0, $0, &length)
          }
        }
        if count <= 0 { return }
        if buffer[0] == UInt8(ascii: "-") { continue }
        _ = withUnsafePointer(to: &name) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { sendto(socket, buffer, count, 0, $0, length) }
        }
      }
    }
    let closed = try TestServer(.ip(Endpoint(.loopbackV4, 0)), .datagram) { close($0) }
    let prober = try prober()
    let limit = Duration.milliseconds(200)
    prober.apply([
      target("echo", echo.address, .udp(send: Array("hello".utf8), expect: "^hello$")),
      target("wrong", echo.address, .udp(send: Array("hello".utf8), expect: "^bye$")),
      target("dumb", echo.address, .udp(send: Array("-".utf8), expect: "x"), timeout: limit),
      target("quiet", echo.address, .udp(send: Array("-".utf8), expect: nil), timeout: limit),
    ])
    #expect(findings.first("echo") == "ok")
    #expect(findings.first("wrong") == "reply does not match")
    #expect(findings.first("dumb") == "timeout after 200ms in reply")
    #expect(findings.first("quiet") == "ok")
    prober.apply([target("closed", closed.address, .udp(send: [1], expect: nil))])
    #expect(findings.first("closed") == "port unreachable")
    prober.stop()
  }

  @Test func programs() throws {
    let prober = try prober(ProberLimits(programs: 2))
    let address = SocketAddress.ip(Endpoint(IPAddress(10, 0, 0, 9), 80))
    func shell(_ text: String) -> Probe.Kind { .exec(command: ["/bin/sh", "-c", text]) }
    // One that a library opened without close-on-exec.
    let leaked = dup(0)
    defer { close(leaked) }
    let blocked = "grep -q '^SigBlk:.*[1-9a-f]' /proc/self/status && exit 9; exit 0"
    prober.apply([
      target(
        "environment", address, shell("[ $SLUICE_POOL-$SLUICE_BACKEND-$SLUICE_ADDRESS = web-environment-10.0.0.9:80 ]")),
      target("path", address, shell("[ -n \"$PATH\" ]")),
      target("signals", address, shell(blocked)),
      target("descriptors", address, shell("[ ! -e /proc/$$/fd/\(leaked) ] && [ /proc/$$/fd/0 -ef /dev/null ]")),
      target("status", address, shell("exit 2")),
      target("signal", address, shell("kill -TERM $$")),
      target("missing", address, .exec(command: ["/nowhere/at/all"])),
      target("endless", address, shell("sleep 1000 & sleep 1000"), timeout: .milliseconds(200)),
    ])
    #expect(findings.first("environment") == "ok")
    #expect(findings.first("path") == "ok")
    #expect(findings.first("signals") == "ok")
    #expect(findings.first("descriptors") == "ok")
    #expect(findings.first("status") == "exit status 2")
    #expect(findings.first("signal") == "killed by signal 15 (Terminated)")
    #expect(findings.first("missing") == "exec /nowhere/at/all: No such file or directory")
    #expect(findings.first("endless") == "timeout after 200ms")
    prober.stop()
  }

  @Test func stoppingKillsWholeGroups() throws {
    let name = "/tmp/sluice-prober-test-\(getpid())"
    defer { unlink(name) }
    let prober = try prober()
    let script = "sleep 1000 & echo $! > \(name).new; mv \(name).new \(name); wait"
    prober.apply([
      target("one", .unix("/none"), .exec(command: ["/bin/sh", "-c", script]), timeout: .seconds(600))
    ])
    let child = findings.wait { () -> pid_t? in
      guard let file = fopen(name, "r") else { return nil }
      defer { fclose(file) }
      var buffer = [CChar](repeating: 0, count: 32)
      guard fgets(&buffer, 32, file) != nil else { return nil }
      return pid_t(atoi(buffer))
    }
    let grandchild = try #require(child)
    prober.stop()
    // Orphans are reaped by the system; a zombie counts as gone.
    let gone = findings.wait { () -> Bool? in
      if kill(grandchild, 0) != 0 { return true }
      guard let file = fopen("/proc/\(grandchild)/stat", "r") else { return true }
      defer { fclose(file) }
      var buffer = [CChar](repeating: 0, count: 256)
      fgets(&buffer, 256, file)
      return String(cString: buffer).contains(") Z ") ? true : nil
    }
    #expect(gone == true)
    #expect(findings.of("one") == [])
  }

  @Test func agentsAreReportedRawAndTheirSilenceNotAtAll() throws {
    let agent = try TestServer { client in TestServer.send(client, "got \(TestServer.receive(client))up 50%\nrest") }
    let prober = try prober()
    func check(_ name: String, _ address: SocketAddress) -> ProbeTarget {
      var agent = AgentCheck(port: 1)
      agent.send = Array("shop\n".utf8)
      agent.every = .seconds(60)
      return ProbeTarget(key: BackendKey(pool: "web", backend: name), address: address, check: .agent(agent))
    }
    prober.apply([check("dead", try closedPort()), check("alive", agent.address)])
    #expect(findings.first("alive") == "agent got shop")
    prober.stop()
    #expect(findings.of("dead") == [])
  }

  @Test func anUnchangedTargetKeepsItsScheduleAndAChangedOneIsAskedAtOnce() throws {
    let server = try TestServer(.ip(Endpoint(.loopbackV4, 0)), .stream, TestServer.answering("HTTP/1.1 200 OK\r\n\r\n"))
    let prober = try prober()
    prober.apply([target("kept", server.address, http())])
    #expect(findings.first("kept") == "ok")
    for round in 0..<20 {
      prober.apply([target("kept", server.address, http()), target("\(round)", server.address, http())])
    }
    #expect(findings.first("19") == "ok")
    #expect(findings.of("kept") == ["ok"])
    prober.apply([target("kept", server.address, http { $0.expect = [201...201] })])
    #expect(
      findings.wait { findings.of("kept").count == 2 ? findings.of("kept") : nil }?.last == "HTTP 200, expected 201")
    prober.stop()
  }

  @Test func aRemovedTargetReportsNoMore() throws {
    let silent = try TestServer { client in while !TestServer.receive(client).isEmpty {} }
    let prober = try prober()
    // It must not be over before it is removed, also on a busy machine.
    prober.apply([target("gone", silent.address, http(), timeout: .milliseconds(1000))])
    #expect(findings.wait { silent.connections == 1 ? true : nil } == true)
    // Ends later than the other one would have.
    prober.apply([target("stays", silent.address, http(), timeout: .milliseconds(1500))])
    #expect(findings.first("stays") != nil)
    prober.stop()
    #expect(findings.of("gone") == [])
  }

  @Test func aChangingVerdictIsProbedFast() throws {
    let server = try TestServer(.ip(Endpoint(.loopbackV4, 0)), .stream) { _ in }
    let prober = try prober()
    var slow = target("one", server.address, .tcp(send: [], expect: nil))
    if case .probe(var probe) = slow.check {
      probe.fast = .milliseconds(10)
      slow.check = .probe(probe)
    }
    prober.apply([slow])
    #expect(findings.first("one") == "ok")
    prober.pace([slow.key: true])
    #expect(findings.wait { findings.of("one").count > 5 ? true : nil } == true)
    prober.stop()
  }

  /// The limit of descriptors is the process's, so that it cannot be lowered among other tests.
  @Test func thisMachinesTroubleIsNoVerdict() {
    for error in [EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL] { #expect(Errno(error).isOwnTrouble) }
    for error in [ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, EACCES, EPERM, ENOENT] {
      #expect(!Errno(error).isOwnTrouble)
    }
  }

  @Test func moreTargetsThanSocketsTakeTurns() throws {
    let server = try TestServer(.ip(Endpoint(.loopbackV4, 0)), .stream, TestServer.answering("HTTP/1.1 200 OK\r\n\r\n"))
    let prober = try prober(ProberLimits(checks: 3))
    prober.apply((0..<100).map { target("\($0)", server.address, http()) })
    for index in 0..<100 { #expect(findings.first("\(index)") == "ok") }
    prober.stop()
  }
}
