package import Wire

/// Draws an index in proportion to its weight, with one random number and one read.
///
/// Integer arithmetic throughout: the shares are exact to 2^-32, and an index
/// without weight has no entry at all.
/// Source: M. D. Vose, "A linear algorithm for generating random numbers with a
/// given distribution", IEEE Trans. Software Engineering 17(9), 1991.
package struct AliasTable: Sendable {
  @usableFromInline struct Entry: Sendable, BitwiseCopyable {
    /// The share of this entry's draws, of 2^32, that go to `own`; the rest go to `other`.
    @usableFromInline var threshold: UInt32
    @usableFromInline var own: UInt32
    @usableFromInline var other: UInt32

    init(_ threshold: UInt32, _ own: UInt32, _ other: UInt32) {
      self.threshold = threshold
      self.own = own
      self.other = other
    }
  }

  @usableFromInline let entries: [Entry]

  package init(weights: some Sequence<UInt32>) {
    var owners: [(index: UInt32, share: UInt64)] = []
    var total: UInt64 = 0
    for (index, weight) in weights.enumerated() where weight > 0 {
      owners.append((UInt32(truncatingIfNeeded: index), UInt64(weight)))
      total += UInt64(weight)
    }
    // Scaled so that the mean share is `total`: each entry is filled to exactly that.
    var small: [Int] = []
    var large: [Int] = []
    for place in owners.indices {
      owners[place].share *= UInt64(owners.count)
      if owners[place].share < total { small.append(place) } else { large.append(place) }
    }
    var entries = owners.map { Entry(.max, $0.index, $0.index) }
    while let poor = small.popLast(), let rich = large.last {
      let (high, low) = owners[poor].share.multipliedFullWidth(by: 1 << 32)
      entries[poor].threshold = UInt32(truncatingIfNeeded: total.dividingFullWidth((high, low)).quotient)
      entries[poor].other = owners[rich].index
      owners[rich].share -= total - owners[poor].share
      if owners[rich].share < total {
        large.removeLast()
        small.append(rich)
      }
    }
    self.entries = entries
  }

  @inlinable package var isEmpty: Bool { entries.isEmpty }

  /// An index; the table must not be empty.
  @inlinable package func draw(_ random: inout Random) -> Int {
    let bits = random.next()
    let place = Int(truncatingIfNeeded: ((bits &>> 32) &* UInt64(truncatingIfNeeded: entries.count)) &>> 32)
    let entry = entries[place]
    return Int(UInt32(truncatingIfNeeded: bits) < entry.threshold ? entry.own : entry.other)
  }
}
