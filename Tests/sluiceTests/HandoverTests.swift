import Foundation
import Kernel
import Model
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
    let back = try Handover.decodeState(try Handover.encode(state))
    #expect(back.ledger == state.ledger && back.secret == "words" && back.configuration == state.configuration)
    #expect(back.persistence.list == entries)
  }

  @Test func countersThatTheSenderDidNotKnowAreZero() throws {
    let text =
      #"{"listeners":{"web":{"requests":5,"responses":{"successful":4},"unheard-of":1}},"backends":{"p":{"a":{}}}}"#
    let ledger = try Handover.decodeLedger(Array(text.utf8))
    #expect(ledger.listeners["web"]?.requests == 5)
    #expect(ledger.listeners["web"]?.responses.successful == 4)
    #expect(ledger.listeners["web"]?.bytesOut == 0)
    #expect(ledger.backends["p"]?["a"] == BackendStatistics())
  }

  @Test(arguments: ["", "[]", "{", "{\"ledger\":{\"listeners\":{\"web\":{\"requests\":-1}}}}", "{\"secret\":7}"])
  func whatIsNoStateIsRefused(text: String) {
    #expect(throws: (any Error).self) { try Handover.decodeState(Array(text.utf8)) }
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
