/// Turns measured load into shares of answers, slowly enough that caches do not make it swing.
///
/// An answer acts until its TTL ends, so load lags behind shares by up to the
/// longest TTL. An integrator with delay T is stable while gain × T stays well
/// below π/2 (Nyquist); this one moves each share by at most `gain` per delay,
/// in proportion to how far its load is from the mean. Answering with the least
/// loaded alone would be infinite gain: everyone goes there until it is the most loaded.
package struct LoadDamper: Sendable {
  package struct Settings: Hashable, Sendable {
    /// How long an answer acts, in seconds: the longest TTL and the age of a measurement.
    package var delay: Double = 300
    /// The correction of a full deviation within one delay; stable below about 1.5.
    package var gain: Double = 0.5
    /// The smallest share in units of an equal one, so that a member is always measured.
    package var floor: Double = 0.05

    package init() {}
  }

  package let settings: Settings
  /// By member; the mean is 1. `MemberHealth.share` takes them.
  package private(set) var shares: [Double]

  package init(members: Int, _ settings: Settings = Settings()) {
    self.settings = settings
    shares = [Double](repeating: 1, count: members)
  }

  /// - Parameters:
  ///   - utilisation: by member, load in proportion to capacity; nil where nothing is measured, whose share stays.
  ///   - seconds: since the last observation.
  package mutating func observe(_ utilisation: [Double?], after seconds: Double) {
    guard utilisation.count == shares.count else { return }
    let known = utilisation.compactMap { $0 }.filter { $0.isFinite && $0 >= 0 }
    let mean = known.reduce(0, +) / Double(max(known.count, 1))
    guard mean > 0, seconds > 0, settings.delay > 0 else { return }
    let step = min(settings.gain * seconds / settings.delay, 0.5)
    for index in shares.indices {
      guard let load = utilisation[index], load.isFinite, load >= 0 else { continue }
      let deviation = min(max(load / mean - 1, -1), 1)
      shares[index] = max(shares[index] * (1 - step * deviation), settings.floor)
    }
    let scale = Double(shares.count) / shares.reduce(0, +)
    for index in shares.indices { shares[index] *= scale }
  }
}
