internal import Foundation
internal import GRDB

/// Why the store did not do what it was asked.
package struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String
}

/// The node's state in a file. Each change is one transaction, on the disk when the call returns.
///
/// One process at a time: a second one that opens the file waits, and gives up.
package final class StateStore: Sendable {
  private let queue: DatabaseQueue

  /// Opens the file, makes it if need be, and brings it to this version's form.
  ///
  /// - Throws: for a file that is no database, one of a later version, one that is damaged, or one that cannot be
  ///   written. Nothing of it was changed then.
  package init(path: String) throws(StoreError) {
    var configuration = Configuration()
    configuration.journalMode = .wal
    configuration.busyMode = .timeout(2)
    configuration.prepareDatabase { database in
      // With WAL the default syncs at checkpoints only: a word that was confirmed must not be lost with the power.
      try database.execute(sql: "PRAGMA synchronous = FULL")
    }
    do {
      let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      queue = try DatabaseQueue(path: path, configuration: configuration)
      let migrator = StateStore.migrator
      guard try queue.read({ try !migrator.hasBeenSuperseded($0) }) else {
        throw StoreError(description: "\(path) was written by a later version of sluice")
      }
      try migrator.migrate(queue)
      let check = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
      guard check == "ok" else { throw StoreError(description: "\(path) is damaged: \(check ?? "no answer")") }
    } catch {
      throw StoreError("cannot open \(path)", error)
    }
  }

  private static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: orders, documents") { database in
      try database.execute(
        sql: """
          CREATE TABLE backend_override (
            pool TEXT NOT NULL, backend TEXT NOT NULL, state TEXT, weight INTEGER,
            file_state TEXT NOT NULL, file_weight INTEGER NOT NULL,
            PRIMARY KEY (pool, backend)
          ) STRICT, WITHOUT ROWID;
          CREATE TABLE site_drain (site TEXT NOT NULL PRIMARY KEY, until INTEGER) STRICT, WITHOUT ROWID;
          CREATE TABLE document (
            area TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
            PRIMARY KEY (area, key)
          ) STRICT, WITHOUT ROWID;
          """)
    }
    migrator.registerMigration("2: floating addresses") { database in
      try database.execute(
        sql: """
          CREATE TABLE floating_ip (
            address TEXT NOT NULL PRIMARY KEY, pool TEXT NOT NULL, fixed TEXT UNIQUE
          ) STRICT, WITHOUT ROWID;
          """)
    }
    migrator.registerMigration("3: shared floating addresses") { database in
      try database.execute(
        sql: """
          CREATE TABLE floating_word (
            address TEXT NOT NULL PRIMARY KEY, word TEXT NOT NULL, time INTEGER NOT NULL, node TEXT NOT NULL
          ) STRICT, WITHOUT ROWID;
          """)
    }
    return migrator
  }

  func reading<Value>(_ what: String, _ body: (Database) throws -> Value) throws(StoreError) -> Value {
    do { return try queue.read(body) } catch { throw StoreError("cannot read \(what)", error) }
  }

  func writing(_ what: String, _ body: (Database) throws -> Void) throws(StoreError) {
    do { try queue.write(body) } catch { throw StoreError("cannot save \(what)", error) }
  }
}

extension StoreError {
  fileprivate init(_ attempt: String, _ error: any Error) {
    if let known = error as? StoreError { self = known } else { self.init(description: "\(attempt): \(error)") }
  }
}
