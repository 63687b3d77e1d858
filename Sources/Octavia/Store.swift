internal import GRDB
internal import OctaviaModel

/// All that controllers know, in one SQLite file. Several controllers may share it: every change is one transaction.
package final class Store: Sendable {
  private let pool: DatabasePool

  /// Opens or creates the file, and brings it to this version's form.
  package init(path: String) throws {
    var configuration = Configuration()
    configuration.busyMode = .timeout(20)
    configuration.maximumReaderCount = 4
    // With WAL, a killed process loses nothing; a power cut may lose the last transactions, never half of one.
    // PERF: 10,000 amphorae do not fit into SQLite's 2 MiB of pages.
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768") }
    pool = try DatabasePool(path: path, configuration: configuration)
    try Migrations.all.migrate(pool)
  }

  package func read<Value: Sendable>(_ body: @escaping @Sendable (Rows) throws -> Value) async throws -> Value {
    try await pool.read { try body(Rows($0)) }
  }

  /// One transaction: all of it, or nothing when `body` throws.
  package func write<Value: Sendable>(_ body: @escaping @Sendable (Rows) throws -> Value) async throws -> Value {
    try await pool.write { try body(Rows($0)) }
  }

  package func close() { try? pool.close() }
}

enum Migrations {
  static var all: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: resources, flows, health, addresses, certificates") { db in
      try db.execute(
        sql: """
          CREATE TABLE resource (
            id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, project TEXT, tree TEXT, document TEXT NOT NULL) WITHOUT ROWID;
          CREATE INDEX resource_by_tree ON resource (tree);
          CREATE INDEX resource_by_kind ON resource (kind, project);
          CREATE TABLE version (tree TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
          CREATE TABLE flow (
            id TEXT NOT NULL PRIMARY KEY, tree TEXT NOT NULL UNIQUE, document TEXT NOT NULL, owner TEXT, lease INTEGER NOT NULL DEFAULT 0,
            created INTEGER NOT NULL);
          CREATE TABLE health (
            amphora TEXT NOT NULL PRIMARY KEY, tree TEXT NOT NULL, updated INTEGER NOT NULL, busy INTEGER NOT NULL DEFAULT 0,
            failures INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL DEFAULT 0, sequence INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
          CREATE INDEX health_by_age ON health (busy, updated);
          CREATE TABLE statistics (
            listener TEXT NOT NULL, amphora TEXT NOT NULL, tree TEXT NOT NULL, bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL,
            active INTEGER NOT NULL, total INTEGER NOT NULL, errors INTEGER NOT NULL, PRIMARY KEY (listener, amphora)) WITHOUT ROWID;
          CREATE TABLE port (
            id TEXT NOT NULL PRIMARY KEY, subnet TEXT NOT NULL, address TEXT NOT NULL, owner TEXT NOT NULL, purpose TEXT NOT NULL,
            UNIQUE (subnet, address), UNIQUE (owner, purpose, subnet));
          CREATE TABLE authority (name TEXT NOT NULL PRIMARY KEY, certificate TEXT NOT NULL, key TEXT NOT NULL);
          CREATE TABLE certificate (
            serial TEXT NOT NULL PRIMARY KEY, amphora TEXT NOT NULL, pem TEXT NOT NULL, expires INTEGER NOT NULL,
            revoked INTEGER NOT NULL DEFAULT 0);
          CREATE INDEX certificate_by_amphora ON certificate (amphora);
          CREATE TABLE event (
            number INTEGER PRIMARY KEY AUTOINCREMENT, tree TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL);
          CREATE INDEX event_by_tree ON event (tree, number);
          """)
    }
    migrator.registerMigration("2: existing hosts, floating addresses") { db in
      try db.execute(
        sql: """
          CREATE TABLE host (
            name TEXT NOT NULL PRIMARY KEY, amphora TEXT UNIQUE, reason TEXT NOT NULL DEFAULT '', since INTEGER NOT NULL) WITHOUT ROWID;
          CREATE TABLE floating (
            tree TEXT NOT NULL PRIMARY KEY, address TEXT NOT NULL UNIQUE, fixed TEXT NOT NULL,
            wanted INTEGER NOT NULL DEFAULT 1, trouble TEXT) WITHOUT ROWID;
          """)
    }
    return migrator
  }
}
