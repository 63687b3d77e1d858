import Foundation
import Kernel
import Model
import Node
import Telemetry
import Testing

@testable import sluice

@Suite struct HandoverMessageTests {
  @Test func aStateComesBackAsItWas() throws {
    var state = HandoverState()
    var listener = ListenerStatistics()
    listener.requests = .max
    listener.requestTimes.record(microseconds: 70)
    state.ledger.listeners["web"] = listener
    state.ledger.backends = ["web": ["a": BackendStatistics()]]
    state.ledger.loops = [WorkerStatistics()]
    state.secret = "words"
    state.configuration = AppliedText(text: "listeners: {}\n", name: "/etc/x.yaml")
    let entries = (0..<1000).map { number in
      PersistenceEntry(
        pool: "pool \(number % 3)", hash: UInt64(number) << 40 | 7, backend: "b\(number % 7)", remaining: UInt32(number)
      )
    }
    state.persistence = PackedPersistence(entries)
    var salvage = Salvage()
    let back = try salvage.state(try Handover.encode(state))
    #expect(salvage.words == nil)
    #expect(back.ledger == state.ledger && back.secret == "words" && back.configuration == state.configuration)
    #expect(back.persistence.list == entries)
  }

  @Test func countersThatTheSenderDidNotKnowAreZero() throws {
    let text =
      #"{"listeners":{"web":{"requests":5,"responses":{"successful":4},"unheard-of":1}},"backends":{"p":{"a":{}}}}"#
    var salvage = Salvage()
    let ledger = try salvage.ledger(Array(text.utf8))
    #expect(salvage.words == nil)
    #expect(ledger.listeners["web"]?.requests == 5)
    #expect(ledger.listeners["web"]?.responses.successful == 4)
    #expect(ledger.listeners["web"]?.bytesOut == 0)
    #expect(ledger.backends["p"]?["a"] == BackendStatistics())
  }

  @Test(arguments: ["", "[]", "{", "7"])
  func whatIsNoStateIsRefused(text: String) {
    #expect(throws: (any Error).self) {
      var salvage = Salvage()
      _ = try salvage.state(Array(text.utf8))
    }
  }

  /// What a binary of before wrote, whose `http2.floods` was one number.
  @Test func aStateOfBeforeFloodsHadReasonsLosesTheirNumberAlone() throws {
    let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    let bytes = Array(try Data(contentsOf: URL(filePath: "/\(folder)/Vectors/handover/floods-as-number.json")))
    var salvage = Salvage()
    let state = try salvage.state(bytes)
    #expect(salvage.words == "listeners.http2.floods")
    let web = try #require(state.ledger.listeners["web"])
    #expect((web.requests, web.responses.successful, web.http2.connections) == (40, 40, 1))
    #expect(web.http2.floods == [] && web.requestTimes.count == 40)
    #expect(state.ledger.backends["web"]?["a"]?.requests == 40)
    #expect(state.memory.known.map(\.backend) == ["a"] && state.memory.generation > 0 && !state.memory.events.isEmpty)
    #expect(state.secret == "recorded" && state.version == "0.1.0")
  }

  @Test func partsOfAnotherFormAreGivenUpAlone() throws {
    let text = """
      {"secret": 7, "persistence": [], "configuration": {"text": "a"}, "ledger": {"backends": 1, "listeners": {
        "web": {"requests": -1, "bytesIn": 9, "responses": [], "http2": {"floods": 3, "calls": [5]}}, "other": "x"}},
       "memory": {"generation": 5, "sites": [{"site": "a"}, {"town": "b"}, 3], "splits": {
        "web": {"version": "v2", "share": 10}, "old": {"version": "v2"}}, "handovers": {"v": "from the future"}}}
      """
    var salvage = Salvage()
    let state = try salvage.state(Array(text.utf8))
    let expected: Set = [
      "secret", "persistence", "configuration", "backends", "listeners", "listeners.requests", "listeners.responses",
      "listeners.http2.floods", "memory.sites", "memory.splits.old", "memory.handovers.v",
    ]
    #expect(salvage.lost == expected)
    let web = try #require(state.ledger.listeners["web"])
    #expect((web.requests, web.bytesIn, web.http2.calls) == (0, 9, [5]))
    #expect(state.ledger.listeners["other"] == ListenerStatistics())
    #expect((state.secret, state.configuration, state.persistence.list) == ("", nil, []))
    #expect(state.memory.generation == 5 && state.memory.sites.map(\.site) == ["a"])
    #expect(state.memory.splits.keys.sorted() == ["web"] && state.memory.handovers.isEmpty)
    #expect(salvage.words?.hasSuffix("and 6 more") == true)
  }

  @Test func aListOfStrangersIsGivenUpAsAWhole() throws {
    let sites = (0..<200).map { "{\"town\": \"\($0)\"}" } + ["{\"site\": \"a\"}"]
    var salvage = Salvage()
    let text = "{\"memory\": {\"generation\": 5, \"sites\": [\(sites.joined(separator: ","))]}}"
    let state = try salvage.state(Array(text.utf8))
    #expect(state.memory.sites.isEmpty && state.memory.generation == 5 && salvage.lost == ["memory.sites"])
  }

  @Test func whatIsOverLeavesNoGauges() {
    var ledger = StatisticsLedger()
    var listener = ListenerStatistics()
    (listener.requests, listener.connections, listener.inFlight) = (9, 3, 2)
    ledger.listeners["web"] = listener
    var backend = BackendStatistics()
    (backend.requests, backend.connections, backend.idle, backend.inFlight) = (8, 3, 2, 1)
    ledger[BackendKey(pool: "p", backend: "a")] = backend
    let closed = ledger.closed
    #expect(closed.listeners["web"]?.requests == 9 && closed.listeners["web"]?.connections == 0)
    let found = closed[BackendKey(pool: "p", backend: "a")]
    #expect(found?.requests == 8 && found?.connections == 0 && found?.idle == 0 && found?.inFlight == 0)
  }

  @Test func messagesCarryDescriptorsAndFiles() throws {
    let (one, other) = try DescriptorChannel.pair()
    defer { one.close() }
    let large = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
    try one.send(HandoverNote(.state), file: large)
    let (note, descriptors) = try #require(try other.receiveNote(milliseconds: 1000))
    #expect(note.kind == .state && descriptors.count == 1)
    #expect(try MemoryFile.read(descriptors[0], limit: 1 << 20) == large)
    // A note of another version is passed over.
    try one.send(Array("{\"kind\":\"from the future\"}".utf8))
    try one.send(HandoverNote(.ready))
    #expect(try other.receiveNote(milliseconds: 1000)?.note.kind == .ready)
    #expect(throws: Errno.timedOut) { try other.receiveNote(milliseconds: 1) }
    other.close()
    #expect(try one.receiveNote(milliseconds: 1000) == nil)
  }

  @Test func aFileThatIsTooLongIsRefused() throws {
    let file = try MemoryFile.make([1, 2, 3])
    #expect(throws: Errno.messageTooLong) { try MemoryFile.read(file, limit: 2) }
  }
}
