internal import GRDB
internal import OctaviaModel

// Floating addresses that belong to load balancers.
extension Rows {
  package struct Floating: Sendable, Hashable {
    package var tree: String
    package var address: String
    /// The load balancer's VIP.
    package var fixed: String
    /// False: it goes back to its pool.
    package var isWanted: Bool
    package var trouble: String?
  }

  package func floating() throws -> [Floating] {
    try Row.fetchAll(db, sql: "SELECT * FROM floating ORDER BY tree").map {
      Floating(
        tree: $0["tree"], address: $0["address"], fixed: $0["fixed"], isWanted: $0["wanted"] == 1,
        trouble: $0["trouble"])
    }
  }

  package func put(_ floating: Floating) throws {
    try db.execute(
      sql: """
        INSERT INTO floating VALUES (?, ?, ?, ?, ?) ON CONFLICT (tree) DO UPDATE SET address = excluded.address,
        fixed = excluded.fixed, wanted = excluded.wanted, trouble = excluded.trouble
        """,
      arguments: [
        floating.tree, floating.address, floating.fixed, floating.isWanted ? 1 : 0, floating.trouble,
      ])
  }

  package func setTrouble(ofFloating address: String, _ text: String?) throws {
    try db.execute(sql: "UPDATE floating SET trouble = ? WHERE address = ?", arguments: [text, address])
  }

  package func removeFloating(_ address: String) throws {
    try db.execute(sql: "DELETE FROM floating WHERE address = ? AND wanted = 0", arguments: [address])
  }

  /// Those of load balancers that are gone are not wanted any more.
  package func dropOrphanedFloating() throws {
    try db.execute(sql: "UPDATE floating SET wanted = 0 WHERE tree NOT IN (SELECT id FROM resource)")
  }
}
