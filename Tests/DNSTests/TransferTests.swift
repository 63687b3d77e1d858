import DNS
import Testing

@Suite struct TransferTests {
  static func zone(_ serial: Int, _ text: String) throws -> Zone {
    let head = "$TTL 300\n@ SOA ns h \(serial) 1 1 1 60\n@ NS ns\nns A 192.0.2.53\n"
    return try Zone.parse(head + text, apex: named("z.test")).zone
  }

  static func collect(_ zone: Zone, since: UInt32? = nil, history: ZoneHistory? = nil, limit: Int = 16_384) throws -> (
    records: [Record], messages: Int
  ) {
    var query = Query()
    query.id = 99
    query.type = since == nil ? .axfr : .ixfr
    var transfer = ZoneTransfer(zone, query: query, since: since, history: history, limit: limit)
    var writer = MessageWriter()
    var records: [Record] = []
    var messages = 0
    while transfer.next(into: &writer) {
      let message = try Message(writer.message)
      #expect(message.id == 99 && message.isAuthoritative && message.questions.first?.type == query.type)
      records += message.answers
      messages += 1
    }
    #expect(transfer.isFinished)
    return (records, messages)
  }

  @Test func aWholeZoneGoesThroughAnySizeOfMessage() throws {
    let rich = try VectorTests.rich()
    for limit in [12, 300, 512, 4096, 16_384, 65_535] {
      let (records, messages) = try Self.collect(rich, limit: limit)
      #expect(records.first?.type == .soa && records.last == records.first)
      #expect(Array(records.dropLast()) == rich.records, "\(limit)")
      #expect(messages > 1 || limit >= 4096)
      let again = try Zone.build(
        apex: rich.apex,
        records: ZoneRecords(
          records.dropLast().map { PlacedRecord($0, at: ZonePlace(file: "", line: 0, column: 0)) }))
      #expect(again.zone.records == rich.records)
    }
  }

  @Test func differencesFollowTheirOrder() throws {
    let versions = try [
      Self.zone(1, "a A 192.0.2.1\nb A 192.0.2.2\n"), Self.zone(2, "a A 192.0.2.1\nc A 192.0.2.3\n"),
      Self.zone(5, "a A 192.0.2.9\nc A 192.0.2.3\n"),
    ]
    var history = ZoneHistory()
    history.record(from: versions[0], to: versions[1])
    history.record(from: versions[1], to: versions[2])
    let (records, _) = try Self.collect(versions[2], since: 1, history: history)
    #expect(
      records.map { $0.authority.map { "SOA \($0.serial)" } ?? "\($0.name) \($0.data[3])" } == [
        "SOA 5", "SOA 1", "b.z.test. 2", "SOA 2", "c.z.test. 3", "SOA 2", "a.z.test. 1", "SOA 5", "a.z.test. 9",
        "SOA 5",
      ])
    // Up to date: the SOA alone. Too old: the whole zone.
    #expect(try Self.collect(versions[2], since: 5, history: history).records.count == 1)
    #expect(try Self.collect(versions[2], since: 4, history: history).records.count == versions[2].recordCount + 1)
    #expect(try Self.collect(versions[2], since: 1).records.count == versions[2].recordCount + 1)
  }

  @Test func historyIsBounded() throws {
    var history = ZoneHistory(maximumRecords: 20)
    var last = try Self.zone(1, "")
    for serial in 2...50 {
      let next = try Self.zone(serial, "a A 192.0.2.\(serial)\n")
      history.record(from: last, to: next)
      last = next
    }
    #expect(history.deltas.reduce(0) { $0 + $1.removed.count + $1.added.count + 2 } <= 20)
    #expect(history.since(49) != nil && history.since(2) == nil)
    // A serial that goes back breaks the chain.
    history.record(from: last, to: try Self.zone(7, ""))
    #expect(history.deltas.isEmpty)
  }

  @Test func noDifferenceBeginsAtASerialThatHadOtherData() throws {
    var history = ZoneHistory()
    let versions = [
      try Self.zone(1, "a A 192.0.2.1\n"), try Self.zone(2, "a A 192.0.2.2\n"),
      try Self.zone(2, "a A 192.0.2.3\n"), try Self.zone(3, "a A 192.0.2.4\n"), try Self.zone(4, "a A 192.0.2.5\n"),
    ]
    for (old, new) in zip(versions, versions.dropFirst()) { history.record(from: old, to: new) }
    #expect(history.since(1) == nil && history.since(2) == nil && history.since(3)?.count == 1)
    // A file that says the same in other words breaks nothing.
    history.record(from: versions[4], to: versions[4])
    #expect(history.since(3)?.count == 1)
  }

  @Test func requestsAreRecognised() throws {
    let zone = try VectorTests.rich()
    let server = Server([zone])
    let axfr = try #require(Message.query(zone.apex, .axfr).encoded())
    #expect(server.ask(axfr, over: .tcp).outcome == .transfer(zone: 0, since: nil))
    var ixfr = Message.query(zone.apex, .ixfr)
    ixfr.authorities = [zone.records[0]]
    let incremental = try #require(ixfr.encoded())
    #expect(server.ask(incremental, over: .tcp).outcome == .transfer(zone: 0, since: 2_026_010_101))
    // Over UDP the lone SOA sends the secondary to TCP.
    #expect(try #require(server.ask(ixfr)).answers.map(\.type) == [.soa])
    ixfr.authorities = []
    #expect(try #require(server.ask(ixfr, over: .tcp)).code == .formatError)
  }

  @Test func notifyCarriesTheNewSerial() throws {
    let zone = try VectorTests.rich()
    let bytes = try #require(Message.notify(zone, id: 5).encoded())
    let message = try Message(bytes)
    #expect(message.opcode == 4 && message.isAuthoritative && !message.isResponse)
    #expect(message.answers.first?.authority?.serial == zone.serial)
  }
}
