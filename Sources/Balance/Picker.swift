package import Model
package import Wire

/// One worker's balancer of one pool: the shared `PickTable` and what the policy remembers.
///
/// A pick allocates nothing and calls nothing through an existential; generic over the
/// load view so that it is specialised where it is used.
package struct Picker {
  @usableFromInline enum Kind: UInt8, BitwiseCopyable {
    case roundRobin, leastConnections, random, p2c, peakEWMA, maglev, boundedLoad, first
  }

  @usableFromInline var kind: Kind
  package private(set) var table: PickTable
  @usableFromInline var roundRobin: RoundRobin
  @usableFromInline var peakEWMA: PeakEWMA
  @usableFromInline var boundedLoad: BoundedLoad

  /// - Parameter seed: differs between workers, so that they do not walk in step.
  package init(table: PickTable, seed: UInt64) {
    self.table = table
    (kind, roundRobin, peakEWMA, boundedLoad) = Picker.memory(for: table)
    var random = Random(seed: seed)
    roundRobin.shuffle(&random)
  }

  package init(policy: BalancePolicy, candidates: [Candidate], seed: UInt64) {
    self.init(table: PickTable(policy: policy, candidates: candidates), seed: seed)
  }

  /// Goes on with a changed pool: backends that stay (by slot) keep their place and their latency.
  package mutating func update(table new: PickTable) {
    let old = (kind: kind, table: table, roundRobin: roundRobin, peakEWMA: peakEWMA)
    table = new
    (kind, roundRobin, peakEWMA, boundedLoad) = Picker.memory(for: new)
    guard kind == old.kind else { return }
    if kind == .roundRobin { roundRobin.resume(old.roundRobin, oldTable: old.table, table: new) }
    if kind == .peakEWMA { peakEWMA.resume(old.peakEWMA, oldTable: old.table, table: new) }
  }

  package mutating func update(candidates: [Candidate]) {
    update(table: PickTable(policy: table.policy, candidates: candidates, previous: table))
  }

  /// Whether nobody has weight: then there is nobody to wait for either.
  @inlinable package var isEmpty: Bool { table.totalWeight == 0 }

  /// Whether `PickRequest.hash` matters.
  @inlinable package var hashes: Bool { kind == .maglev || kind == .boundedLoad }

  /// Whether `observe` matters.
  @inlinable package var learnsLatency: Bool { kind == .peakEWMA }

  /// The index of the backend for a request: one with weight and room that was not tried.
  /// nil when there is none; unless `isEmpty`, waiting may help.
  @inlinable package mutating func pick(
    _ request: PickRequest, loads: some LoadView, random: inout Random, now: Instant
  ) -> Int? {
    switch kind {
    case .p2c: PowerOfTwo.pick(table, tried: request.tried, loads: loads, random: &random)
    case .roundRobin: roundRobin.pick(table, tried: request.tried, loads: loads)
    case .leastConnections: LeastConnections.pick(table, tried: request.tried, loads: loads, random: &random)
    case .random: RandomPick.pick(table, tried: request.tried, loads: loads, random: &random)
    case .peakEWMA: peakEWMA.pick(table, tried: request.tried, loads: loads, random: &random, now: now)
    case .maglev: Maglev.pick(table, hash: request.hash, tried: request.tried, loads: loads)
    case .boundedLoad: boundedLoad.pick(table, hash: request.hash, tried: request.tried, loads: loads)
    case .first: First.pick(table, tried: request.tried, loads: loads)
    }
  }

  /// What a request took on a backend (by index), in nanoseconds; read by peak-EWMA only.
  @inlinable package mutating func observe(latency: Int64, backend: Int, failed: Bool = false, now: Instant) {
    guard kind == .peakEWMA else { return }
    peakEWMA.observe(latency: latency, backend: backend, failed: failed, now: now)
  }

  /// Only the policy's own memory is filled; the others are empty and cost nothing.
  private static func memory(for table: PickTable) -> (Kind, RoundRobin, PeakEWMA, BoundedLoad) {
    let none = PickTable(policy: .first, candidates: [])
    func build(_ kind: Kind, factor: Double = 1) -> (Kind, RoundRobin, PeakEWMA, BoundedLoad) {
      (
        kind, RoundRobin(kind == .roundRobin ? table : none), PeakEWMA(kind == .peakEWMA ? table : none),
        BoundedLoad(kind == .boundedLoad ? table : none, factor: factor)
      )
    }
    return switch table.policy {
    case .roundRobin: build(.roundRobin)
    case .leastConnections: build(.leastConnections)
    case .random: build(.random)
    case .p2c: build(.p2c)
    case .peakEWMA: build(.peakEWMA)
    case .maglev: build(.maglev)
    case .boundedLoad(_, let factor): build(.boundedLoad, factor: factor)
    case .first: build(.first)
    }
  }
}
