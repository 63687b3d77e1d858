/// Who this node is among the others.
package struct NodeIdentity: Hashable, Sendable {
  /// Unique among the peers; nil: the node has no peers and needs no name.
  package var name: String?
  /// The location that it stands at.
  package var site: String?

  package init() {}
}

/// The other nodes, and how to speak with them.
package struct PeerSettings: Hashable, Sendable {
  package struct Node: Hashable, Sendable {
    package var name: String
    package var address: Endpoint

    package init(name: String, address: Endpoint) {
      self.name = name
      self.address = address
    }
  }

  /// Shared by all nodes; who has it is one of them.
  package var key: String
  /// Accepted too, so that a key can be replaced node by node.
  package var previousKey: String?
  /// Where calls are taken; nil: this node's own address in `nodes`.
  package var bind: Endpoint?
  package var heartbeat = Duration.milliseconds(500)
  /// A link that is silent for so long is down.
  package var timeout = Duration.seconds(2)
  /// In the file's order; may name this node too, so that all nodes can have one file.
  package var nodes: [Node]

  package init(key: String, nodes: [Node]) {
    self.key = key
    self.nodes = nodes
  }
}
