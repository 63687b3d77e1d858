import OctaviaModel
import Testing

@Suite struct HeartbeatTests {
  private func code(_ bytes: [UInt8]) -> [UInt8] { Array(repeating: bytes.reduce(7) { $0 &* 31 &+ $1 }, count: 32) }
  private func packet(_ text: String) -> [UInt8] { Array(text.utf8) + Heartbeat.hexadecimal(code(Array(text.utf8))) }
  private func read(_ packet: [UInt8]) throws(Heartbeat.Refusal) -> Heartbeat {
    try Heartbeat(packet: packet, code: code) { bytes, limit in bytes.count <= limit ? bytes : nil }
  }

  @Test func readsBothSignatures() throws {
    let text =
      #"{"id": "a", "seq": 4, "listeners": {"l": {"status": "FULL", "stats": {"tx": 5, "rx": -1}}}, "pools": {"p:l": {"status": "UP", "members": {"m": "DOWN 1/2"}}}, "ver": 3}"#
    let heartbeat = try read(packet(text))
    #expect(heartbeat.listeners["l"]?.isFull == true)
    #expect(heartbeat.listeners["l"]?.counters.bytesOut == 5)
    #expect(heartbeat.listeners["l"]?.counters.bytesIn == 0)
    #expect(heartbeat.pools["p"]?.members == ["m": "DOWN 1/2"])
    #expect(try read(Array(text.utf8) + code(Array(text.utf8))) == heartbeat)
    #expect(try Heartbeat(heartbeat.document) == heartbeat)
  }

  @Test func refusesWithAReason() {
    var bad = packet("{}")
    bad[0] ^= 1
    for (bytes, reason) in [
      ([], Heartbeat.Refusal.short), (bad, .signature), (packet("{"), .syntax), (packet("{}"), .content),
      (packet("[]"), .content),
    ] as [([UInt8], Heartbeat.Refusal)] {
      #expect(throws: reason) { try read(bytes) }
    }
  }

  @Test func statusesFollowTheReport() throws {
    var tree = try Sample.active()
    let listener = tree.all(.listener)[0].id
    let pool = tree.all(.pool).first { $0["name"] == "p" }!.id
    let members = tree.all(.member).map(\.id)
    func observe(_ words: [String], up: Bool = true, full: Bool = false, listening: Bool = true) -> [String] {
      let reports = listening ? [listener: Heartbeat.ListenerReport(full: full, .init())] : [:]
      let heartbeat = Heartbeat(
        amphora: "a", sequence: 1, listeners: reports,
        pools: [pool: .init(up: up, Dictionary(uniqueKeysWithValues: zip(members, words)))])
      #expect(tree.isComplete(heartbeat) == listening)
      tree.observe(heartbeat)
      return ([tree.id, listener, pool] + members).map { tree[$0]!.operating.rawValue }
    }
    #expect(observe(["UP", "UP 1/2"]) == ["ONLINE", "ONLINE", "ONLINE", "ONLINE", "ONLINE"])
    #expect(observe(["UP", "DOWN"]) == ["DEGRADED", "ONLINE", "DEGRADED", "ONLINE", "ERROR"])
    #expect(observe(["DOWN", "DOWN"], up: false) == ["ERROR", "ONLINE", "ERROR", "ERROR", "ERROR"])
    #expect(observe(["DRAIN", "MAINT"]) == ["ONLINE", "ONLINE", "ONLINE", "DRAINING", "OFFLINE"])
    #expect(observe(["no check", "RESTARTING"]) == ["ONLINE", "ONLINE", "ONLINE", "NO_MONITOR", "OFFLINE"])
    #expect(observe(["UP", "UP"], full: true)[0...1] == ["DEGRADED", "DEGRADED"])
    #expect(observe(["UP", "UP"], listening: false)[0...1] == ["ERROR", "ERROR"])
  }
}
