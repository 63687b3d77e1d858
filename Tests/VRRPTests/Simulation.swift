import Model
import VRRP
import Wire

/// Nodes with drifting clocks on links that lose, delay and repeat: a virtual router, or a sync group over several links.
///
/// All randomness comes from the seed, all time from the queue.
struct Simulation {
  struct Settings {
    var priorities: [UInt8] = [200, 150, 100]
    var links = 1
    var centiseconds = 10
    var preempts = true
    var preemptDelay = Duration.zero
    /// Percent.
    var loss: UInt32 = 0
    var repeats: UInt32 = 5
    /// The longest delivery.
    var delay: Int64 = 8_000_000
    /// No advert overtakes another of its sender.
    var keepsOrder = false
    /// Adverts travel as bytes through the gate, sealed.
    var travelsAsBytes = false
  }

  struct Node {
    var group: SyncGroup
    var isUp = true
    /// Local nanoseconds per million of true ones, less a million.
    var drift: Int64
    var offset: Int64
    var gates: [AdvertGate]
    var sealer: AdvertSealer
    /// The addresses on each link, as ordered.
    var held: [[IPAddress]]
    var configurations: [RouterConfiguration]

    func local(_ time: Int64) -> Instant { Instant(nanoseconds: offset + time + time / 1_000_000 * drift) }
    /// The first true time at which the local clock has come to `instant`.
    func due(_ instant: Instant, after time: Int64) -> Int64 {
      var guess = time + max(0, (instant - local(time)).nanoseconds * 1_000_000 / (1_000_000 + drift))
      while local(guess) < instant { guess += 1_000 }
      return guess
    }
  }

  struct Delivery {
    var time: Int64
    var from: Int
    var to: Int
    var link: Int
    var advert: Advertisement
    var bytes: [UInt8]
  }

  var settings: Settings
  var random: Random
  var nodes: [Node] = []
  var deliveries: [Delivery] = []
  /// True time in nanoseconds.
  var time: Int64 = 0
  /// By link: the part of the cut link that a node is on.
  var sides: [[Int]]
  /// By link and pair: since when both are Active with every message between them delivered.
  private var overlaps: [Int64?]
  private(set) var longestOverlap: Int64 = 0
  private(set) var violations: [String] = []
  private(set) var steps = 0

  static let code = toyCode([7: 77])

  init(_ settings: Settings, seed: UInt64) {
    self.settings = settings
    random = Random(seed: seed)
    let count = settings.priorities.count
    sides = Array(repeating: Array(repeating: 0, count: count), count: settings.links)
    overlaps = Array(repeating: nil, count: settings.links * count * count)
    for index in 0..<count { nodes.append(boot(index)) }
  }

  /// A fresh node with a clock of its own: up to 1% off.
  private mutating func boot(_ index: Int) -> Node {
    let configurations = (0..<settings.links).map { link in
      var configuration = RouterConfiguration(
        name: "link\(link)", virtualRouter: UInt8(link + 1), priority: settings.priorities[index],
        interval: every(settings.centiseconds), addresses: [IPAddress(10, UInt8(link), 0, 100)])
      configuration.preempts = settings.preempts
      configuration.preemptDelay = settings.preemptDelay
      configuration.isSealed = settings.travelsAsBytes
      return configuration
    }
    var tracks = Tracks()
    tracks.add("pool", .weight(-120))
    return Node(
      group: SyncGroup(
        name: "all",
        configurations.enumerated().map { ($1, tracks, primaryAddress: address(index, link: $0)) }),
      drift: Int64(random.below(20_001)) - 10_000, offset: Int64(random.below(1_000_000_000)),
      gates: configurations.map { AdvertGate($0, code: Simulation.code) },
      sealer: AdvertSealer(key: 7, startedAt: time / 1_000 + 1),
      held: Array(repeating: [], count: settings.links), configurations: configurations)
  }

  /// Higher nodes have the lower addresses on even links and the higher ones on odd links.
  func address(_ node: Int, link: Int) -> IPAddress {
    IPAddress(10, UInt8(link), 0, UInt8(link % 2 == 0 ? 1 + node : 50 - node))
  }

  func isActive(_ node: Int, link: Int = 0) -> Bool {
    nodes[node].isUp && nodes[node].group.members[link].state == .active
  }

  /// Nodes that are Active on every link.
  var active: [Int] { nodes.indices.filter { nodes[$0].isUp && nodes[$0].group.isActive } }

  mutating func tell(_ event: VirtualRouter.Event, _ node: Int) {
    guard nodes[node].isUp else { return }
    var effects: [SyncGroup.MemberEffect] = []
    nodes[node].group.handle(event, at: nodes[node].local(time), into: &effects)
    carryOut(effects, of: node)
  }

  mutating func crash(_ node: Int) {
    nodes[node].isUp = false
    look()
  }

