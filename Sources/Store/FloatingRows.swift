internal import GRDB
package import Model

/// Floating addresses as rows. That none is mapped twice is the database's law, too.
extension StateStore {
  package func floatingIPs() throws(StoreError) -> [FloatingIP] {
    try reading("floating addresses") { database in
      try Row.fetchAll(database, sql: "SELECT address, pool, fixed FROM floating_ip ORDER BY address").map { row in
        let fixed: String? = row["fixed"]
        return FloatingIP(
          address: try address(row["address"]), pool: row["pool"], fixed: try fixed.map { try address($0) })
      }
    }
  }

  /// Exactly these from now on; what is the same is not touched.
  package func save(floatingIPs: [FloatingIP]) throws(StoreError) {
    try writing("floating addresses") { database in
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
  }

  private func address(_ text: String) throws(StoreError) -> IPAddress {
    guard let address = IPAddress(text) else {
      throw StoreError(description: "floating addresses: \(text) is no address")
    }
    return address
  }
}
