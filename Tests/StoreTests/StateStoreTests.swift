import Foundation
import Model
import Store
import Testing

@Suite struct StateStoreTests {
  /// A path in a directory of its own, which is removed.
  private func withPath(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-store-\(UUID())")
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory.appendingPathComponent("deep/state.db").path)
  }

  @Test func whatWasSavedIsThereAfterAnotherOpening() throws {
    try withPath { path in
      let orders = KeptOrders(
        overrides: [
          KeptOverride(
            key: BackendKey(pool: "a/b", backend: "unix:/x"), state: .drain, weight: nil, fileState: .ready,
            fileWeight: 100),
          KeptOverride(
            key: BackendKey(pool: "web", backend: "b1"), state: nil, weight: 0, fileState: .maintenance, fileWeight: 7),
        ],
        drains: [KeptDrain(site: "eu", until: 1_790_000_000_000), KeptDrain(site: "us", until: nil)])
      try StateStore(path: path).save(orders)
      #expect(try StateStore(path: path).orders() == orders)
      try StateStore(path: path).save(KeptOrders())
      #expect(try StateStore(path: path).orders() == KeptOrders())
    }
  }

  @Test func documentsAreKeptByAreaAndKey() throws {
    try withPath { path in
      let store = try StateStore(path: path)
      try store.save(["a": [1, 2], "b": []], in: "rollouts")
      try store.save(["a": [3], "c": nil], in: "rollouts")
      try store.save(["a": []], in: "sites")
      #expect(try store.documents("rollouts") == ["a": [3], "b": []])
      try store.save(["a": nil], in: "rollouts")
      #expect(try store.documents("rollouts") == ["b": []])
      #expect(try store.documents("sites") == ["a": []])
    }
  }

  private func ip(_ last: UInt8, _ fixed: UInt8? = nil) -> FloatingIP {
    FloatingIP(address: IPAddress(192, 0, 2, last), pool: "public", fixed: fixed.map { IPAddress(10, 0, 0, $0) })
  }

  @Test func sharedWordsAreKeptWithTheirRevisions() throws {
    try withPath { path in
      let store = try StateStore(path: path)
      var words = [
        FloatingWord(IPAddress(192, 0, 2, 1), .mapped(IPAddress(10, 0, 0, 1), pool: "p"), time: .max - 1, node: "a"),
        FloatingWord(IPAddress(192, 0, 2, 2), .released, time: 7, node: "b"),
      ]
      try store.save(FloatingRecord(rows: [ip(1, 9)], words: words))
      #expect(try StateStore(path: path).floatingRecord() == FloatingRecord(rows: [ip(1, 9)], words: words))
      words = [FloatingWord(IPAddress(192, 0, 2, 2), .allocated(pool: "p"), time: 7, node: "c")]
      try store.save(FloatingRecord(rows: [], words: words))
      #expect(try store.floatingRecord() == FloatingRecord(rows: [], words: words))
    }
  }

  @Test func floatingAddressesAreKept() throws {
    try withPath { path in
      let rows = [ip(1), ip(2, 9), FloatingIP(address: IPAddress("2001:db8::1")!, pool: "six")]
      try StateStore(path: path).save(FloatingRecord(rows: rows))
      #expect(Set(try StateStore(path: path).floatingRecord().rows) == Set(rows))
    }
  }

  @Test func aFixedAddressPassesFromOneToAnotherInOneChange() throws {
    try withPath { path in
      let store = try StateStore(path: path)
      try store.save(FloatingRecord(rows: [ip(1, 9), ip(2, 8)]))
      try store.save(FloatingRecord(rows: [ip(1, 8), ip(2, 9)]))
      #expect(Set(try store.floatingRecord().rows) == [ip(1, 8), ip(2, 9)])
    }
  }

  @Test func noAddressIsMappedTwiceAndTheOldStateStays() throws {
    try withPath { path in
      let store = try StateStore(path: path)
      try store.save(FloatingRecord(rows: [ip(1, 9)]))
      #expect(throws: StoreError.self) { try store.save(FloatingRecord(rows: [ip(1, 9), ip(2, 9)])) }
      #expect(try store.floatingRecord().rows == [ip(1, 9)])
    }
  }

  @Test func whatIsNoDatabaseIsRefusedAndLeftAsItIs() throws {
    try withPath { path in
      try FileManager.default.createDirectory(
        atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
      let bytes = Data(repeating: 0x41, count: 10_000)
      try bytes.write(to: URL(fileURLWithPath: path))
      #expect(throws: StoreError.self) { _ = try StateStore(path: path) }
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
    }
  }
}
