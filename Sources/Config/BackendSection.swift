import Model

extension Reader {
  /// The backends that could be read, with their places; names are unique.
  func backends(_ fields: Fields, _ entry: Node.Entry) -> [(backend: Backend, place: Place)] {
    guard let node = fields["backends"] else {
      if fields.lacks("backends") {
        error(entry.keyPlace, "pool `\(entry.key.shortened)`: expected `backends`: a list of addresses")
      }
      return []
    }
    guard case .list(let items) = node.content, !items.isEmpty else {
      let found = if case .list = node.content { "an empty one" } else { node.found }
      error(node.place, "`backends`: expected a list of at least one address, found \(found)")
      return []
    }
    var result: [(backend: Backend, place: Place)] = []
    var isBackup: [Bool] = []
    var seen: [String: Place] = [:]
    for item in items {
      guard let (backend, backup) = backend(item) else { continue }
      if let first = seen[backend.name] {
        error(
          item.place,
          "the backend `\(backend.name)` is given twice in this pool; a second one needs a `name` of its own",
          notes: [.init(place: first, message: "first given here")])
        continue
      }
      seen[backend.name] = item.place
      result.append((backend, item.place))
      isBackup.append(backup)
    }
    let highest = zip(result, isBackup).filter { !$0.1 }.map(\.0.backend.priority).max() ?? -1
    for index in result.indices where isBackup[index] { result[index].backend.priority = highest + 1 }
    if result.count == items.count, result.allSatisfy({ $0.backend.weight == 0 }) {
      warning(node.place, "`backends`: every weight is 0: none takes new traffic")
    }
    return result
  }

  private func backend(_ node: Node) -> (Backend, isBackup: Bool)? {
    guard case .map = node.content else {
      return scalar(node, .socketAddress, label: "backends").map { (Backend(name: $0.description, address: $0), false) }
    }
    guard let fields = Fields(node, .backend, self, label: "backend") else { return nil }
    if fields.lacks("address") { error(node.place, "backend: expected `address`") }
    let address = fields.value("address", .socketAddress)
    let name = fields.value("name", .backendName)
    var result = Backend(name: name ?? "", address: address ?? .unix("/"))
    fields.read("weight", .integer(0...65_535), into: &result.weight)
    fields.read("state", .word, into: &result.state)
    fields.read("priority", .integer(0...255), into: &result.priority)
    fields.read("max-connections", .integer(1...10_000_000), into: &result.maxConnections)
    fields.read("probe-port", .port, into: &result.probePort)
    fields.read("version", .name, into: &result.version)
    var isBackup = false
    fields.read("backup", .boolean, into: &isBackup)
    if isBackup, fields.has("priority") {
      error(
        fields.keyPlace("priority"), "`priority`: `backup` already means one more than the pool's highest",
        notes: [.init(place: fields.keyPlace("backup"), message: "`backup` is here")])
    }
    guard let address else { return nil }
    if case .unix = address, fields.has("probe-port") {
      error(fields.keyPlace("probe-port"), "`probe-port`: the address is a Unix socket, which has no port")
    }
    if name == nil { result.name = address.description }
    return (result, isBackup)
  }
}
