internal import GRDB
package import OctaviaModel

// When amphorae were last heard of, and what they counted.
extension Rows {
  /// A new amphora has its first moments, too: one that never says anything becomes stale.
  package func watch(_ amphora: String, tree: String, now: Timestamp) throws {
    try db.execute(
      sql: "INSERT INTO health (amphora, tree, updated) VALUES (?, ?, ?) ON CONFLICT (amphora) DO NOTHING",
      arguments: [amphora, tree, now.microseconds])
  }

  /// - Returns: false for one that is not watched.
  package func refresh(_ amphora: String, now: Timestamp) throws -> Bool {
    let statement = try db.cachedStatement(sql: "UPDATE health SET updated = ?, failures = 0 WHERE amphora = ?")
    try statement.execute(arguments: [now.microseconds, amphora])
    return db.changesCount == 1
  }

  package func tree(ofAmphora amphora: String) throws -> String? {
    let statement = try db.cachedStatement(sql: "SELECT tree FROM resource WHERE id = ? AND kind = 'amphora'")
    return try String.fetchOne(statement, arguments: [amphora])
  }

  package func lastSequence(_ amphora: String) throws -> Int {
    try Int.fetchOne(db, sql: "SELECT sequence FROM health WHERE amphora = ?", arguments: [amphora]) ?? 0
  }

  package func setSequence(_ amphora: String, _ sequence: Int) throws {
    try db.execute(sql: "UPDATE health SET sequence = ? WHERE amphora = ?", arguments: [sequence, amphora])
  }

  /// Amphorae that have not been heard of since `limit` and that nobody replaces; longest silent first.
  package func stale(since limit: Timestamp, now: Timestamp) throws -> [(
    amphora: String, tree: String, updated: Timestamp
  )] {
    try Row.fetchAll(
      db,
      sql:
        "SELECT amphora, tree, updated FROM health WHERE busy = 0 AND updated < ? AND not_before <= ? ORDER BY updated",
      arguments: [limit.microseconds, now.microseconds]
    ).map { ($0["amphora"], $0["tree"], Timestamp(microseconds: $0["updated"])) }
  }

  /// Amphorae that nobody replaces and that have not been heard of since `limit`.
  package func silentCount(since limit: Timestamp) throws -> Int {
    try Int.fetchOne(
      db, sql: "SELECT count(*) FROM health WHERE busy = 0 AND updated < ?", arguments: [limit.microseconds]) ?? 0
  }

  package func lastHeard(_ amphora: String) throws -> (
    updated: Timestamp, busy: Bool, failures: Int, notBefore: Timestamp
  )? {
    try Row.fetchOne(db, sql: "SELECT * FROM health WHERE amphora = ?", arguments: [amphora]).map {
      (
        Timestamp(microseconds: $0["updated"]), $0["busy"] == 1, $0["failures"],
        Timestamp(microseconds: $0["not_before"])
      )
    }
  }

  package func setBusy(_ amphora: String, _ busy: Bool) throws {
    try db.execute(sql: "UPDATE health SET busy = ? WHERE amphora = ?", arguments: [busy ? 1 : 0, amphora])
  }

  /// A failover that failed is tried again, later each time.
  package func postpone(_ amphora: String, until: @Sendable (Int) -> Timestamp) throws {
    let failures =
      (try Int.fetchOne(db, sql: "SELECT failures FROM health WHERE amphora = ?", arguments: [amphora]) ?? 0) + 1
    try db.execute(
      sql: "UPDATE health SET busy = 0, failures = ?, not_before = ? WHERE amphora = ?",
      arguments: [failures, until(failures).microseconds, amphora])
  }

  // MARK: statistics

  package func count(_ counters: Heartbeat.Counters, listener: String, amphora: String, tree: String) throws {
    let statement = try db.cachedStatement(
      sql: """
        INSERT INTO statistics VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (listener, amphora) DO UPDATE SET
        bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out, active = excluded.active,
        total = total + excluded.total, errors = errors + excluded.errors
        """)
    try statement.execute(arguments: [
      listener, amphora, tree, counters.bytesIn, counters.bytesOut, counters.activeConnections,
      counters.totalConnections, counters.requestErrors,
    ])
  }

  package struct Statistics: Sendable {
    package var listener: String
    package var amphora: String
    package var counters: Heartbeat.Counters
  }

  package func statistics(tree: String) throws -> [Statistics] {
    try Row.fetchAll(db, sql: "SELECT * FROM statistics WHERE tree = ?", arguments: [tree]).map { row in
      var counters = Heartbeat.Counters()
      counters.bytesIn = row["bytes_in"]
      counters.bytesOut = row["bytes_out"]
      counters.activeConnections = row["active"]
      counters.totalConnections = row["total"]
      counters.requestErrors = row["errors"]
      return Statistics(listener: row["listener"], amphora: row["amphora"], counters: counters)
    }
  }
}

// The certificates that this deployment has given out.
extension Rows {
  package func authority(_ name: String) throws -> (certificate: String, key: String)? {
    try Row.fetchOne(db, sql: "SELECT certificate, key FROM authority WHERE name = ?", arguments: [name])
      .map { ($0["certificate"], $0["key"]) }
  }

  package func insertAuthority(_ name: String, certificate: String, key: String) throws {
    try db.execute(
      sql: "INSERT INTO authority VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING", arguments: [name, certificate, key])
  }

  package func insertCertificate(serial: String, amphora: String, pem: String, expires: Timestamp) throws {
    try db.execute(
      sql: "INSERT INTO certificate (serial, amphora, pem, expires) VALUES (?, ?, ?, ?)",
      arguments: [serial, amphora, pem, expires.microseconds])
  }

  package func certificate(amphora: String) throws -> (pem: String, expires: Timestamp)? {
    try Row.fetchOne(
      db, sql: "SELECT pem, expires FROM certificate WHERE amphora = ? AND revoked = 0 ORDER BY expires DESC",
      arguments: [amphora]
    ).map { ($0["pem"], Timestamp(microseconds: $0["expires"])) }
  }

  package func revokeCertificates(amphora: String) throws {
    try db.execute(sql: "UPDATE certificate SET revoked = 1 WHERE amphora = ?", arguments: [amphora])
  }
}
