package import Model
internal import Planner

/// What is done about floating addresses, one after the other: each waits for the disk and for the kernel.
enum FloatingJob {
  /// What the store kept, at the start.
  case restore
  /// Whatever has changed (health, file, VIPs, the store), and what somebody else may have undone.
  case follow
  case order(FloatingOrder, CheckedContinuation<Result<IPAddress, Refusal>, Never>)
}

/// Floating addresses as a node stands to them.
struct FloatingDesk {
  var table = FloatingTable()
  /// Whether the store has the table and the words.
  var isSaved = true
  var savedWords: [FloatingWord] = []
  var conflicts: Set<FloatingConflict> = []
  var isRestored = false
  /// VIPs that this node has.
  var activeVIPs: Set<String> = []
  var troubles: [String] = []
  var moves: UInt64 = 0
  var repairs: UInt64 = 0
  var jobs: [FloatingJob] = []
  var isWorking = false
  var isWatching = false
}

/// Orders of people, and of health.
///
/// INVARIANT: of an order, the store first, the rules then, the addresses last. Whatever stops the node between two of
/// these, the next start makes rules and addresses what the store says: the order has then happened. One that the store
/// does not take is refused. Of a move by health, the rules first: a client's way matters more than its record, and
/// what health said, it will say again.
extension Node {
  /// How often rules and addresses are compared with what they should be.
  static let floatingWatch = Duration.seconds(5)

  package func floatingView() -> FloatingView {
    let settings = truth.topology.floating ?? FloatingSettings()
    return FloatingView(
      table: floating.table, settings: settings,
      plan: FloatingPlan(floating.table, settings, activeVIPs: floating.activeVIPs), troubles: floating.troubles,
      moves: floating.moves, repairs: floating.repairs)
  }

  /// Takes an order in, as `apply` does, for who needs an answer: the address that it is about.
  package func order(floating order: FloatingOrder) async throws(Refusal) -> IPAddress {
    let result = await withCheckedContinuation { enqueue(.order(order, $0)) }
    return try result.get()
  }

  /// Something has changed that the mappings, or their places, may depend on.
  func followFloating() {
    // Until then the rules are the process's before this one.
    guard !isHeldBack else { return }
    guard truth.topology.floating != nil || !floating.table.entries.isEmpty, phase != .starting || floating.isRestored
    else { return }
    enqueue(.follow)
  }

  func noteFloating(_ report: VIPReport) {
    switch report.kind {
    case .active: guard floating.activeVIPs.insert(report.vip).inserted else { return }
    case .backup, .fault: guard floating.activeVIPs.remove(report.vip) != nil else { return }
    default: return
    }
    followFloating()
  }

  func enqueue(_ job: FloatingJob) {
    if case .follow = job, floating.jobs.contains(where: { if case .follow = $0 { true } else { false } }) { return }
    floating.jobs.append(job)
    guard !floating.isWorking else { return }
    floating.isWorking = true
    Task { await workOff() }
  }

  private func workOff() async {
    while !floating.jobs.isEmpty {
      switch floating.jobs.removeFirst() {
      case .restore: await restoreFloating()
      case .follow: await follow()
      case .order(let order, let continuation): continuation.resume(returning: await carryOut(order))
      }
    }
    floating.isWorking = false
  }

  // MARK: Jobs

  private func restoreFloating() async {
    guard let settings = truth.topology.floating else { return }
    var rows: [FloatingIP]
    do {
      let record = try await ports.floating.restore()
      rows = record.rows
      floating.savedWords = record.words
      // What the rows say of shared addresses is as old as the words.
      say(record.words)
    } catch {
      // The kernel still does what was ordered last: that is taken over, not undone.
      let found = await ports.floating.adopt()
      rows = Set(found.mappings.keys).union(found.places.keys).compactMap { address in
        settings.pools.first { $0.contains(address) }.map {
          FloatingIP(address: address, pool: $0.name, fixed: found.mappings[address])
        }
      }
      floating.isSaved = false
      record(.storeLost, nil, "floating addresses are taken over from the kernel, \(rows.count) of them: \(error)")
    }
    var refused: [FloatingIP] = []
    floating.table = FloatingTable(rows, refused: &refused)
    for row in refused { record(.floating, subject: "\(row.address)", "left out: it contradicts another mapping") }
    floating.isRestored = true
    await follow()
    watchFloating()
  }

  private func follow() async {
    guard let settings = truth.topology.floating else {
      // The section is gone, and with it all that it stood for; the store keeps what it has.
      floating.table = FloatingTable()
      _ = await make(FloatingPlan())
      floating.isRestored = false
      return
    }
    guard floating.isRestored else { return await restoreFloating() }
    let before = floating.table
    floating.table.settle(in: settings)
    if floating.table != before { floating.isSaved = false }
    hearFloating(settings)
    if let world, phase != .starting {
      var here = settings
      here.failovers.removeAll { !decidesFloating($0, settings) }
      for move in Planner.floatingMoves(world, floating.table, here) { self.move(move, settings) }
    }
    _ = await make(FloatingPlan(floating.table, settings, activeVIPs: floating.activeVIPs))
    if !floating.isSaved { await saveFloating() }
  }

