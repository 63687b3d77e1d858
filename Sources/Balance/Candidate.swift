package import Model

/// A backend as a balancer sees it; its place in the table is its index in the pool.
package struct Candidate: Hashable, Sendable, BitwiseCopyable {
  package let slot: BackendSlot
  /// `Standing.effectiveWeight`; 0 is never picked.
  package let weight: UInt32
  /// In-flight requests or connections above which it has no room; `.max`: unlimited.
  package let capacity: UInt32

  package static let unlimited = UInt32.max

  @inlinable package init(slot: BackendSlot, weight: UInt32, capacity: UInt32 = .max) {
    self.slot = slot
    self.weight = weight
    self.capacity = capacity
  }
}

/// Who knows how many requests are in flight on a backend, over all workers.
///
/// A generic parameter of every pick, so that the data plane's atomics and a
/// simulation's array are both called directly.
package protocol LoadView {
  func inFlight(_ slot: BackendSlot) -> Int
}

/// What a pick needs to know of the request.
package struct PickRequest: Sendable, BitwiseCopyable {
  /// The key's hash (`KeyHasher`); read by the hash policies only.
  package var hash: UInt64
  package var tried: TriedSet

  @inlinable package init(hash: UInt64 = 0, tried: TriedSet = TriedSet()) {
    self.hash = hash
    self.tried = tried
  }
}

/// The backends that a request has tried, by index; of more than eight the latest eight.
package struct TriedSet: Sendable, BitwiseCopyable {
  @usableFromInline var indices: InlineArray<8, UInt32>
  @usableFromInline var inserted: UInt32

  @inlinable package init() {
    indices = InlineArray(repeating: 0)
    inserted = 0
  }

  @inlinable package var isEmpty: Bool { inserted == 0 }

  @inlinable package mutating func insert(_ index: Int) {
    indices[Int(inserted & 7)] = UInt32(truncatingIfNeeded: index)
    inserted &+= 1
  }

  @inlinable package func contains(_ index: Int) -> Bool {
    for place in 0..<Int(min(inserted, 8)) where indices[place] == UInt32(truncatingIfNeeded: index) { return true }
    return false
  }
}
