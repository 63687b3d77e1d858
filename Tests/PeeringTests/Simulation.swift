import Model
import Peering
import TLS
import Wire

extension Cryptography {
  /// The real one: what is tested is what runs.
  static let real = Cryptography(
    authenticate: { Digest.sha256.authenticate($0, key: $1) },
    keyPair: { KeyAgreement.pair() },
    agree: { KeyAgreement.agree(secret: $0, shared: $1) },
    seal: { SealedBox.seal($0, header: $1, nonce: $2, key: $3) },
    open: { SealedBox.open($0, header: $1, nonce: $2, key: $3) })
}

/// Nodes with virtual time and a network that a seed rules: delays, partitions, pieces of any size.
struct Simulation {
  final class Node {
    let name: String
    var neighborhood: Neighborhood
    var settings: Neighborhood.Settings
    var content = Neighborhood.Content()
    var observations: [PeerObservation] = []
    var registers = Registers()
    var clock = HybridClock()
    /// Milliseconds that the wall clock is off.
    var skew: Int64
    var tables: [UInt64: (entry: PersistenceEntry, changed: UInt64)] = [:]
    var pending: [PersistenceEntry] = []
    var letters: [String] = []

    init(_ name: String, _ settings: Neighborhood.Settings, skew: Int64, boot: UInt64) {
      self.name = name
      self.settings = settings
      self.skew = skew
      neighborhood = Neighborhood(.real, boot: boot, parts: 4, seed: boot) { 1_700_000_000_000 + skew }
    }

    func link(_ peer: String) -> Bool {
      var isUp = false
      for observation in observations {
        switch observation {
        case .up(peer, _): isUp = true
        case .down(peer, _): isUp = false
        default: break
        }
      }
      return isUp
    }

    func reports(of peer: String) -> [PeerReportKey: PeerReport] {
      observations.reversed().lazy.compactMap {
        if case .reports(peer, let reports) = $0 { reports } else { nil }
      }.first ?? [:]
    }
  }

  /// One end of a connection.
  struct End: Hashable {
    var node: String
    var id: Neighborhood.ConnectionID
  }

  enum Happening {
    case dial(from: End, to: String)
    case bytes(to: End, [UInt8])
    case closed(End, String)
  }

  var random: Random
  var now = Instant(nanoseconds: 1_000_000_000)
  var nodes: [String: Node] = [:]
  private var queue: [(at: Instant, number: UInt64, Happening)] = []
  private var number: UInt64 = 0
  private var others: [End: End] = [:]
  /// When the last bytes towards an end arrive: a connection keeps its order.
  private var arrivals: [End: Instant] = [:]
  /// Pairs that do not reach each other: bytes are kept for ever, as by a cut cable.
  var cut: Set<Set<String>> = []
  /// All that went over the network, for who listens in.
  var overheard: [(to: End, bytes: [UInt8])] = []
  private var boots: UInt64 = 0

  init(_ names: [String], seed: UInt64, key: (String) -> String = { _ in "a key that all nodes share" }) {
    random = Random(seed: seed)
    for name in names { add(name, among: names, key: key(name)) }
  }

  static func address(_ name: String) -> Endpoint { Endpoint(IPAddress(10, 0, 0, name.utf8.first ?? 0), 7946) }

  mutating func add(_ name: String, among names: [String], key: String, previous: String? = nil) {
    var peers = PeerSettings(key: key, nodes: names.map { .init(name: $0, address: Simulation.address($0)) })
    peers.previousKey = previous
    let settings = Neighborhood.Settings(name: name, site: "site-\(name)", version: "test", peers: peers)
    boots += 1
    nodes[name] = Node(
      name, settings, skew: Int64(random.below(20_000)) - 10_000, boot: boots << 32 | UInt64(random.below(1 << 30)))
    handle(name, .configure(settings))
  }

  mutating func handle(_ name: String, _ event: Neighborhood.Event) {
    guard let node = nodes[name] else { return }
    var effects: [Neighborhood.Effect] = []
    node.neighborhood.handle(event, at: now, into: &effects)
    for effect in effects { perform(effect, node) }
  }

