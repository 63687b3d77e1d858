import Balance
import Model
import Wire

/// Which requests are copied, and where to.
struct CompiledMirror: Sendable {
  let pool: UInt32
  /// A group of the pool's `CompiledSplit`, or any.
  let version: UInt8
  /// Out of 2^32.
  let threshold: UInt64
  let body: Int
  let inFlight: Int
  let timeout: Int64

  init(_ mirror: Mirror, pool: UInt32, version: UInt8 = Exchange.anyVersion) {
    self.pool = pool
    self.version = version
    threshold = UInt64(min(max(mirror.share, 0), 1) * 4_294_967_296)
    body = mirror.body
    inFlight = mirror.inFlight
    timeout = mirror.timeout.milliseconds
  }

  /// Whether a request can be copied to a pool: it is held in the form in which the original's backend gets it.
  ///
  /// - Parameters:
  ///   - flags: the original's.
  ///   - chunked: its client frames its body in chunks.
  static func fits(_ flags: Exchange.Flags, hasBody: Bool, chunked: Bool, multiplexed: Bool, mayFallBack: Bool) -> Bool
  {
    guard flags.isDisjoint(with: [.upgrade, .connect]) else { return false }
    let isHTTP2 = multiplexed && !mayFallBack
    // What gRPC says stands in trailers, and in HTTP/2 only.
    if flags.contains(.grpc), !isHTTP2 { return false }
    guard hasBody else { return true }
    if flags.contains(.undecided) { return false }
    // Content alone: HTTP/2 frames say where it ends, and its text does not.
    if flags.contains(.toBranch) { return isHTTP2 }
    // RFC 9113 §8.1: chunks are no framing there.
    return !multiplexed || !chunked
  }

  func takes(_ random: inout Random) -> Bool { random.next() >> 32 < threshold }
}
