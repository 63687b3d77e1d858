import Model
import Testing
import Wire

@testable import Proxy

@Suite struct SessionTableTests {
  private func find(_ table: SessionTable, _ hash: UInt32) -> Set<UInt32> {
    var probe = table.probe(hash)
    var found: Set<UInt32> = []
    while let index = table.next(&probe) { found.insert(index) }
    return found
  }

  /// The hash space is small, so that equal hashes and shared places are the rule.
  @Test(arguments: [1, 2, 7, 64, 1 << 20], [1, 2, 3] as [UInt64])
  func agreesWithADictionary(hashes: Int, seed: UInt64) {
    var random = Random(seed: seed)
    var table = SessionTable()
    var model: [UInt32: UInt32] = [:]
    for step in 0..<4000 {
      let index = random.below(300)
      if let hash = model[index] {
        table.remove(index, hash: hash)
        model[index] = nil
      } else {
        let hash = random.below(UInt32(hashes)) &* 0x9e37_79b9
        table.insert(index, hash: hash)
        model[index] = hash
      }
      #expect(table.count == model.count)
      guard step % 50 == 0 else { continue }
      for hash in Set(model.values) {
        #expect(find(table, hash) == Set(model.filter { $0.value == hash }.keys))
      }
    }
    for (index, hash) in model { table.remove(index, hash: hash) }
    #expect(table.count == 0)
  }

  @Test func removingWhatIsNotThereChangesNothing() {
    var table = SessionTable()
    table.insert(1, hash: 5)
    table.remove(2, hash: 5)
    table.remove(1, hash: 6)
    #expect(find(table, 5) == [1])
  }

  @Test func survivesAllSessionsInOnePlace() {
    var table = SessionTable()
    for index in 0..<UInt32(500) { table.insert(index, hash: 0xffff_ffff) }
    for index in stride(from: UInt32(0), to: 500, by: 2) { table.remove(index, hash: 0xffff_ffff) }
    #expect(find(table, 0xffff_ffff) == Set(stride(from: 1, to: 500, by: 2)))
    #expect(find(table, 0).isEmpty)
  }

  /// Sources that differ in a pattern of the attacker's choice spread all the same, and differently under each key.
  @Test(arguments: [IPAddress.Family.v4, .v6])
  func chosenSourcesSpreadOverTheTable(family: IPAddress.Family) {
    var buckets = [Int](repeating: 0, count: 1024)
    for number in 0..<UInt32(8192) {
      let address = family == .v4 ? IPAddress(v4: number << 13) : IPAddress(v6: UInt64(number) << 40, 0)
      let name = SessionName(client: Endpoint(address, 53), local: .anyV4, socket: 4)
      buckets[Int(name.hash((1, 2)) & 1023)] += 1
    }
    // A mean of 8; 30 has a chance below 1e-8 in a bucket.
    #expect(buckets.max() ?? 0 < 30)
  }

  @Test func everyPartOfANameCounts() {
    let name = SessionName(client: Endpoint(.loopbackV4, 1), local: .loopbackV4, socket: 3)
    var others = [name, name, name, name, name]
    others[0].client = Endpoint(.loopbackV4, 2)
    others[1].client = Endpoint(IPAddress(127, 0, 0, 2), 1)
    others[2].local = IPAddress(127, 0, 0, 2)
    others[3].socket = 4
    others[4].backend = BackendSlot(0)
    let hashes = Set(others.map { $0.hash((7, 9)) } + [name.hash((7, 9))])
    #expect(hashes.count == 6)
    #expect(!others.contains(name))
  }
}
