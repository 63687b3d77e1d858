import Admin
import Foundation
import Testing
import Wire

@Suite(.timeLimit(.minutes(1))) struct AdminServerTests {
  static let backend = "web/\(PathSegment.encode(FakeNode.backendName))"

  @Test func statusSpeaksTheKeysThatScriptsRead() async throws {
    try await withServer { client, _ in
      let answer = try await client.get("/v1/status")
      #expect(answer.status == 200)
      for key in [
        "\"generation\":7", "\"uptime_s\":12.5", "\"bytes_in\":0", "\"effectiveWeight\":100", "\"inFlight\":0",
        "\"since_s\":1",
      ] {
        #expect(answer.text.contains(key), "\(key) in \(answer.text)")
      }
      #expect(try answer.decoded(StatusReport.self).pools[0].backends[0].name == FakeNode.backendName)
    }
  }

  @Test func aBackendWhoseNameHoldsSlashesIsReached() async throws {
    try await withServer { client, node in
      for state in StateOrder.allCases {
        let answer = try await client.post("/v1/backends/\(Self.backend)/\(state.rawValue)")
        #expect(answer.status == 200)
        #expect(try answer.decoded(BackendReport.self).state == state.rawValue)
      }
      let answer = try await client.put("/v1/backends/\(Self.backend)/weight", body: Array(#"{"weight": 50}"#.utf8))
      #expect(answer.status == 200)
      #expect(await node.orders == ["ready", "drain", "maintenance", "weight 50"])
    }
  }

  @Test(arguments: [
    ("GET", "/v1/nothing", "", 404),
    ("POST", "/v1/status", "", 405),
    ("GET", "/v1/reload", "", 405),
    ("POST", "/v1/backends/web/none/drain", "", 404),
    ("POST", "/v1/backends/web/%zz/drain", "", 400),
    ("POST", "/v1/backends/web/%FF/drain", "", 400),
    ("PUT", "/v1/backends/web/x/weight", "no json", 400),
    ("PUT", "/v1/backends/web/x/weight", #"{"weight": "5"}"#, 400),
    ("PUT", "/v1/backends/web/x/weight", #"{"weight": 65536}"#, 422),
    ("PUT", "/v1/backends/web/x/weight", #"{"weight": -1}"#, 422),
    ("PUT", "/v1/backends/web/x/weight", #"{"weight": 5}"#, 404),
    ("GET", "/v1/events?after=x", "", 400),
    ("POST", "/v1/reload", "", 422),
  ])
  func aRefusalHasAStatusAnErrorAndAHint(method: String, path: String, body: String, status: Int) async throws {
    try await withServer { client, _ in
      let answer =
        switch method {
        case "POST": try await client.post(path)
        case "PUT": try await client.put(path, body: Array(body.utf8))
        default: try await client.get(path)
        }
      #expect(answer.status == status)
      let report = try answer.decoded(ErrorReport.self)
      #expect(!report.error.isEmpty && !report.hint.isEmpty)
    }
  }

  @Test func aBodyAboveTheLimitIsRefusedAndOneBelowIsRead() async throws {
    try await withServer { client, _ in
      let full = try await client.post("/v1/check?name=a.yaml", body: Array(repeating: 97, count: 1 << 20))
      #expect(full.text.contains("a.yaml has 1048576 bytes"))
      let above = try await client.post("/v1/check", body: Array(repeating: 97, count: (1 << 20) + 1))
      #expect(above.status == 413)
    }
  }

  @Test func eventsGoOnWhereTheLastAnswerEnded() async throws {
    try await withServer { client, _ in
      #expect(try await client.get("/v1/events").decoded(EventsReport.self).events.map(\.id) == [1, 2, 3])
      let rest = try await client.get("/v1/events?after=2").decoded(EventsReport.self)
      #expect(rest.events.map(\.id) == [3])
      #expect(rest.next == 3)
    }
  }

  @Test func theSocketIsForItsOwnerAndGroupAndGoneAfterwards() async throws {
    try await withDirectory { directory in
      let socket = "\(directory)/made/admin.sock"
      let server = try await AdminServer.start(socket: socket, port: nil, operations: FakeNode(), logger: quiet)
      let attributes = try FileManager.default.attributesOfItem(atPath: socket)
      #expect(attributes[.posixPermissions] as? Int == 0o660)
      await server.stop()
      #expect(!FileManager.default.fileExists(atPath: socket))
      await #expect(throws: AdminClient.Failure.absent) { try await AdminClient(socket: socket).get("/v1/health") }
    }
  }

  @Test func aLiveNodesSocketIsRefusedAndADeadOnesIsTakenOver() async throws {
    try await withDirectory { directory in
      let socket = "\(directory)/admin.sock"
      let first = try await AdminServer.start(socket: socket, port: nil, operations: FakeNode(), logger: quiet)
      await #expect(throws: AdminServer.Failure.self) {
        _ = try await AdminServer.start(socket: socket, port: nil, operations: FakeNode(), logger: quiet)
      }
      #expect(try await AdminClient(socket: socket).get("/v1/health").status == 200)
      // As after kill -9: the file stays, nobody listens.
      let corpse = "\(directory)/corpse"
      try FileManager.default.moveItem(atPath: socket, toPath: corpse)
      await first.stop()
      try FileManager.default.moveItem(atPath: corpse, toPath: socket)
      await #expect(throws: AdminClient.Failure.refused) { try await AdminClient(socket: socket).get("/v1/health") }
      let second = try await AdminServer.start(socket: socket, port: nil, operations: FakeNode(), logger: quiet)
      #expect(try await AdminClient(socket: socket).get("/v1/health").status == 200)
      await second.stop()
    }
  }

  @Test func aFileThatIsNoSocketIsLeftAlone() async throws {
    try await withDirectory { directory in
      let path = "\(directory)/notes"
      try Data("keep me".utf8).write(to: URL(fileURLWithPath: path))
      await #expect(throws: AdminServer.Failure.self) {
        _ = try await AdminServer.start(socket: path, port: nil, operations: FakeNode(), logger: quiet)
      }
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "keep me")
    }
  }
}
