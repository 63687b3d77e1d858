internal import GRDB
package import OctaviaModel

// Existing hosts that are not free. One without a row is.
extension Rows {
  package struct Host: Sendable, Hashable {
    package var name: String
    /// Nil: it is in quarantine, until its agent has wiped it.
    package var amphora: String?
    package var reason: String
    package var since: Timestamp
  }

  package func hosts() throws -> [Host] {
    try Row.fetchAll(db, sql: "SELECT * FROM host ORDER BY name").map {
      Host(
        name: $0["name"], amphora: $0["amphora"], reason: $0["reason"], since: Timestamp(microseconds: $0["since"]))
    }
  }

  package func host(of amphora: String) throws -> String? {
    try String.fetchOne(db, sql: "SELECT name FROM host WHERE amphora = ?", arguments: [amphora])
  }

  /// The amphora's host: the one that it has, or the first of `names` that is free, which is its own from now on.
  package func takeHost(_ names: [String], for amphora: String, now: Timestamp) throws -> String? {
    if let name = try host(of: amphora) { return name }
    let taken = Set(try String.fetchAll(db, sql: "SELECT name FROM host"))
    guard let name = names.first(where: { !taken.contains($0) }) else { return nil }
    try db.execute(
      sql: "INSERT INTO host (name, amphora, since) VALUES (?, ?, ?)", arguments: [name, amphora, now.microseconds])
    return name
  }

  package func quarantine(host: String, _ reason: String, now: Timestamp) throws {
    try db.execute(
      sql: """
        INSERT INTO host (name, amphora, reason, since) VALUES (?, NULL, ?, ?)
        ON CONFLICT (name) DO UPDATE SET amphora = NULL, reason = excluded.reason, since = excluded.since
        """,
      arguments: [host, reason, now.microseconds])
  }

  /// Only what is still as the caller knew it: a host that was given away meanwhile stays its amphora's.
  package func free(host: String, amphora: String?) throws {
    try db.execute(sql: "DELETE FROM host WHERE name = ? AND amphora IS ?", arguments: [host, amphora])
  }
}
