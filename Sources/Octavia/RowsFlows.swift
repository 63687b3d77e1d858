internal import GRDB
package import OctaviaModel

// Flows and who carries them out.
extension Rows {
  package struct Claim: Sendable {
    package var flow: Flow
    package var owner: String?
    package var lease: Timestamp
  }

  package func insert(_ flow: Flow, at moment: Timestamp) throws {
    try db.execute(
      sql: "INSERT INTO flow (id, tree, document, created) VALUES (?, ?, ?, ?)",
      arguments: [flow.id, flow.loadBalancer, flow.document.text, moment.microseconds])
    for birth in flow.births { try adopt(birth.amphora, into: flow.loadBalancer) }
  }

  package func flow(of tree: String) throws -> Claim? {
    try Row.fetchOne(db, sql: "SELECT * FROM flow WHERE tree = ?", arguments: [tree]).flatMap(claim)
  }

  package func flows() throws -> [Claim] {
    try Row.fetchAll(db, sql: "SELECT * FROM flow ORDER BY created").compactMap(claim)
  }

  /// The oldest that nobody carries out. Only these are read as a whole: thousands may wait.
  package func freeFlows(
    limit: Int, _ isFree: (_ id: String, _ owner: String?, _ lease: Timestamp) -> Bool
  ) throws -> [Claim] {
    let waiting = try Row.fetchCursor(db, sql: "SELECT id, owner, lease FROM flow ORDER BY rowid")
    var ids: [String] = []
    while ids.count < limit, let row = try waiting.next() {
      if isFree(row["id"], row["owner"], Timestamp(microseconds: row["lease"])) { ids.append(row["id"]) }
    }
    return try ids.compactMap { id in
      try Row.fetchOne(db, sql: "SELECT * FROM flow WHERE id = ?", arguments: [id]).flatMap(claim)
    }
  }

  private func claim(_ row: Row) -> Claim? {
    let text: String = row["document"]
    guard let document = try? JSON(parsing: text), let flow = Flow(document) else { return nil }
    return Claim(flow: flow, owner: row["owner"], lease: Timestamp(microseconds: row["lease"]))
  }

  /// - Returns: whether `owner` has it now.
  package func take(_ flow: String, owner: String, from old: String?, until lease: Timestamp) throws -> Bool {
    try db.execute(
      sql: "UPDATE flow SET owner = ?, lease = ? WHERE id = ? AND owner IS ?",
      arguments: [owner, lease.microseconds, flow, old])
    return db.changesCount == 1
  }

  /// - Throws: `LostFlow` when another controller has taken it over.
  package func save(_ flow: Flow, owner: String, lease: Timestamp) throws {
    try db.execute(
      sql: "UPDATE flow SET document = ?, lease = ? WHERE id = ? AND owner = ?",
      arguments: [flow.document.text, lease.microseconds, flow.id, owner])
    if db.changesCount != 1 { throw LostFlow() }
  }

  package func renew(_ flow: String, owner: String, lease: Timestamp) throws {
    try db.execute(
      sql: "UPDATE flow SET lease = ? WHERE id = ? AND owner = ?", arguments: [lease.microseconds, flow, owner])
    if db.changesCount != 1 { throw LostFlow() }
  }

  package func delete(_ flow: Flow, owner: String) throws {
    try db.execute(sql: "DELETE FROM flow WHERE id = ? AND owner = ?", arguments: [flow.id, owner])
    if db.changesCount != 1 { throw LostFlow() }
  }
}

/// Another controller carries the flow out.
package struct LostFlow: Error {}

// Addresses that this controller gives away itself.
extension Rows {
  package struct Port: Sendable, Hashable {
    package var id: String
    package var subnet: String
    package var address: String
  }

  package func port(owner: String, purpose: String, subnet: String) throws -> Port? {
    try Row.fetchOne(
      db, sql: "SELECT * FROM port WHERE owner = ? AND purpose = ? AND subnet = ?", arguments: [owner, purpose, subnet]
    ).map { Port(id: $0["id"], subnet: $0["subnet"], address: $0["address"]) }
  }

  package func ports(owner: String) throws -> [Port] {
    try Row.fetchAll(db, sql: "SELECT * FROM port WHERE owner = ?", arguments: [owner])
      .map { Port(id: $0["id"], subnet: $0["subnet"], address: $0["address"]) }
  }

  package func takenAddresses(subnet: String) throws -> Set<String> {
    Set(try String.fetchAll(db, sql: "SELECT address FROM port WHERE subnet = ?", arguments: [subnet]))
  }

  package func insert(_ port: Port, owner: String, purpose: String) throws {
    try db.execute(
      sql: "INSERT INTO port (id, subnet, address, owner, purpose) VALUES (?, ?, ?, ?, ?)",
      arguments: [port.id, port.subnet, port.address, owner, purpose])
  }

  package func releasePorts(owner: String) throws {
    try db.execute(sql: "DELETE FROM port WHERE owner = ?", arguments: [owner])
  }

  /// Ports of owners that are not there: a controller died between an address and its load balancer.
  package func releaseOrphanedPorts() throws -> Int {
    try db.execute(
      sql: """
        DELETE FROM port WHERE owner NOT IN (SELECT id FROM resource) AND NOT EXISTS (SELECT 1 FROM flow)
        """)
    return db.changesCount
  }
}
