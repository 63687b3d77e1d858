internal import CKernel
internal import Glibc

/// A process of its own that holds connections too, and speaks on them when this process dies without a goodbye.
///
/// The kernel ends a dead process's connections as it would an orderly close. Where that means something else to the
/// peer than a crash (graceful restart), somebody must be left to say so.
package struct SessionGuard: ~Copyable {
  private let fd: Int32

  /// - Parameter words: what is said on each connection, at most 256 bytes.
  package init(words: [UInt8]) throws(Errno) {
    // SAFETY: the array lives through the call, which copies it.
    fd = unsafe words.withUnsafeBytes { unsafe sluice_guard_start($0.baseAddress, $0.count) }
    guard fd >= 0 else { throw Errno(-fd) }
  }

  /// From now on `Socket.close` alone ends nothing: who lets go of it shuts the connection down.
  /// - Returns: false when the guard is gone.
  package func hold(_ number: UInt64, _ connection: Int32) -> Bool { sluice_guard_set(fd, number, connection) == 0 }

  package func release(_ number: UInt64) { _ = sluice_guard_set(fd, number, -1) }

  /// An orderly end: it lets go of everything without a word.
  deinit { if fd >= 0 { sluice_guard_dismiss(fd) } }
}

extension Socket {
  /// Ends both directions, whoever else holds the connection.
  package static func shutdownBoth(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_RDWR)) }
}
