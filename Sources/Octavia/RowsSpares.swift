internal import GRDB
package import OctaviaModel

// Amphorae of no load balancer.
extension Rows {
  package func spares() throws -> [OctaviaModel.Record] {
    try String.fetchAll(db, sql: "SELECT id FROM resource WHERE kind = 'amphora' AND tree IS NULL ORDER BY id")
      .compactMap { try record(.amphora, $0) }
  }

  package func readySpares() throws -> [String] {
    try spares().filter { $0.text("status") == AmphoraStatus.ready.rawValue }.map(\.id)
  }

  package func isSpare(_ amphora: String) throws -> Bool {
    let statement = try db.cachedStatement(
      sql: "SELECT 1 FROM resource WHERE id = ? AND kind = 'amphora' AND tree IS NULL")
    return try Int.fetchOne(statement, arguments: [amphora]) != nil
  }

  /// A spare amphora belongs to a load balancer from now on; nothing happens to others.
  package func adopt(_ amphora: String, into tree: String) throws {
    guard try isSpare(amphora) else { return }
    try db.execute(sql: "UPDATE resource SET tree = ? WHERE id = ?", arguments: [tree, amphora])
    // It has its first moments there, too.
    try db.execute(sql: "DELETE FROM health WHERE amphora = ?", arguments: [amphora])
  }
}
