internal import GRDB
package import Model

/// Floating addresses as rows. That none is mapped twice is the database's law, too.
extension StateStore {
  package func floatingRecord() throws(StoreError) -> FloatingRecord {
    try reading("floating addresses") { database in
      let rows = try Row.fetchAll(database, sql: "SELECT address, pool, fixed FROM floating_ip ORDER BY address").map {
        let fixed: String? = $0["fixed"]
        return FloatingIP(
          address: try address($0["address"]), pool: $0["pool"], fixed: try fixed.map { try address($0) })
      }
      let words = try Row.fetchAll(database, sql: "SELECT * FROM floating_word ORDER BY address").map { row in
        let (text, time): (String, Int64) = (row["word"], row["time"])
        guard
          let word = FloatingWord(
            try address(row["address"]), text: text, time: UInt64(bitPattern: time), node: row["node"])
        else { throw StoreError(description: "floating addresses: \(text) is no word") }
        return word
      }
      return FloatingRecord(rows: rows, words: words)
    }
  }

  /// Exactly these from now on; what is the same is not touched.
  package func save(_ record: FloatingRecord) throws(StoreError) {
    try writing("floating addresses") { database in
      try save(record.rows, database)
      try save(record.words, database)
    }
  }

  private func save(_ floatingIPs: [FloatingIP], _ database: Database) throws {
    let rows = try Row.fetchAll(database, sql: "SELECT address, pool, fixed FROM floating_ip")
    var known: [String: (pool: String, fixed: String?)] = [:]
    for row in rows { known[row["address"]] = (row["pool"], row["fixed"]) }
    let wanted = Dictionary(floatingIPs.map { ("\($0.address)", $0) }) { first, _ in first }
    let changed = wanted.filter { key, entry in
      known[key].map { $0.pool != entry.pool || $0.fixed != entry.fixed.map { "\($0)" } } ?? true
    }
    // First all that goes: a fixed address may pass from one to another in the same change.
    for address in known.keys where wanted[address] == nil || changed[address] != nil {
      try database.execute(sql: "DELETE FROM floating_ip WHERE address = ?", arguments: [address])
    }
    for (address, entry) in changed {
      try database.execute(
        sql: "INSERT INTO floating_ip (address, pool, fixed) VALUES (?, ?, ?)",
        arguments: [address, entry.pool, entry.fixed.map { "\($0)" }])
    }
  }

  private func save(_ words: [FloatingWord], _ database: Database) throws {
    struct Revision: Equatable {
      var time: Int64
      var node: String
    }
    var known: [String: Revision] = [:]
    for row in try Row.fetchAll(database, sql: "SELECT address, time, node FROM floating_word") {
      known[row["address"]] = Revision(time: row["time"], node: row["node"])
    }
    for word in words {
      let (address, time) = ("\(word.address)", Int64(bitPattern: word.time))
      guard known.removeValue(forKey: address) != Revision(time: time, node: word.node) else { continue }
      try database.execute(
        sql: "INSERT OR REPLACE INTO floating_word (address, word, time, node) VALUES (?, ?, ?, ?)",
        arguments: [address, word.standing.text, time, word.node])
    }
    for address in known.keys {
      try database.execute(sql: "DELETE FROM floating_word WHERE address = ?", arguments: [address])
    }
  }

  private func address(_ text: String) throws(StoreError) -> IPAddress {
    guard let address = IPAddress(text) else {
      throw StoreError(description: "floating addresses: \(text) is no address")
    }
    return address
  }
}
