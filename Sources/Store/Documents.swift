internal import Foundation
internal import GRDB

/// A table of keys and bytes for each part of the node that keeps something in a form of its own.
extension StateStore {
  /// All of an area, by key.
  package func documents(_ area: String) throws(StoreError) -> [String: [UInt8]] {
    try reading(area) { database in
      var result: [String: [UInt8]] = [:]
      for row in try Row.fetchAll(database, sql: "SELECT key, value FROM document WHERE area = ?", arguments: [area]) {
        let value: Data = row["value"]
        result[row["key"]] = Array(value)
      }
      return result
    }
  }

  /// Changes these keys of an area, all or none; nil removes one.
  package func save(_ changes: [String: [UInt8]?], in area: String) throws(StoreError) {
    try writing(area) { database in
      for (key, value) in changes {
        if let value {
          try database.execute(
            sql: "INSERT OR REPLACE INTO document (area, key, value) VALUES (?, ?, ?)",
            arguments: [area, key, Data(value)])
        } else {
          try database.execute(sql: "DELETE FROM document WHERE area = ? AND key = ?", arguments: [area, key])
        }
      }
    }
  }
}
