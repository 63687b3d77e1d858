package import Model
internal import Peering

/// An operator's word on where a VIP is moved, which all nodes hear: whom it leaves, and who shall have it.
struct VIPMove: Hashable {
  var from: String
  /// nil: whoever comes next.
  var to: String?

  init(from: String, to: String?) {
    self.from = from
    self.to = to
  }

  /// nil: as configured.
  init?(_ word: String) {
    let parts = word.split(separator: " ")
    guard parts.count == 2 || parts.count == 3, parts[0] == "move" else { return nil }
    self.init(from: String(parts[1]), to: parts.count == 3 ? String(parts[2]) : nil)
  }

  var word: String { (["move", from] + (to.map { [$0] } ?? [])).joined(separator: " ") }
  static let takenBack = "restore"
}

extension Node {
  /// How this node's virtual addresses stand, for the others.
  func vipReports() -> [PeerReport] {
    guard !truth.topology.vips.isEmpty else { return [] }
    return ports.vips.overview().vips.map { standing in
      let state: PeerReport.VIPFacts.State =
        switch standing.state {
        case .fault: .fault
        case .backup: .backup
        case .active: .owner
        }
      return .vip(
        standing.name,
        PeerReport.VIPFacts(
          state: state, priority: UInt8(clamping: standing.priority), since: wallSeconds(of: standing.since)))
    }
  }

  /// The peer that has the VIP, by its own word.
  package func ownerAmongPeers(of vip: String) -> PeerSettings.Node? {
    let owner = truth.peers.peers.first { $0.value.link == .up && $0.value.vip(vip)?.state == .owner }
    return owner.flatMap { owner in truth.topology.peers?.nodes.first { $0.name == owner.key } }
  }

  /// The peer that a move names, by name or by its address among `peers`.
  /// - Returns: nil where that is no peer: it may be the address of somebody's adverts, and is not steered.
  /// - Throws: for a peer that could not take the VIP now.
  func target(_ text: String, of vip: String) throws(Refusal) -> String? {
    guard let settings = truth.topology.peers else { return nil }
    let address = IPAddress(text)
    guard let node = settings.nodes.first(where: { $0.name == text || $0.address.address == address }) else {
      guard address == nil else { return nil }
      throw .vipTarget("\(text) is none of `peers`")
    }
    guard node.name != truth.topology.node.name else { throw .vipTarget("\(text) is this node") }
    guard let peer = truth.peers.peers[node.name], peer.link == .up else {
      throw .vipTarget("\(node.name) is not connected\(truth.peers.peers[node.name].map { ": \($0.reason)" } ?? "")")
    }
    guard let facts = peer.vip(vip) else { throw .vipTarget("\(node.name) has no vip \(vip)") }
    guard facts.state == .backup else { throw .vipTarget("\(vip) is in fault on \(node.name)") }
    return node.name
  }

  /// Says a move, or its end, to all nodes.
  func share(_ move: VIPMove?, of vip: String) {
    guard let name = truth.topology.node.name, truth.topology.peers != nil else { return }
    let key = RegisterKey(vip: vip)
    if move == nil, truth.peers.registers[key].flatMap({ VIPMove($0.value) }) == nil { return }
    truth.share(move?.word ?? VIPMove.takenBack, key, node: name, wall: ports.wallClock())
    tellPeers()
  }

  /// Whether the peer has made itself the first choice: from then on it is the one that follows a resignation.
  func hasClaimed(_ peer: String, _ vip: String) -> Bool { (truth.peers.peers[peer]?.vip(vip)?.priority ?? 0) >= 254 }

  /// A move that another node was told of.
  func take(vipMove register: Register) {
    let vip = register.key.pool
    let members = truth.topology.vipsMoving(with: vip)
    guard !members.isEmpty, let name = truth.topology.node.name else { return }
    let move = VIPMove(register.value)
    // Taken back, or about others: as the file says.
    let wish: VIPHandover? = move?.to == name ? .claim : move?.from == name ? .resign : nil
    guard members.contains(where: { truth.handovers[$0] != wish }) else { return }
    for member in members { truth.handovers[member] = wish }
    let words = "ordered: \(wish?.rawValue ?? "as configured"), said on \(register.stamp.node)"
    causes.note(vip: vip, isWell: wish == .claim, record(.vip, subject: vip, words), at: ports.now())
    if let world { orderVIPs(world) }
  }

  /// What was said of VIPs that have just come.
  func adoptVIPMoves(except known: Set<String> = []) {
    for vip in truth.topology.vips where !known.contains(vip.name) {
      if let register = truth.peers.registers[RegisterKey(vip: vip.name)] { take(vipMove: register) }
    }
  }
}
