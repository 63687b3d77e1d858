/// xoshiro256++: a small, fast generator that is seeded by whoever owns it, so a
/// simulation with the same seed takes the same decisions. Not for secrets.
/// Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators".
package struct Random: RandomNumberGenerator, Sendable {
  @usableFromInline var s0: UInt64
  @usableFromInline var s1: UInt64
  @usableFromInline var s2: UInt64
  @usableFromInline var s3: UInt64

  package init(seed: UInt64) {
    // splitmix64, as the authors advise, so that a seed of zero works.
    var state = seed
    func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z &>> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z &>> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z &>> 31)
    }
    s0 = next()
    s1 = next()
    s2 = next()
    s3 = next()
  }

  /// All that the next numbers follow from, in hexadecimal.
  package var state: String { [s0, s1, s2, s3].map { String($0, radix: 16) }.joined(separator: "-") }

  @inlinable package mutating func next() -> UInt64 {
    let sum = s0 &+ s3
    let result = (sum &<< 23 | sum &>> 41) &+ s0
    let t = s1 &<< 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = s3 &<< 45 | s3 &>> 19
    return result
  }

  /// A number in `0..<bound` (Lemire's multiply-shift; bias below 2^-32). `bound` must not be zero.
  @inlinable package mutating func below(_ bound: UInt32) -> UInt32 {
    UInt32(truncatingIfNeeded: ((next() &>> 32) &* UInt64(bound)) &>> 32)
  }

  /// A number in `0..<bound` for bounds that pass 32 bits, as sums of weights do.
  @inlinable package mutating func below(wide bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }
}
