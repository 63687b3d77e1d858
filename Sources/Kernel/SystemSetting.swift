internal import Glibc

/// Values under /proc/sys.
package enum SystemSetting {
  /// Best effort: a hardened service may see them read-only.
  @discardableResult
  package static func write(_ name: String, _ value: String) -> Bool {
    let fd = unsafe open("/proc/sys/\(name)", O_WRONLY | O_CLOEXEC)
    guard fd >= 0 else { return false }
    defer { _ = close(fd) }
    return IO.write(fd, Array(value.utf8).span).value == value.utf8.count
  }
}
