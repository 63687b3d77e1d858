internal import Logging
internal import OctaviaModel

/// The node that maps floating addresses, by its admin API.
struct FloatingNode: Sendable {
  let socket: String

  /// Floating address to fixed address; null: allocated and mapped to nobody.
  func mappings() async throws -> [String: String?] {
    let answer = try await send("GET", "v1/floating-ips", nil)
    var found: [String: String?] = [:]
    for entry in answer["addresses"].array ?? [] {
      if let address = entry["address"].string { found[address] = .some(entry["fixed"].string) }
    }
    return found
  }

  @discardableResult func order(_ verb: String, _ body: JSONObject) async throws -> JSON {
    try await send("POST", "v1/floating-ips/\(verb)", .object(body))
  }

  private func send(_ method: String, _ path: String, _ body: JSON?) async throws -> JSON {
    let call = HTTPCall(method: method, url: "http://sluice/\(path)", json: body, deadline: .seconds(10))
    let answer = try await HTTPClient(socket: socket).send(call)
    let document = try? JSON(parsing: answer.body)
    guard answer.status == 200, let document else {
      let error = document?["error"]
      throw Refused(
        text: error?["message"].string ?? error?.string ?? document?["message"].string ?? "status \(answer.status)")
    }
    return document
  }

  /// The node's own word, such as that a pool is used up.
  struct Refused: Error, CustomStringConvertible {
    let text: String
    var description: String { "the node refuses: \(text)" }
  }
}

/// Floating addresses of load balancers. The rows say what shall be; the node is brought to it, whoever has died
/// between. A failover does not change a mapping: the VIP stays, and only its amphora is another.
struct FloatingKeeper: Sendable {
  let store: Store
  let node: FloatingNode
  let logger: Logger
  let now: @Sendable () -> Timestamp

  func run() async {
    while !Task.isCancelled {
      do { try await reconcile() } catch {
        if !Task.isCancelled { logger.warning("floating addresses: \(error)") }
      }
      try? await Task.sleep(for: .seconds(2))
    }
  }

  /// Gives a load balancer an address: this one, or the first that is free.
  func associate(_ tree: String, vip: String, address: String?, pool: String?) async throws -> String {
    let rows = try await store.read { try $0.floating() }
    if let old = rows.first(where: { $0.tree == tree }) {
      guard address == nil || address == old.address, old.isWanted else {
        throw APIError(409, "Load balancer \(tree) has the floating address \(old.address) already.")
      }
      return old.address
    }
    if let address, rows.contains(where: { $0.address == address }) {
      throw APIError(409, "\(address) belongs to another load balancer.")
    }
    let known = try await node.mappings()
    let chosen: String
    if let address, let entry = known[address] {
      guard entry == nil || entry == vip else { throw APIError(409, "\(address) is mapped to \(entry ?? "").") }
      chosen = address
    } else {
      var order = JSONObject()
      if let address { order["address"] = .string(address) }
      if let pool { order["pool"] = .string(pool) }
      let done: JSON
      do {
        done = try await node.order("allocate", order)
      } catch let error as FloatingNode.Refused { throw APIError(409, error.description) }
      guard let text = done["address"].string else { throw StepFailure("the node does not say which address it took") }
      chosen = text
    }
    let row = Rows.Floating(tree: tree, address: chosen, fixed: vip, isWanted: true, trouble: nil)
    let moment = now()
    // Another request may have been as fast.
    let isFirst = try await store.write { rows in
      if try rows.floating().contains(where: { $0.tree == tree || $0.address == chosen }) { return false }
      try rows.put(row)
      try rows.note(tree, "floating address \(chosen)", at: moment)
      return true
    }
    guard isFirst else {
      if address == nil { _ = try? await node.order("release", JSONObject([("address", .string(chosen))])) }
      throw APIError(409, "\(chosen) or load balancer \(tree) was given away meanwhile.")
    }
    try await reconcile()
    return chosen
  }

  func disassociate(_ tree: String) async throws {
    try await store.write { rows in
      guard var row = try rows.floating().first(where: { $0.tree == tree }) else {
        throw APIError(404, "Load balancer \(tree) has no floating address.")
      }
      row.isWanted = false
      try rows.put(row)
    }
    try await reconcile()
  }

  func reconcile() async throws {
    let rows = try await store.write { rows in
      try rows.dropOrphanedFloating()
      return try rows.floating()
    }
    if rows.isEmpty { return }
    let known = try await node.mappings()
    for row in rows {
      let entry = known[row.address]
      do {
        if row.isWanted {
          if entry == nil { try await node.order("allocate", JSONObject([("address", .string(row.address))])) }
          if entry != .some(.some(row.fixed)) {
            try await node.order(
              "move", JSONObject([("address", .string(row.address)), ("fixed", .string(row.fixed))]))
          }
        } else {
          let address = JSONObject([("address", .string(row.address))])
          // Whoever mapped it to somebody else meanwhile keeps it.
          if case .some(let fixed) = entry, fixed == nil || fixed == row.fixed {
            if fixed != nil { try await node.order("disassociate", address) }
            try await node.order("release", address)
          }
          try await store.write { try $0.removeFloating(row.address) }
        }
        if row.trouble != nil { try await store.write { try $0.setTrouble(ofFloating: row.address, nil) } }
      } catch let error as FloatingNode.Refused {
        try await store.write { try $0.setTrouble(ofFloating: row.address, error.text) }
      }
    }
  }
}