  private func move(_ move: Planner.FloatingMove, _ settings: FloatingSettings) {
    let address = move.failover.address
    var next = floating.table
    do throws(FloatingError) {
      if next.entries[address] == nil { _ = try next.apply(.allocate(pool: nil, address), settings) }
      _ = try next.apply(.move(address, move.target), settings)
      say(try words(for: next, settings))
    } catch {
      record(.floating, subject: move.failover.name, "cannot follow health: \(error)")
      return
    }
    floating.table = next
    floating.isSaved = false
    floating.moves += 1
    let led = causes.latest(pools: [move.failover.pool], isWell: nil, hysteresis: .zero, at: ports.now())
    record(.floating, subject: "\(address)", "mapped to \(move.target), by \(move.failover.name)", because: led)
  }

  private func saveFloating() async {
    let record = floatingRecord
    do {
      try await ports.floating.save(record)
      floating.savedWords = record.words
      // More may have been heard meanwhile.
      floating.isSaved = record == floatingRecord
    } catch {
      take(.lost("\(error)"))
    }
  }

  private func carryOut(_ order: FloatingOrder) async -> Result<IPAddress, Refusal> {
    guard let settings = truth.topology.floating else {
      return .failure(.floating("there is no `floating-ips` in the file"))
    }
    guard phase == .serving else {
      return .failure(phase == .draining ? .draining : .floating("the node has not started yet"))
    }
    var next = floating.table
    let address: IPAddress, words: [FloatingWord]
    do throws(FloatingError) {
      address = try next.apply(order, settings)
      try check(order, settings)
      words = try self.words(for: next, settings)
    } catch {
      return .failure(.floating("\(error)"))
    }
    guard next != floating.table else { return .success(address) }
    do {
      try await ports.floating.save(FloatingRecord(rows: next.sorted, words: floatingWords.replacing(with: words)))
    } catch {
      // What cannot be kept is not begun: after a restart it would be as if it had never been.
      take(.lost("\(error)"))
      return .failure(.floating("the store does not take it, so nothing was changed: \(error)"))
    }
    if let failure = await make(FloatingPlan(next, settings, activeVIPs: floating.activeVIPs)) {
      floating.isSaved = false
      await saveFloating()
      return .failure(.floating(failure))
    }
    floating.table = next
    say(words)
    floating.savedWords = floatingWords
    floating.moves += 1
    record(.floating, subject: "\(address)", floating.table.entries[address].map(self.words(of:)) ?? "released")
    // What others have said meanwhile is later than the table.
    if sharesFloating { followFloating() }
    return .success(address)
  }

  /// An address that follows health is mapped to servers of its own only, and always to one.
  private func check(_ order: FloatingOrder, _ settings: FloatingSettings) throws(FloatingError) {
    switch order {
    case .allocate: return
    case .disassociate(let address), .release(let address):
      if let failover = settings.failover(of: address) { throw .follows(address, failover.name) }
    case .associate(let address, let fixed), .move(let address, let fixed):
      guard let failover = settings.failover(of: address), let world else { return }
      let servers = Planner.floatingServers(world, failover)
      let isWanted = servers.contains { $0.address == fixed && $0.isWell }
      if !isWanted || failover.returns { throw .follows(address, failover.name) }
    }
  }

  /// - Returns: why the rules are not so, in words.
  private func make(_ plan: FloatingPlan) async -> String? {
    do {
      let outcome = try await ports.floating.apply(plan)
      for repair in outcome.repairs {
        floating.repairs += 1
        record(.repaired, nil, repair)
      }
      for trouble in outcome.troubles where !floating.troubles.contains(trouble) { record(.floating, nil, trouble) }
      floating.troubles = outcome.troubles
      return nil
    } catch {
      let failure = "\(error)"
      if !floating.troubles.contains(failure) { record(.floating, nil, failure) }
      floating.troubles = [failure]
      return failure
    }
  }

  /// Rules that somebody flushes (a firewall that is reloaded does), and addresses that somebody removes, come back.
  private func watchFloating() {
    guard !floating.isWatching else { return }
    floating.isWatching = true
    Task {
      while phase != .draining {
        do { try await Task.sleep(for: Node.floatingWatch) } catch { break }
        followFloating()
      }
    }
  }
}

/// What is asked of floating addresses.
package struct FloatingView: Sendable {
  package var table: FloatingTable
  package var settings: FloatingSettings
  package var plan: FloatingPlan
  package var troubles: [String]
  package var moves: UInt64
  package var repairs: UInt64
}
