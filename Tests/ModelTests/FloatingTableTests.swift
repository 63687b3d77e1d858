import Model
import Testing

@Suite struct FloatingTableTests {
  private var settings: FloatingSettings {
    var settings = FloatingSettings()
    settings.pools = [
      .init(name: "small", ranges: [IPAddress(192, 0, 2, 1)...IPAddress(192, 0, 2, 3)]),
      .init(name: "six", ranges: [IPAddress("2001:db8::")!...IPAddress("2001:db8::1")!]),
    ]
    return settings
  }

  private func refusal(_ table: inout FloatingTable, _ order: FloatingOrder) -> FloatingError? {
    do throws(FloatingError) {
      _ = try table.apply(order, settings)
    } catch {
      return error
    }
    return nil
  }

  @Test func eachOrderDoesWhatItSaysOrIsRefused() throws {
    var table = FloatingTable()
    let (one, two) = (IPAddress(192, 0, 2, 1), IPAddress(192, 0, 2, 2))
    let (server, other) = (IPAddress(10, 0, 0, 1), IPAddress(10, 0, 0, 2))
    #expect(try table.apply(.allocate(pool: "small", nil), settings) == one)
    #expect(try table.apply(.allocate(pool: nil, two), settings) == two)
    #expect(refusal(&table, .allocate(pool: nil, two)) == .taken(two))
    #expect(refusal(&table, .allocate(pool: "none", nil)) == .noSuchPool("none"))
    #expect(refusal(&table, .allocate(pool: "six", IPAddress(192, 0, 2, 3))) == .notInPool(IPAddress(192, 0, 2, 3)))
    #expect(refusal(&table, .associate(one, server)) == nil)
    #expect(refusal(&table, .associate(one, server)) == nil)
    #expect(refusal(&table, .associate(one, other)) == .associated(one))
    #expect(refusal(&table, .associate(two, server)) == .taken(server))
    #expect(refusal(&table, .move(two, one)) == .taken(one))
    for text in ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255"] {
      #expect(refusal(&table, .move(two, IPAddress(text)!)) == .unsuitable(IPAddress(text)!))
    }
    #expect(refusal(&table, .move(one, other)) == nil)
    #expect(refusal(&table, .move(two, server)) == nil)
    #expect(refusal(&table, .release(two)) == .associated(two))
    #expect(refusal(&table, .disassociate(two)) == nil)
    #expect(refusal(&table, .release(two)) == nil)
    #expect(refusal(&table, .release(two)) == .notAllocated(two))
    #expect(refusal(&table, .move(one, IPAddress("2001:db8::9")!)) == .family(one, IPAddress("2001:db8::9")!))
    #expect(table.sorted == [FloatingIP(address: one, pool: "small", fixed: other)])
  }

  @Test func aPoolEnds() throws {
    var table = FloatingTable()
    for _ in 0..<2 { _ = try table.apply(.allocate(pool: "six", nil), settings) }
    #expect(refusal(&table, .allocate(pool: "six", nil)) == .exhausted("six"))
  }

  /// Whatever is ordered: an address is there once, a fixed one behind one only, and a refusal changes nothing.
  @Test func theRulesHoldWhateverIsOrdered() {
    var generator = SystemRandomNumberGenerator()
    var table = FloatingTable()
    for _ in 0..<5_000 {
      let address = IPAddress(192, 0, 2, .random(in: 0...4, using: &generator))
      let fixed =
        Bool.random() ? IPAddress(10, 0, 0, .random(in: 1...3, using: &generator)) : IPAddress(192, 0, 2, 1)
      let order: FloatingOrder =
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: .allocate(pool: nil, Bool.random() ? address : nil)
        case 1: .associate(address, fixed)
        case 2: .move(address, fixed)
        case 3: .disassociate(address)
        default: .release(address)
        }
      let before = table
      if refusal(&table, order) != nil { #expect(table == before) }
      let mapped = table.sorted.compactMap(\.fixed)
      #expect(Set(mapped).count == mapped.count)
      #expect(Set(mapped).isDisjoint(with: table.entries.keys))
    }
  }

  @Test func whatAStoreSaysTwiceIsTakenOnce() {
    var refused: [FloatingIP] = []
    let rows = [1, 2].map {
      FloatingIP(address: IPAddress(192, 0, 2, $0), pool: "small", fixed: IPAddress(10, 0, 0, 1))
    }
    let table = FloatingTable(rows, refused: &refused)
    #expect(table.sorted == [rows[0]] && refused == [rows[1]])
  }
}
