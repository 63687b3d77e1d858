internal import Glibc

/// What the system lets this process have.
package enum Limits {
  /// Descriptors that may be open at once (the soft limit of RLIMIT_NOFILE).
  package static var descriptors: Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    return Int(clamping: limit.rlim_cur)
  }
}
