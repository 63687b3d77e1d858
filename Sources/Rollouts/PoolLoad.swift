/// What a pool has to carry.
package struct PoolLoad: Hashable, Sendable {
  package var inFlight = 0
  /// Requests a second of late; nil: not known yet.
  package var perSecond: Int?

  package init(inFlight: Int = 0, perSecond: Int? = nil) {
    self.inFlight = inFlight
    self.perSecond = perSecond
  }
}

/// How many backends a load needs, by what one of them can carry.
package enum Need: Equatable {
  case backends(Int, load: String)
  /// A rate is limited, and nobody knows yet what it is.
  case unknown

  /// The limit that asks for more backends; nil without limits.
  /// - Parameters:
  ///   - capacity: requests that one backend can have under way.
  ///   - rate: requests a second that one backend can answer.
  ///   - share: the part of the load that counts, in percent.
  package init?(capacity: Int?, rate: Int?, of load: PoolLoad, share: Int = 100) {
    let count = { (load: Int, each: Int) in (load * share + 100 * each - 1) / (100 * each) }
    var most: (backends: Int, load: String)?
    if let capacity, capacity > 0 {
      most = (count(load.inFlight, capacity), "\(load.inFlight) requests in flight")
    }
    if let rate, rate > 0 {
      guard let perSecond = load.perSecond else {
        self = .unknown
        return
      }
      let backends = count(perSecond, rate)
      if backends > most?.backends ?? -1 { most = (backends, "\(perSecond) requests a second") }
    }
    guard let most else { return nil }
    self = .backends(most.backends, load: most.load)
  }
}

/// Requests a second, from counts: the mean of the last two seconds that are over.
package struct RateMeter: Hashable, Sendable {
  /// In milliseconds.
  static let window: Int64 = 2_000
  /// Counted at once; more is a counter gone wrong.
  private static let most: UInt64 = 1_000_000_000_000

  package private(set) var perSecond: Int?
  private var began: Int64?
  private var counted: UInt64 = 0

  package init() {}

  /// - Parameters:
  ///   - requests: since the last call.
  ///   - now: milliseconds; a clock that was set back begins anew.
  package mutating func count(_ requests: UInt64, at now: Int64) {
    guard let began, now >= began else {
      self.began = now
      counted = 0
      return
    }
    counted &+= requests
    let span = UInt64(now - began)
    guard span >= UInt64(RateMeter.window) else { return }
    perSecond = Int((min(counted, RateMeter.most) * 1000 + span - 1) / span)
    self.began = now
    counted = 0
  }
}