  mutating func restart(_ node: Int) {
    guard !nodes[node].isUp else { return }
    nodes[node] = boot(node)
    tell(.start, node)
  }

  /// Something that both sides decide by changed: overlaps count from now.
  mutating func forgive(_ node: Int) {
    for link in 0..<settings.links { for other in nodes.indices { interrupt(link, node, other) } }
  }

  mutating func run(for length: Int64) {
    let end = time + length
    while let next = next(before: end) {
      time = next
      steps += 1
      if let index = deliveries.indices.first(where: { deliveries[$0].time <= time }) {
        deliver(deliveries.remove(at: index))
      }
      for node in nodes.indices where nodes[node].isUp {
        if let deadline = nodes[node].group.deadline, deadline <= nodes[node].local(time) { tell(.tick, node) }
      }
      look()
    }
    time = end
    look()
  }

  private func next(before end: Int64) -> Int64? {
    var first: Int64 = .max
    for delivery in deliveries { first = min(first, delivery.time) }
    for node in nodes where node.isUp {
      if let deadline = node.group.deadline { first = min(first, node.due(deadline, after: time)) }
    }
    return first <= end ? max(first, time) : nil
  }

  private mutating func deliver(_ delivery: Delivery) {
    guard nodes[delivery.to].isUp else { return }
    var effects: [SyncGroup.MemberEffect] = []
    let source = address(delivery.from, link: delivery.link)
    var admitted = AdmittedAdvert(delivery.advert, from: source)
    if settings.travelsAsBytes {
      let header = PacketHeader(source: source, destination: PacketHeader.groupV4)
      let local = address(delivery.to, link: delivery.link)
      // A repeated packet is a replay.
      guard let passed = try? nodes[delivery.to].gates[delivery.link].admit(delivery.bytes, in: header, local: local)
      else { return }
      admitted = passed
    }
    nodes[delivery.to].group.handle(
      .advert(admitted), member: delivery.link, at: nodes[delivery.to].local(time), into: &effects)
    carryOut(effects, of: delivery.to)
  }

  private mutating func carryOut(_ effects: [SyncGroup.MemberEffect], of node: Int) {
    for effect in effects {
      switch effect.effect {
      case .send(let advert): send(advert, from: node, link: effect.member)
      case .hold(let order): nodes[node].held[effect.member] = order.addresses
      default: break
      }
    }
    let states = nodes[node].group.members.map { $0.state == .active }
    if Set(states).count > 1 { violations.append("node \(node) is Active on some links only") }
    for link in states.indices where nodes[node].held[link].isEmpty == states[link] {
      violations.append("node \(node) holds addresses other than its state says")
    }
  }

  private mutating func send(_ advert: Advertisement, from node: Int, link: Int) {
    var bytes: [UInt8] = []
    if settings.travelsAsBytes {
      let header = PacketHeader(source: address(node, link: link), destination: PacketHeader.groupV4)
      bytes = advert.encode(in: header, sealedBy: &nodes[node].sealer, with: Simulation.code) ?? []
    }
    for other in nodes.indices where other != node {
      if sides[link][node] != sides[link][other] || random.below(100) < settings.loss {
        interrupt(link, node, other)
        continue
      }
      for _ in 0..<(random.below(100) < settings.repeats ? 2 : 1) {
        var arrival = time + 100_000 + Int64(random.below(UInt32(settings.delay - 100_000)))
        if settings.keepsOrder {
          for earlier in deliveries where (earlier.from, earlier.to, earlier.link) == (node, other, link) {
            arrival = max(arrival, earlier.time)
          }
        }
        deliveries.append(
          Delivery(time: arrival, from: node, to: other, link: link, advert: advert, bytes: bytes))
      }
    }
  }

  private func pair(_ link: Int, _ one: Int, _ other: Int) -> Int {
    (link * nodes.count + min(one, other)) * nodes.count + max(one, other)
  }

  private mutating func interrupt(_ link: Int, _ one: Int, _ other: Int) {
    if overlaps[pair(link, one, other)] != nil { overlaps[pair(link, one, other)] = time }
  }

  /// Two Active nodes hear each other within the greater interval (by the slower clock) and one delivery.
  private mutating func look() {
    let bound = Int64(settings.centiseconds) * 10_100_000 + settings.delay + 100_000
    for link in 0..<settings.links {
      for one in nodes.indices {
        for other in nodes.indices where other > one {
          let index = pair(link, one, other)
          guard isActive(one, link: link), isActive(other, link: link) else {
            overlaps[index] = nil
            continue
          }
          let since = overlaps[index] ?? time
          overlaps[index] = since
          longestOverlap = max(longestOverlap, time - since)
          if time - since > bound {
            violations.append("\(one) and \(other) Active for \(time - since) ns on link \(link)")
          }
        }
      }
    }
  }
}
