internal import Glibc
package import Model

package enum Clock {
  /// CLOCK_MONOTONIC.
  package static func now() -> Instant {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  /// Microseconds since 1970, for logs.
  package static func wall() -> Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }

  /// 64 bits from the system's generator.
  package static func entropy() -> UInt64 {
    var generator = SystemRandomNumberGenerator()
    return generator.next()
  }
}
