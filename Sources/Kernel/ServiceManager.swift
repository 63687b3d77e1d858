internal import CKernel
internal import Glibc

/// The service manager that started this process, if one did (sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)).
package struct ServiceManager: Sendable {
  private let notifySocket: String?
  /// How often it wants to hear that all is well, in microseconds; nil: it does not.
  package let watchdog: Int64?
  /// Sockets that it has opened for us, from descriptor 3 on.
  package let sockets: Int

  /// Reads and removes what the environment says to this process alone; before there are other threads.
  package static func found() -> ServiceManager {
    let own = String(getpid())
    let watched = Environment.take("WATCHDOG_PID")
    let interval = Environment.take("WATCHDOG_USEC").flatMap { Int64($0) }
    let listener = Environment.take("LISTEN_PID")
    let sockets = Environment.take("LISTEN_FDS").flatMap { Int($0) } ?? 0
    _ = Environment.take("LISTEN_FDNAMES")
    // The name of the socket stays for the process that may come after this one.
    return ServiceManager(
      notifySocket: Environment.value("NOTIFY_SOCKET"), watchdog: watched.map { $0 == own } ?? true ? interval : nil,
      sockets: listener == own ? sockets : 0)
  }

  /// Says something, like "READY=1"; nothing waits for it.
  package func say(_ words: String) {
    guard let path = notifySocket, path.hasPrefix("/") || path.hasPrefix("@") else { return }
    let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { return }
    defer { close(fd) }
    let name = SocketName(unixPath: path)
    guard unsafe name.withPointer({ unsafe connect(fd, $0, $1) }) == 0 else { return }
    let bytes = Array(words.utf8)
    // SAFETY: the array lives through the call, which only reads it.
    _ = unsafe bytes.withUnsafeBytes { unsafe send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }
}

/// Variables of this process. They are removed before there are other threads, or not at all.
package enum Environment {
  package static func value(_ name: String) -> String? {
    guard let text = unsafe getenv(name) else { return nil }
    return unsafe String(cString: text)
  }

  package static func take(_ name: String) -> String? {
    defer { _ = unsafe unsetenv(name) }
    return value(name)
  }
}
