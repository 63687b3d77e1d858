internal import Health
package import Model
internal import Peering
package import Planner
internal import Telemetry

/// A running node.
///
/// `begin` takes the first configuration; the World is published, and the node
/// serves, when every probe has said its first word or had the time to. From then
/// on each `apply` publishes at once while the node is quiet, and at most every
/// `Node.spacing` while verdicts flap.
package actor Node {
  package enum Phase: String, Sendable { case starting, serving, draining }

  /// The shortest time between two Worlds that nobody asked for.
  package static let spacing = Duration.milliseconds(10)
  /// After the data plane refused a World that nobody asked for.
  package static let retry = Duration.seconds(1)

  package nonisolated let ports: Ports
  package nonisolated let version: String
  package internal(set) var phase = Phase.starting
  var truth = Truth()
  var world: World?
  var announcements = AnnouncementBook()
  var lastOrder = BGPOrder()
  var isRestarting = false
  var doors = Doors.open
  /// A new process is being started: what changes now, it would not know.
  var isBeingReplaced = false
  /// The process before this one still speaks to routers and peers.
  var isHeldBack = false
  var recalled: NodeMemory?
  /// How rollouts of an earlier process divide clients, until `begin`.
  private var restoredSplits: [String: VersionSplit] = [:]
  /// How it stood when another process took over, whose counters go on from there: nobody shall see them fall.
  var lastSnapshot: NodeSnapshot?
  var log = EventLog()
  var causes = CauseBook()
  private let started: Instant
  /// Until when first verdicts are waited for; nil before `begin`.
  private var patience: Instant?
  /// The earliest moment of the next World; in the past when the node is quiet.
  private var notBefore: Instant
  var isDirty = false
  private var probes: [ProbeTarget] = []
  /// What the peers were told, and who they are.
  var said: Neighborhood.Content?
  var peerSettings: Neighborhood.Settings?
  var nextStranger: Instant?
  /// What the name server knows of load at sites.
  var siteLoads: [String: SiteLoad] = [:]
  var vips: [VIPOrder] = []
  var floating = FloatingDesk()
  var isHandingOver = false
  /// What the store was told to keep, and why it does not.
  var kept = KeptOrders()
  var storeLoss: String?
  private var startFailure: Refusal?
  private var waiters: [CheckedContinuation<Void, Never>] = []
  private nonisolated let inbox = AsyncStream<Change>.makeStream(bufferingPolicy: .bufferingOldest(1 << 16))

  /// - Parameter ports: makes them from the way back into the node, which is `post`.
  package init(version: String, ports: (_ post: @escaping @Sendable (Change) -> Void) throws -> Ports) rethrows {
    let inbox = inbox
    let ports = try ports { inbox.continuation.yield($0) }
    self.ports = ports
    self.version = version
    started = ports.now()
    notBefore = started
  }

  // MARK: The one door

  /// Takes a change in.
  /// - Parameter cause: the event that led to it, where it is not an operator's word.
  /// - Throws: with everything as it was before.
  package func apply(_ change: Change, because cause: UInt64? = nil) throws(Refusal) {
    // The timer of `run` may now be too late.
    defer { if nextDeadline != nil { post(.tick) } }
    try take(change, because: cause)
  }

  private func take(_ change: Change, because cause: UInt64? = nil) throws(Refusal) {
    let now = ports.now()
    let before = world
    switch change {
    case .load(let topology):
      ports.bgp.prepare(topology.bgp)
      // Also when it is refused: what was prepared goes again.
      defer { reconcileAnnouncements(at: now, isForced: true) }
      try load(topology, at: now)
      keepOrders()
    case .announcement(let command): try take(command, at: now)
    case .bgp(let report): take(report)
    case .site(let name, let order):
      try commit(at: now) { (truth) throws(Refusal) in _ = try truth.observe(change, at: now) }
      let event = record(.override, nil, "site \(name): \(order)", because: cause)
      causes.note(order, site: name, event, at: now)
      tellStandings(after: before, at: now)
      share(order, for: name)
      keepOrders()
    case .names(let turns): tell(of: turns, at: now)
    case .drift(let key, let reason):
      try commit(at: now) { (truth) throws(Refusal) in _ = try truth.observe(change, at: now) }
      let event = record(.drifting, key, reason ?? "as its pool's others again", because: cause)
      tellStandings(after: before, because: event, at: now)
    case .split(let pool, let split):
      try commit(at: now) { (truth) throws(Refusal) in _ = try truth.observe(change, at: now) }
      let words = split.map { "\($0)" } ?? "clients go where the file says"
      tellStandings(after: before, because: record(.rollout, subject: pool, words, because: cause), at: now)
      reconcileAnnouncements(at: now)
    case .override(let key, let order):
      try commit(at: now) { (truth) throws(Refusal) in _ = try truth.observe(change, at: now) }
      let event = record(.override, key, order.description, because: cause)
      causes.note(order, key, event, at: now)
      tellStandings(after: before, because: event, at: now)
      share(order, for: key)
      keepOrders()
      reconcileAnnouncements(at: now)
    case .peer(let observation): observe(observation, at: now)
    case .vip(let change): try take(change)
    case .store(let report): take(report)
    default:
      let isNews = try truth.observe(change, at: now)
      if isNews { isDirty = true }
      if change == .tick { keepOrders() }
      let turned = truth.takeTurned()
      if phase == .serving { tellVerdicts(turned, at: now) }
      // First of all: routers need longer to act than workers.
      if phase == .serving, isNews || announcements.nextDeadline.map({ $0 <= now }) == true {
        reconcileAnnouncements(at: now)
      }
      for remark in truth.takeRemarks() { record(remark) }
      paceProbes()
      publishIfDue(at: now)
    }
  }

  /// `apply` for those who cannot wait and want no answer: probes, workers, timers.
  package nonisolated func post(_ change: Change) { inbox.continuation.yield(change) }

  /// When time alone changes something: a `.tick` is due then.
  package var nextDeadline: Instant? {
    let own = phase == .starting ? patience : isDirty ? notBefore : nil
    let now = ports.now()
    let recovery = world?.sites.values.compactMap(\.until).filter { $0 > now }.min()
    return [own, recovery, truth.nextDeadline(at: now), announcements.nextDeadline].compactMap { $0 }.min()
  }

  /// Takes in what was posted, and ticks, until the task is cancelled.
  package func run(sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }) async
  {
    var timer: Task<Void, Never>?
    var armed: Instant?
    for await change in inbox.stream {
      if change == .tick { armed = nil }
      try? take(change)
      guard let deadline = nextDeadline, armed.map({ deadline < $0 }) ?? true else { continue }
      armed = deadline
      timer?.cancel()
      let delay = max(deadline - ports.now(), .zero)
      timer = Task {
        do { try await sleep(delay) } catch { return }
        self.post(.tick)
      }
    }
    timer?.cancel()
  }

  // MARK: Start and stop

  /// Before `begin`: no client shall see a pool undivided that a rollout divides.
  package func divide(_ splits: [String: VersionSplit]) { restoredSplits = splits }

  /// The first configuration. Its probes start now; its listeners open when `settled` returns.
  package func begin(_ topology: Topology) async {
    kept = await restoredOrders()
    // A signal may come first.
    guard phase == .starting else { return }
    let now = ports.now()
    truth.resume(kept, at: now, wall: ports.wallClock())
    for (key, reason) in truth.load(topology, at: now) { record(.dropped, key, "override dropped: \(reason)") }
    keepOrders()
    adoptSiteWords(at: now)
    truth.recall(restoredSplits)
    if let recalled { truth.recall(recalled.splits) }
    patience = now + Node.patience(for: topology)
    isDirty = true
    orderProbes()
    reconcileAnnouncements(at: now)
    orderPeers()
    if topology.floating != nil { enqueue(.restore) }
    // Opens the door at once when there is nothing to wait for, and arms the timer otherwise.
    post(.tick)
  }

  /// Returns when the node serves.
  /// - Throws: when the data plane could not take the first World.
  package func settled() async throws(Refusal) {
    if phase == .starting, startFailure == nil { await withCheckedContinuation { waiters.append($0) } }
    if let startFailure { throw startFailure }
  }

  /// Closes the listeners; changes are refused from now on.
  package func drain() {
    guard phase != .draining else { return }
    isBeingReplaced = false
    phase = .draining
    // Another node has the addresses before this one stops listening on them.
    ports.vips.stop()
    floating.activeVIPs = []
    followFloating()
    record(.draining, nil, "no new connections; \(ports.openConnections()) are open")
    ports.stopProbes()
    ports.stopAccepting()
    tellPeers()
    for waiter in waiters { waiter.resume() }
    waiters = []
  }

  /// How long first verdicts are waited for: a probe's timeout, and the spread of first probes.
  static func patience(for topology: Topology) -> Duration {
    let longest = topology.pools.compactMap { $0.probe?.timeout }.max() ?? .zero
    return longest == .zero ? .zero : min(longest + .seconds(1), .seconds(10))
  }

  // MARK: What it knows

  /// What is configured, for those who ask each second: a snapshot works out all standings anew.
  package var topology: Topology { lastSnapshot?.topology ?? truth.topology }

  package var generation: UInt64 { lastSnapshot?.generation ?? world?.generation ?? 0 }

  package func snapshot() -> NodeSnapshot {
    if let lastSnapshot { return lastSnapshot }
    let now = ports.now()
    publishBeforeShowing(at: now)
    let next = truth.plan(after: world, at: now)
    return NodeSnapshot(
      phase: phase, generation: generation, uptime: now - started, version: version,
      topology: truth.topology, standings: next.standings, sites: next.sites, siteLoads: siteLoads,
      siteObservers: truth.siteObservers(at: now), splits: next.splits, drifting: truth.drifting,
      ejections: truth.health.ejections, statistics: ports.statistics(),
      peers: truth.peers, store: storeStanding, now: now)
  }

  package var baseline: Baseline { Baseline(truth: truth, world: world, now: ports.now()) }

  package func events(after id: UInt64) -> (events: [Event], next: UInt64) {
    let events = log.events(after: id)
    return (events, log.next - 1)
  }

  /// An event that happened outside: a file that could not be read.
  /// - Returns: its number.
  @discardableResult
  package func note(_ kind: Event.Kind, _ message: String, because cause: UInt64? = nil) -> UInt64 {
    record(kind, nil, message, because: cause)
  }

  // MARK: Publishing

  private func load(_ topology: Topology, at now: Instant) throws(Refusal) {
    let old = world
    var dropped: [(key: BackendKey, reason: String)] = []
    let overrides = truth.overrides
    let vipsBefore = Set(truth.topology.vips.map(\.name))
    let sitesBefore = Set(truth.topology.names?.sites.map(\.name) ?? [])
    let statistics = ports.statistics()
    let busy = statistics.backends.filter { $0.value.connections > 0 || $0.value.inFlight > 0 }
    do {
      try commit(busy: Set(busy.keys), at: now) { (truth) throws(Refusal) in dropped = truth.load(topology, at: now) }
    } catch {
      record(.refused, nil, "reload refused: \(error)")
      throw error
    }
    if let world, world.generation != old?.generation {
      let event = record(.applied, nil, "generation \(world.generation)")
      for (key, reason) in dropped { record(.dropped, key, "override dropped: \(reason)", because: event) }
      tellStandings(after: old, because: event, at: now)
    } else {
      for (key, reason) in dropped { record(.dropped, key, "override dropped: \(reason)") }
    }
    takeBack(overrides)
    adoptSiteWords(except: sitesBefore, at: now)
    adoptVIPMoves(except: vipsBefore)
    orderPeers()
    followFloating()
  }

  /// A change that somebody asked for: in force when this returns, or not at all.
  private func commit(
    busy: Set<BackendSlot> = [], at now: Instant, _ change: (inout Truth) throws(Refusal) -> Void
  ) throws(Refusal) {
    if phase == .draining { throw .draining }
    if isBeingReplaced { throw .upgrading }
    let before = truth
    try change(&truth)
    do {
      if phase == .serving { try publish(busy: busy, at: now) }
      orderProbes()
    } catch {
      truth = before
      throw error
    }
  }

  func publishIfDue(at now: Instant) {
    let before = world
    switch phase {
    case .draining: return
    case .starting:
      guard let patience, truth.health.awaited.isEmpty || now >= patience else { return }
      do {
        try publish(at: now)
        phase = .serving
        tellStandings(after: before, at: now)
        record(.serving, nil, "generation \(world?.generation ?? 0)")
        reconcileAnnouncements(at: now)
      } catch {
        startFailure = error
        self.patience = nil
      }
      for waiter in waiters { waiter.resume() }
      waiters = []
    case .serving:
      guard isDirty, now >= notBefore else { return }
      do {
        try publish(at: now)
        tellStandings(after: before, at: now)
      } catch {
        record(.refused, nil, "world refused: \(error)")
        notBefore = now + Node.retry
      }
    }
  }

  /// Whoever is shown a verdict acts on it at once: what is spaced out for nobody's sake is not shown before it is served.
  private func publishBeforeShowing(at now: Instant) {
    guard phase == .serving, isDirty, notBefore - now <= Node.spacing else { return }
    notBefore = min(notBefore, now)
    publishIfDue(at: now)
  }

  private func publish(busy: Set<BackendSlot> = [], at now: Instant) throws(Refusal) {
    let next = truth.plan(after: world, busy: busy, at: now)
    if let world, world.topology == next.topology, world.standings.isServedLike(next.standings),
      world.splits == next.splits, world.sites.isServedLike(next.sites)
    {
      isDirty = false
      orderVIPs(next)
      return
    }
    do { try ports.applyWorld(next) } catch { throw .dataPlane("\(error)") }
    world = next
    isDirty = false
    notBefore = now + Node.spacing
    tellPeers()
    orderVIPs(next)
    followFloating()
  }

  func orderProbes() {
    let wanted = truth.probeTargets()
    if wanted != probes {
      probes = wanted
      ports.applyProbes(wanted)
    }
    paceProbes()
  }

  private func paceProbes() {
    let paces = truth.takePaces()
    if !paces.isEmpty { ports.paceProbes(paces) }
  }

  // MARK: The log

  private func record(_ remark: HealthBook.Remark) {
    switch remark {
    case .ejectionRefused(let key, let reason): record(.spared, key, "not ejected, too few would be left: \(reason)")
    case .badAgentLine(let key, let error): record(.agent, key, "ignored: \(error)")
    case .agent(let key, let standing):
      let state = standing.administrative.map { ", \($0.rawValue)" } ?? ""
      record(.agent, key, "weight \(standing.weight)%\(state)\(standing.down.map { ", \($0)" } ?? "")")
    }
  }

  @discardableResult
  func record(_ kind: Event.Kind, subject: String, _ message: String, because cause: UInt64? = nil) -> UInt64 {
    log.append(kind, subject, message, because: cause, at: ports.wallClock())
  }

  @discardableResult
  func record(_ kind: Event.Kind, _ key: BackendKey?, _ message: String, because cause: UInt64? = nil) -> UInt64 {
    record(kind, subject: key.map { "\($0.pool)/\($0.backend)" } ?? "", message, because: cause)
  }
}