  private mutating func perform(_ effect: Neighborhood.Effect, _ node: Node) {
    switch effect {
    case .connect(let id, let address):
      guard let other = nodes.keys.first(where: { Simulation.address($0) == address }) else {
        return later(.closed(End(node: node.name, id: id), "refused"))
      }
      later(.dial(from: End(node: node.name, id: id), to: other))
    case .send(let id, let bytes):
      guard let other = others[End(node: node.name, id: id)], !isCut(node.name, other.node) else { return }
      overheard.append((other, bytes))
      // In pieces of any size, in order.
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = rest.prefix(1 + Int(random.below(UInt32(min(4_000, rest.count)))))
        rest = rest.dropFirst(piece.count)
        later(.bytes(to: other, Array(piece)), ordered: other)
      }
    case .close(let id):
      let end = End(node: node.name, id: id)
      guard let other = others.removeValue(forKey: end) else { return }
      if !isCut(node.name, other.node) { later(.closed(other, "the other side closed"), ordered: other) }
    case .observe(let observation):
      node.observations.append(observation)
      switch observation {
      case .registers(_, let registers):
        let news = registers.filter {
          node.clock.observe($0.stamp)
          return node.registers.merge($0)
        }
        if !news.isEmpty { say(node.name) }
      case .letter(let peer, let topic, let body):
        node.letters.append("\(peer) \(topic) \(String(decoding: body, as: UTF8.self))")
      default: break
      }
    case .learn(let entries):
      for entry in entries where node.tables[entry.hash].map({ $0.entry.remaining < entry.remaining }) ?? true {
        node.tables[entry.hash] = (entry, milliseconds)
      }
    case .scan(let peer, let part, let since):
      let found = node.tables.filter { $0.key % 4 == UInt64(part) && $0.value.changed >= since }.map(\.value.entry)
      handle(node.name, .scanned(peer: peer, part: part, found.sorted { $0.hash < $1.hash }, asOf: milliseconds))
    }
  }

  var milliseconds: UInt64 { UInt64(now.nanoseconds / 1_000_000) }

  private func isCut(_ one: String, _ other: String) -> Bool { cut.contains([one, other]) }

  private mutating func later(_ happening: Happening, ordered end: End? = nil) {
    var at = now + .microseconds(Int64(100 + random.below(5_000)))
    if let end {
      at = max(at, arrivals[end] ?? at)
      arrivals[end] = at
    }
    number += 1
    queue.append((at, number, happening))
  }

  /// Bytes that nobody of the nodes sent.
  mutating func inject(_ bytes: [UInt8], to end: End) { later(.bytes(to: end, bytes), ordered: end) }

  /// A stranger's connection to a node.
  mutating func call(_ name: String) -> End {
    let id = nodes[name]!.neighborhood.number()
    handle(name, .accepted(id))
    return End(node: name, id: id)
  }

  mutating func say(_ name: String) {
    guard let node = nodes[name] else { return }
    node.content.registers = node.registers
    handle(name, .content(node.content))
  }

  mutating func set(_ value: String, _ key: RegisterKey, on name: String) {
    guard let node = nodes[name] else { return }
    let wall = now.nanoseconds / 1_000_000 + node.skew
    node.registers.merge(Register(key: key, value: value, stamp: node.clock.stamp(node: name, wall: wall)))
    say(name)
  }

  mutating func store(_ entry: PersistenceEntry, on name: String) {
    nodes[name]?.tables[entry.hash] = (entry, milliseconds)
    nodes[name]?.pending.append(entry)
  }

  mutating func passOnChanges() {
    for name in nodes.keys.sorted() {
      guard let node = nodes[name], !node.pending.isEmpty else { continue }
      let entries = node.pending
      node.pending = []
      handle(name, .changed(entries, upTo: milliseconds))
    }
  }

  /// The process is gone; its connections close, or nobody hears of it.
  mutating func kill(_ name: String) {
    nodes[name] = nil
    for (end, other) in others where end.node == name {
      others[end] = nil
      later(.closed(other, "the other side closed"), ordered: other)
    }
  }

  mutating func run(_ duration: Duration) {
    let end = now + duration
    while true {
      let happens = queue.indices.min { (queue[$0].at, queue[$0].number) < (queue[$1].at, queue[$1].number) }
      let due = nodes.compactMap { name, node in node.neighborhood.deadline.map { ($0, name) } }.min { $0 < $1 }
      if let happens, queue[happens].at <= end, queue[happens].at <= due?.0 ?? end {
        let item = queue.remove(at: happens)
        now = max(now, item.at)
        happen(item.2)
      } else if let due, due.0 <= end {
        now = max(now, due.0)
        handle(due.1, .tick)
        // The clock moves on between two turns of a loop.
        now = now + .microseconds(1)
      } else {
        now = end
        return
      }
    }
  }

  private mutating func happen(_ happening: Happening) {
    switch happening {
    case .dial(let from, let to):
      guard nodes[from.node] != nil else { return }
      guard nodes[to] != nil else { return handle(from.node, .closed(from.id, reason: "refused")) }
      if isCut(from.node, to) { return }
      let id = nodes[to]!.neighborhood.number()
      let end = End(node: to, id: id)
      (others[from], others[end]) = (end, from)
      handle(to, .accepted(id))
      handle(from.node, .connected(from.id))
    case .bytes(let end, let bytes): handle(end.node, .received(end.id, bytes))
    case .closed(let end, let reason):
      others[end] = nil
      handle(end.node, .closed(end.id, reason: reason))
    }
  }
}

func < (left: (Instant, String), right: (Instant, String)) -> Bool {
  left.0 != right.0 ? left.0 < right.0 : left.1 < right.1
}

extension PeerReport {
  static func pool(_ name: String, up: UInt32) -> PeerReport {
    .pool(name, PoolFacts(up: up, total: 9, inFlight: 0, capacity: 0))
  }
}

extension PeerReportKey {
  static func pool(_ name: String) -> PeerReportKey { PeerReport.pool(name, up: 0).key }
}
