internal import GRDB
package import Model

/// Operators' words as rows.
extension StateStore {
  package func orders() throws(StoreError) -> KeptOrders {
    try reading("operators' words") { database in
      let overrides = try Row.fetchAll(
        database, sql: "SELECT * FROM backend_override ORDER BY pool, backend"
      ).map { row in
        KeptOverride(
          key: BackendKey(pool: row["pool"], backend: row["backend"]), state: try OrderRows.state(row["state"]),
          weight: row["weight"], fileState: try OrderRows.state(row["file_state"]) ?? .ready,
          fileWeight: row["file_weight"])
      }
      let drains = try Row.fetchAll(database, sql: "SELECT * FROM site_drain ORDER BY site").map { row in
        KeptDrain(site: row["site"], until: row["until"])
      }
      return KeptOrders(overrides: overrides, drains: drains)
    }
  }

  /// Exactly these from now on.
  package func save(_ orders: KeptOrders) throws(StoreError) {
    try writing("operators' words") { database in
      try database.execute(sql: "DELETE FROM backend_override; DELETE FROM site_drain")
      for row in orders.overrides {
        try database.execute(
          sql: "INSERT INTO backend_override VALUES (?, ?, ?, ?, ?, ?)",
          arguments: [
            row.key.pool, row.key.backend, row.state?.rawValue, row.weight, row.fileState.rawValue, row.fileWeight,
          ])
      }
      for row in orders.drains {
        try database.execute(sql: "INSERT INTO site_drain VALUES (?, ?)", arguments: [row.site, row.until])
      }
    }
  }
}

enum OrderRows {
  /// - Throws: for a word that this version does not know.
  static func state(_ text: String?) throws -> AdministrativeState? {
    guard let text else { return nil }
    guard let state = AdministrativeState(rawValue: text) else {
      throw StoreError(description: "operators' words: \(text) is no state")
    }
    return state
  }
}
