/// Is a share (of errors, of slow answers) greater in one group than in the other? An exact test that may be looked at
/// after every block of data.
///
/// The evidence is an e-process for two Bernoulli streams: under equal shares its expectation never grows, so by Ville's
/// inequality the chance that it *ever* reaches 1/α is at most α, however often one looks and whenever one stops. It
/// bets with what the past blocks showed, and only in one direction: a better canary is no reason to stop.
///
/// Source: Turner, Ly, Grünwald, "Generic E-variables for exact sequential k-sample tests that allow for optional
/// stopping" (2021), theorem 1, with a plug-in estimate for both shares.
package struct SequentialTest: Codable, Hashable, Sendable {
  /// How many of how many.
  package struct Count: Codable, Hashable, Sendable {
    package var hits: UInt64
    package var total: UInt64

    package init(hits: UInt64, total: UInt64) {
      self.hits = min(hits, total)
      self.total = total
    }

    static func + (left: Count, right: Count) -> Count {
      Count(hits: left.hits + right.hits, total: left.total + right.total)
    }

    /// With a little doubt, so that it is never 0 or 1.
    func share(prior: Double, weight: Double) -> Double {
      (Double(hits) + prior * weight) / (Double(total) + weight)
    }

    package var share: Double { total == 0 ? 0 : Double(hits) / Double(total) }
  }

  /// The greatest chance of a false alarm, over the whole life of the test.
  package let alpha: Double
  package private(set) var canary = Count(hits: 0, total: 0)
  package private(set) var control = Count(hits: 0, total: 0)
  /// The natural logarithm of the evidence against "the canary is not worse".
  package private(set) var logEvidence = 0.0
  /// Once the bound was reached it stays so.
  package private(set) var isWorse = false

  /// - Parameter alpha: above 0, below 1.
  package init(alpha: Double) { self.alpha = alpha }

  /// What came before, counted anew: the line between hits and misses was drawn elsewhere.
  mutating func recount(canary: Count, control: Count) { (self.canary, self.control) = (canary, control) }

  /// Takes a block of the same time in: the sizes must not depend on its hits.
  package mutating func observe(canary new: Count, control: Count) {
    defer {
      canary = canary + new
      self.control = self.control + control
    }
    guard new.total > 0, control.total > 0 else { return }
    // Before any data the bet is that one in a hundred hits, with the weight of two observations.
    let pooled = (canary + self.control).share(prior: 0.01, weight: 2)
    let base = self.control.share(prior: pooled, weight: 2)
    let tried = canary.share(prior: pooled, weight: 2)
    logEvidence += SequentialTest.gain(new, control, bet: (tried, base))
    if logEvidence >= SequentialTest.log(1 / alpha) { isWorse = true }
  }

  /// What a block adds to the evidence: a bet on two shares that does not depend on it. Nothing, unless it is against the
  /// canary. The expectation of its exponential is at most 1 while the shares are equal.
  static func gain(_ new: Count, _ control: Count, bet: (canary: Double, control: Double)) -> Double {
    guard bet.canary > bet.control else { return 0 }
    let (a, b) = (Double(new.total), Double(control.total))
    let null = (a * bet.canary + b * bet.control) / (a + b)
    return gain(new, bet.canary, null) + gain(control, bet.control, null)
  }

  private static func gain(_ count: Count, _ share: Double, _ null: Double) -> Double {
    let hits = Double(count.hits), misses = Double(count.total - count.hits)
    return hits * log(share / null) + misses * log((1 - share) / (1 - null))
  }

  /// The natural logarithm, by halving and a series: this floor has no C library.
  /// - Parameter value: above 0 and finite.
  /// - Returns: within 1e-15 of the truth, relatively.
  package static func log(_ value: Double) -> Double {
    var mantissa = value.significand
    var exponent = Double(value.exponent)
    if mantissa > 1.414_213_562_373_095 {
      mantissa /= 2
      exponent += 1
    }
    // ln m = 2 artanh((m - 1) / (m + 1)), of an argument below 0.172.
    let x = (mantissa - 1) / (mantissa + 1)
    var (power, sum, k) = (x, x, 3.0)
    while k < 40 {
      power *= x * x
      sum += power / k
      k += 2
    }
    return 2 * sum + exponent * 0.693_147_180_559_945_3
  }
}
