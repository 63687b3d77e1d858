package import Model

/// All links of a node to its peers, as one state machine: what happened and the time in, effects out.
///
/// Of two nodes the one whose name sorts first calls, so a pair has one connection. Who calls tries again with
/// back-off; who is called takes any caller in, until it has said its name.
package struct Neighborhood: Sendable {
  /// A connection, by a number that is never used again.
  package struct ConnectionID: Hashable, Sendable {
    package let number: UInt64

    package init(number: UInt64) { self.number = number }
  }

  package struct Settings: Hashable, Sendable {
    package var name: String
    package var site: String
    package var version: String
    package var peers: PeerSettings

    package init(name: String, site: String, version: String, peers: PeerSettings) {
      self.name = name
      self.site = site
      self.version = version
      self.peers = peers
    }
  }

  /// All that this node says: a set, which the links reconcile to.
  package struct Content: Hashable, Sendable {
    package var reports: [PeerReport] = []
    package var registers = Registers()

    package init() {}
  }

  package enum Event: Sendable {
    /// From now on these peers; nil: none.
    case configure(Settings?)
    case content(Content)
    /// Somebody called. The number is from `number()`.
    case accepted(ConnectionID)
    /// A `connect` has succeeded.
    case connected(ConnectionID)
    case received(ConnectionID, [UInt8])
    case closed(ConnectionID, reason: String)
    /// Entries that this node's workers made or used; all that changed before `upTo` (its own milliseconds) was said.
    case changed([PersistenceEntry], upTo: UInt64)
    /// So much changed that it was not kept: links have to look through the tables again.
    case changesLost
    /// The answer to `scan`.
    case scanned(peer: String, part: Int, [PersistenceEntry], asOf: UInt64)
    case post(Letter)
    case tick
  }

  package struct Letter: Hashable, Sendable {
    package var peer: String
    package var id: UInt64
    package var topic: String
    package var body: [UInt8]

    package init(peer: String, id: UInt64, topic: String, body: [UInt8]) {
      self.peer = peer
      self.id = id
      self.topic = topic
      self.body = body
    }
  }

  package enum Effect: Hashable, Sendable {
    case connect(ConnectionID, Endpoint)
    case send(ConnectionID, [UInt8])
    /// After what was sent before has left.
    case close(ConnectionID)
    case observe(PeerObservation)
    /// Take into the tables.
    case learn([PersistenceEntry])
    /// Give the entries of one part of the tables (`0..<parts`) that changed since; answered by `scanned`.
    case scan(peer: String, part: Int, since: UInt64)
  }

  /// Callers that have not said their name.
  static let strangerLimit = 32
  static let patience = Duration.seconds(5)

  let cryptography: Cryptography
  let boot: UInt64
  /// Parts of the tables, as `scan` counts them.
  let parts: Int
  let wall: @Sendable () -> Int64
  private var settings: Settings?
  private var content = Content()
  /// Grows with every content, so that a link knows whether it has said all.
  private var contentNumber: UInt64 = 0
  private var links: [String: Link] = [:]
  private var owners: [ConnectionID: String] = [:]
  private var strangers: [ConnectionID: Stranger] = [:]
  private var last: UInt64 = 0
  private var seed: UInt64

  private struct Stranger {
    var channel: Channel
    var deadline: Instant
  }

  /// - Parameters:
  ///   - boot: drawn anew at each start.
  ///   - seed: for the spread of calls.
  ///   - wall: milliseconds since 1970, for the eyes of people.
  package init(
    _ cryptography: Cryptography, boot: UInt64, parts: Int, seed: UInt64, wall: @escaping @Sendable () -> Int64
  ) {
    self.cryptography = cryptography
    self.boot = boot
    self.parts = parts
    self.seed = seed
    self.wall = wall
  }

  package mutating func number() -> ConnectionID {
    last += 1
    return ConnectionID(number: last)
  }

  /// When a `tick` is due.
  package var deadline: Instant? {
    (links.values.compactMap(\.deadline) + strangers.values.map(\.deadline)).min()
  }

  package mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
    switch event {
    case .configure(let settings): configure(settings, at: now, into: &effects)
    case .content(let content):
      self.content = content
      contentNumber += 1
      for name in links.keys.sorted() { with(name, at: now, into: &effects) { _, _ in } }
    case .accepted(let id): greet(id, at: now, into: &effects)
    case .connected(let id):
      guard let name = owners[id] else { return effects.append(.close(id)) }
      with(name, at: now, into: &effects) { $0.connected(id, at: now, into: &$1) }
    case .received(let id, let bytes): receive(bytes, id, at: now, into: &effects)
    case .closed(let id, let reason):
      strangers[id] = nil
      guard let name = owners.removeValue(forKey: id) else { return }
      with(name, at: now, into: &effects) { $0.closed(id, reason, at: now, into: &$1) }
    case .changed(let entries, let upTo):
      let batches = Message.batches(entries: entries, upTo: upTo)
      for name in links.keys.sorted() {
        with(name, at: now, into: &effects) { $0.changed(batches, at: now, into: &$1) }
      }
    case .changesLost:
      for name in links.keys.sorted() { with(name, at: now, into: &effects) { $0.changesLost(into: &$1) } }
    case .scanned(let peer, let part, let entries, let asOf):
      with(peer, at: now, into: &effects) { $0.scanned(part, entries, asOf: asOf, into: &$1) }
    case .post(let letter):
      guard links[letter.peer] != nil else {
        return effects.append(.observe(.receipt(peer: letter.peer, id: letter.id, isDelivered: false)))
      }
      with(letter.peer, at: now, into: &effects) { $0.post(letter, at: now, into: &$1) }
    case .tick: tick(at: now, into: &effects)
    }
  }

  // MARK: Peers come and go

  private mutating func configure(_ next: Settings?, at now: Instant, into effects: inout [Effect]) {
    guard next != settings else { return }
    // Another name, key or pace: every link begins anew, and the peers learn of it.
    var old = settings?.peers
    old?.nodes = next?.peers.nodes ?? []
    old?.bind = next?.peers.bind
    let isSame =
      settings?.name == next?.name && settings?.site == next?.site && settings?.version == next?.version
      && old == next?.peers
    settings = next
    let wanted = Dictionary(
      (next?.peers.nodes ?? []).filter { $0.name != next?.name }.map { ($0.name, $0.address) }, uniquingKeysWith: { $1 }
    )
    for (name, var link) in links.sorted(by: { $0.key < $1.key })
    where !isSame || wanted[name] != link.address {
      link.end(.stopped, at: now, into: &effects)
      links[name] = nil
      if wanted[name] == nil { effects.append(.observe(.gone(peer: name))) }
    }
    owners = owners.filter { links[$0.value] != nil }
    if !isSame {
      for id in strangers.keys { effects.append(.close(id)) }
      strangers = [:]
    }
    guard let next else { return }
    for (name, address) in wanted.sorted(by: { $0.key < $1.key }) where links[name] == nil {
      seed &+= 0x9e37_79b9_7f4a_7c15
      links[name] = Link(
        name, address, settings: next, boot: boot, parts: parts, seed: seed, cryptography, wall, at: now)
      effects.append(.observe(.down(peer: name, reason: "not yet heard")))
    }
    tick(at: now, into: &effects)
  }

  private mutating func tick(at now: Instant, into effects: inout [Effect]) {
    for name in links.keys.sorted() {
      with(name, at: now, into: &effects) { $0.tick(at: now, into: &$1) }
      guard let address = links[name]?.callDue(at: now) else { continue }
      let id = number()
      owners[id] = name
      links[name]?.calls(id, at: now)
      effects.append(.connect(id, address))
    }
    for (id, stranger) in strangers where stranger.deadline <= now {
      strangers[id] = nil
      effects.append(.close(id))
    }
  }

  // MARK: Strangers

  private mutating func greet(_ id: ConnectionID, at now: Instant, into effects: inout [Effect]) {
    guard let settings, strangers.count < Neighborhood.strangerLimit else { return effects.append(.close(id)) }
    strangers[id] = Stranger(
      channel: Channel(.callee, keys: settings.keys, cryptography), deadline: now + Neighborhood.patience)
  }

  private mutating func receive(_ bytes: [UInt8], _ id: ConnectionID, at now: Instant, into effects: inout [Effect]) {
    if let name = owners[id] {
      return with(name, at: now, into: &effects) { $0.received(bytes, id, at: now, into: &$1) }
    }
    guard var stranger = strangers[id], let settings else { return effects.append(.close(id)) }
    var (messages, out): ([Message], [UInt8]) = ([], [])
    do throws(PeeringError) {
      try stranger.channel.receive(bytes.span, into: &messages, out: &out)
      if !out.isEmpty { effects.append(.send(id, out)) }
      guard let first = messages.first else {
        strangers[id] = stranger
        return
      }
      guard case .welcome(let welcome) = first else { throw .unexpected }
      guard welcome.name != settings.name else { throw .ownName }
      guard links[welcome.name] != nil else { throw .unknownPeer(welcome.name) }
      guard welcome.name.callsFirst(settings.name) else { throw .unexpected }
      strangers[id] = nil
      // Of an older connection that died unseen, nothing more is heard.
      owners = owners.filter { $0.value != welcome.name }
      owners[id] = welcome.name
      let rest = Array(messages.dropFirst())
      with(welcome.name, at: now, into: &effects) {
        $0.adopt(stranger.channel, id, welcome, at: now, into: &$1)
        $0.take(rest, id, at: now, into: &$1)
      }
    } catch {
      strangers[id] = nil
      effects.append(.close(id))
      effects.append(.observe(.turnedAway(reason: error)))
    }
  }

  /// Lets a link act, and then say what it has to say.
  private mutating func with(
    _ name: String, at now: Instant, into effects: inout [Effect], _ act: (inout Link, inout [Effect]) -> Void
  ) {
    guard var link = links[name] else { return }
    // Out of the table, so that what it holds is changed in place.
    links[name] = nil
    act(&link, &effects)
    link.flush(content, contentNumber, into: &effects)
    links[name] = link
  }
}

extension Neighborhood.Settings {
  var keys: [[UInt8]] { ([peers.key] + (peers.previousKey.map { [$0] } ?? [])).map { Array($0.utf8) } }
}

extension String {
  /// By bytes: both nodes must come to the same result.
  func callsFirst(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}
