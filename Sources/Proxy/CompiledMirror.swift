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

  func takes(_ random: inout Random) -> Bool { random.next() >> 32 < threshold }
}
