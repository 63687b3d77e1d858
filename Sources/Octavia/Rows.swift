internal import GRDB
package import OctaviaModel

/// What a transaction can do. Lives as long as the transaction.
package struct Rows {
  let db: Database

  init(_ db: Database) { self.db = db }

  private func record(_ row: Row) -> OctaviaModel.Record? {
    let kindText: String = row["kind"]
    let text: String = row["document"]
    guard let kind = Kind(rawValue: kindText), case .object(let fields)? = try? JSON(parsing: text) else { return nil }
    return OctaviaModel.Record(kind, fields)
  }

  // MARK: load balancers

  /// The load balancer with everything in it.
  package func tree(_ id: String) throws -> Tree? {
    let records = try Row.fetchAll(db, sql: "SELECT kind, document FROM resource WHERE tree = ?", arguments: [id])
      .compactMap { record($0) }
    return records.contains { $0.kind == .loadBalancer } ? Tree(records) : nil
  }

  /// The load balancer that a resource is in.
  package func tree(of id: String, _ kind: Kind) throws -> Tree? {
    let row = try Row.fetchOne(
      db, sql: "SELECT tree FROM resource WHERE id = ? AND kind = ?", arguments: [id, kind.rawValue])
    guard let id: String = row?["tree"] else { return nil }
    return try tree(id)
  }

  /// Trees with the given kinds only: what a list of one kind needs.
  package func trees(_ kinds: [Kind], project: String?) throws -> [Tree] {
    let names = kinds.map(\.rawValue)
    let marks = names.map { _ in "?" }.joined(separator: ", ")
    var sql = "SELECT tree, kind, document FROM resource WHERE kind IN (\(marks)) AND tree IS NOT NULL"
    var arguments = names
    if let project {
      sql += " AND tree IN (SELECT id FROM resource WHERE kind = 'loadbalancer' AND project = ?)"
      arguments.append(project)
    }
    var groups: [String: [OctaviaModel.Record]] = [:]
    let rows = try Row.fetchCursor(db, sql: sql, arguments: StatementArguments(arguments))
    while let row = try rows.next() {
      let tree: String = row["tree"]
      if let record = record(row) { groups[tree, default: []].append(record) }
    }
    return groups.values.map { Tree($0) }.filter { !$0.id.isEmpty }
  }

  /// Writes what changed since the tree was loaded.
  package func save(_ tree: Tree, id: String) throws {
    if tree.changed.isEmpty && tree.removed.isEmpty { return }
    for id in tree.removed { try remove(id) }
    for changed in tree.changed {
      guard let record = tree[changed] else { continue }
      try put(record, tree: id)
    }
    if tree[id] == nil {
      try db.execute(sql: "DELETE FROM version WHERE tree = ?", arguments: [id])
      try db.execute(sql: "DELETE FROM event WHERE tree = ?", arguments: [id])
    } else {
      try db.execute(
        sql: "INSERT INTO version VALUES (?, 1) ON CONFLICT (tree) DO UPDATE SET number = number + 1", arguments: [id])
    }
  }

  package func version(_ tree: String) throws -> Int {
    try Int.fetchOne(db, sql: "SELECT number FROM version WHERE tree = ?", arguments: [tree]) ?? 0
  }

  // MARK: single records

  package func record(_ kind: Kind, _ id: String) throws -> OctaviaModel.Record? {
    try Row.fetchOne(
      db, sql: "SELECT kind, document FROM resource WHERE id = ? AND kind = ?",
      arguments: [kind == .quota ? "quota \(id)" : id, kind.rawValue]
    ).flatMap { record($0) }
  }

  package func records(_ kind: Kind) throws -> [OctaviaModel.Record] {
    try Row.fetchAll(db, sql: "SELECT kind, document FROM resource WHERE kind = ?", arguments: [kind.rawValue])
      .compactMap { record($0) }
  }

  package func put(_ record: OctaviaModel.Record, tree: String? = nil) throws {
    let key = record.kind == .quota ? "quota \(record.text("project_id"))" : record.id
    try db.execute(
      sql: """
        INSERT INTO resource (id, kind, project, tree, document) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET document = excluded.document
        """,
      arguments: [key, record.kind.rawValue, record["project_id"].string, tree, JSON.object(record.fields).text])
  }

  package func remove(_ id: String) throws {
    try db.execute(sql: "DELETE FROM resource WHERE id = ?", arguments: [id])
    try db.execute(sql: "DELETE FROM statistics WHERE listener = ? OR amphora = ?", arguments: [id, id])
    try db.execute(sql: "DELETE FROM health WHERE amphora = ?", arguments: [id])
  }

  /// How many resources of a kind a project has.
  package func count(_ kind: Kind, project: String) throws -> Int {
    try Int.fetchOne(
      db, sql: "SELECT count(*) FROM resource WHERE kind = ? AND project = ?", arguments: [kind.rawValue, project]) ?? 0
  }

  // MARK: events

  /// What happened to a load balancer, for people who ask why; the last few hundred are kept.
  package func note(_ tree: String, _ text: String, at moment: Timestamp) throws {
    try db.execute(
      sql: "INSERT INTO event (tree, at, text) VALUES (?, ?, ?)", arguments: [tree, moment.microseconds, text])
    try db.execute(
      sql: "DELETE FROM event WHERE tree = ? AND number <= (SELECT max(number) FROM event) - 100000", arguments: [tree])
  }

  package func events(_ tree: String, limit: Int) throws -> [(at: Timestamp, text: String)] {
    try Row.fetchAll(
      db, sql: "SELECT at, text FROM event WHERE tree = ? ORDER BY number DESC LIMIT ?", arguments: [tree, limit]
    ).reversed().map { (Timestamp(microseconds: $0["at"]), $0["text"]) }
  }
}
