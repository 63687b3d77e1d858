internal import Model
internal import Peering

/// Floating addresses of pools with a `vip`, which all nodes that may have it share: of each the last word counts,
/// wherever it was said. The node that has the VIP carries them out; the others know them.
///
/// INVARIANT: the table is what the words say, and this node's own rows beside it. An order says what differs.
extension Node {
  /// What all nodes have said, that this one has heard.
  var floatingWords: [FloatingWord] {
    truth.peers.registers.entries.values.compactMap(\.floatingWord).sorted { $0.address < $1.address }
  }

  var sharesFloating: Bool { truth.topology.peers != nil && truth.topology.node.name != nil }

  var floatingRecord: FloatingRecord {
    FloatingRecord(rows: floating.table.sorted, words: floatingWords)
  }

  /// Takes over what other nodes have said.
  func hearFloating(_ settings: FloatingSettings) {
    guard sharesFloating, let name = truth.topology.node.name else { return }
    // What only this node knows, from before the nodes shared it, or from a kernel whose store was lost: whoever has
    // said anything of it has said it later.
    let known = Set(floatingWords.map(\.address))
    let unsaid = floating.table.sorted.filter { settings.isShared($0.address) && !known.contains($0.address) }
    say(unsaid.map { FloatingWord($0.address, .init($0), time: 1, node: name) })
    let words = floatingWords
    var conflicts: [FloatingConflict] = []
    let next = FloatingTable(
      words: words, rows: floating.table.sorted.filter { !settings.isShared($0.address) }, settings,
      conflicts: &conflicts)
    for conflict in conflicts where !floating.conflicts.contains(conflict) {
      record(.floating, subject: "\(conflict.address)", conflict.description)
    }
    floating.conflicts = Set(conflicts)
    if words != floating.savedWords { floating.isSaved = false }
    guard next != floating.table else { return }
    let sources = Dictionary(words.map { ($0.address, $0.node) }) { first, _ in first }
    for address in Set(next.entries.keys).union(floating.table.entries.keys).sorted() {
      let entry = next.entries[address]
      guard entry != floating.table.entries[address] else { continue }
      let source = sources[address].map { $0 == name ? "" : ", said on \($0)" } ?? ""
      record(.floating, subject: "\(address)", "\(entry.map(words(of:)) ?? "released")\(source)")
    }
    floating.table = next
    floating.isSaved = false
  }

  /// What is to be said so that all nodes come to this table.
  func words(for next: FloatingTable, _ settings: FloatingSettings) throws(FloatingError) -> [FloatingWord] {
    guard sharesFloating, let name = truth.topology.node.name else { return [] }
    let known = Dictionary(floatingWords.map { ($0.address, $0) }) { first, _ in first }
    var changes: [IPAddress: FloatingWord.Standing] = [:]
    for (address, word) in known where settings.isShared(address) {
      let entry = next.entries[address]
      // Not what its pool is called: each node has names of its own.
      let isSaid = (entry == nil) == (word.entry == nil) && entry?.fixed == word.entry?.fixed
      if !isSaid { changes[address] = .init(entry) }
    }
    var room = Registers.limit - truth.peers.registers.entries.count
    for entry in next.sorted where settings.isShared(entry.address) && known[entry.address] == nil {
      guard room > 0 else { throw .tooMany }
      room -= 1
      changes[entry.address] = .init(entry)
    }
    let time = truth.nextStamp(node: name, wall: ports.wallClock()).time
    return changes.map { FloatingWord($0.key, $0.value, time: time, node: name) }
  }

  func say(_ words: [FloatingWord]) {
    guard !words.isEmpty else { return }
    _ = truth.merge(words.map(\.register))
    tellPeers()
  }

  /// Whether health moves the address here: of a shared one the node that has it decides, so that two that see
  /// different things do not move it to and fro.
  func decidesFloating(_ failover: FloatingSettings.Failover, _ settings: FloatingSettings) -> Bool {
    guard sharesFloating, let vip = settings.home(of: failover.address)?.vip else {
      return true
    }
    return floating.activeVIPs.contains(vip)
  }

  func words(of entry: FloatingIP) -> String { entry.fixed.map { "mapped to \($0)" } ?? "mapped to nobody" }
}

extension FloatingWord {
  fileprivate var register: Register {
    Register(key: RegisterKey(floating: address), value: standing.text, stamp: Stamp(time: time, node: node))
  }
}

extension Register {
  var isFloating: Bool { key.kind == RegisterKey.Kind.floating.rawValue }

  fileprivate var floatingWord: FloatingWord? {
    guard isFloating, let address = IPAddress(key.pool) else { return nil }
    return FloatingWord(address, text: value, time: stamp.time, node: stamp.node)
  }
}

extension [FloatingWord] {
  /// With these in the place of earlier ones of the same addresses.
  func replacing(with words: [FloatingWord]) -> [FloatingWord] {
    var all = Dictionary(map { ($0.address, $0) }) { first, _ in first }
    for word in words { all[word.address] = word }
    return all.values.sorted { $0.address < $1.address }
  }
}
