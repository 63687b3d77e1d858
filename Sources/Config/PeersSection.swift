import Model

extension Reader {
  func identity(_ fields: Fields) -> NodeIdentity {
    var result = NodeIdentity()
    fields.read("name", .name, into: &result.name)
    fields.read("site", .name, into: &result.site)
    return result
  }

  func peers(_ fields: Fields, _ node: NodeIdentity) -> PeerSettings? {
    let key = secret(fields, "key")
    if fields.lacks("key") { error(fields.place, "`peers`: expected `key`: a secret that all nodes have") }
    var result = PeerSettings(key: key ?? "", nodes: [])
    result.previousKey = secret(fields, "previous-key")
    fields.read("bind", .peerAddress, into: &result.bind)
    fields.read("heartbeat", .duration(atLeast: .milliseconds(10)), into: &result.heartbeat)
    if fields.has("heartbeat") { result.timeout = result.heartbeat * 4 }
    fields.read("timeout", .duration(atLeast: .milliseconds(20)), into: &result.timeout)
    if result.timeout < result.heartbeat * 2 {
      fields.error(
        at: fields.has("timeout") ? "timeout" : "heartbeat",
        "`timeout`: expected at least two heartbeats (\(Units.text(result.heartbeat * 2)))")
    }
    var seen: [Endpoint: Place] = [:]
    for entry in fields.names("nodes") {
      let label = Node(
        place: entry.keyPlace, content: .scalar(Scalar(text: entry.key, isQuoted: true)))
      guard let name = scalar(label, .name, label: "nodes"),
        let address = scalar(entry.value, .peerAddress, label: entry.key.shortened)
      else { continue }
      if let first = seen.updateValue(entry.keyPlace, forKey: address) {
        error(
          entry.keyPlace, "`nodes`: \(address) is given twice",
          notes: [.init(place: first, message: "first given here")])
      }
      result.nodes.append(.init(name: name, address: address))
    }
    if fields.lacks("nodes") { error(fields.place, "`peers`: expected `nodes`: the address of each node by its name") }
    guard let name = node.name else {
      error(fields.place, "`peers`: this node needs a name that the others know: set `node.name`")
      return nil
    }
    if result.bind == nil, !fields.isEmpty("nodes"), !result.nodes.contains(where: { $0.name == name }) {
      error(
        fields.place,
        "`peers`: no address to listen on: give `bind`, or this node's own (`\(name)`) among `nodes`")
    }
    return key == nil ? nil : result
  }

  /// Clients and backends are named by keyed hashes, which must be the same on every node.
  func checkSharedSecret(_ topology: Topology, _ pools: [ReadPool], _ root: Fields) {
    guard topology.peers != nil, topology.secret == nil, !root.has("secret"),
      let pool = pools.first(where: { $0.pool.persistence != nil })
    else { return }
    warning(
      pool.fields.keyPlace("persistence"),
      "`persistence`: nodes that are peers need the same `secret`, or clients lose their backend when they change the node"
    )
  }
}

extension Kind<Endpoint> {
  static var peerAddress: Kind {
    Kind("an address and a port such as 192.0.2.1:7946 or \"[2001:db8::1]:7946\"") { scalar in
      guard let endpoint = Endpoint(scalar.text) else { return .wrong() }
      return endpoint.port == 0 ? .wrong(hint: "the port must be 1 to 65535") : .value(endpoint)
    }
  }
}
