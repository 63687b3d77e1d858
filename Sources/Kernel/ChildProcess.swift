internal import CKernel
internal import Glibc

/// A program that was started, in a process group of its own. Whoever holds the value reaps it, once.
package struct ChildProcess: BitwiseCopyable, Sendable {
  package enum Ending: Hashable, Sendable, CustomStringConvertible {
    case exit(Int)
    case signal(Int)
    /// Somebody else took the status (SIGCHLD is ignored).
    case unknown

    package var description: String {
      switch self {
      case .exit(let status): "exit status \(status)"
      case .signal(let number): "killed by signal \(number) (\(unsafe String(cString: strsignal(Int32(number)))))"
      case .unknown: "exit status unknown"
      }
    }
  }

  package let id: Int32
  /// Readable when the program has ended; the holder closes it.
  package let descriptor: Int32

  /// Starts a program without a shell; its output goes nowhere.
  ///
  /// - Parameter command: the program's path and its arguments.
  /// - Parameter environment: NAME=value, beside the variables of this process.
  package static func spawn(_ command: [String], environment: [String]) throws(Errno) -> ChildProcess {
    var id: pid_t = 0
    let error = unsafe withCStrings(command) { arguments in
      unsafe withCStrings(environment) { unsafe sluice_spawn(arguments, $0, &id) }
    }
    guard error == 0 else { throw Errno(error) }
    return try watched(id)
  }

  /// Starts this program anew, or its next version: with this process's standard streams, and the channel to it as
  /// descriptor 3. It stays in this process's group.
  package static func spawnSuccessor(
    _ command: [String], environment: [String], channel: Int32
  ) throws(Errno) -> ChildProcess {
    var id: pid_t = 0
    let error = unsafe withCStrings(command) { arguments in
      unsafe withCStrings(environment) { unsafe sluice_spawn_successor(arguments, $0, channel, &id) }
    }
    guard error == 0 else { throw Errno(error) }
    return try watched(id)
  }

  private static func watched(_ id: pid_t) throws(Errno) -> ChildProcess {
    let descriptor = sluice_pidfd_open(id)
    guard descriptor >= 0 else {
      // Nobody would hear of its end.
      let error = Errno.last
      _ = Glibc.kill(-id, SIGKILL)
      _ = Glibc.kill(id, SIGKILL)
      _ = waitpid(id, nil, 0)
      throw error
    }
    return ChildProcess(id: id, descriptor: descriptor)
  }

  /// Kills the whole group. Only before `reap`: until then the number is this process's.
  package func killGroup() { _ = Glibc.kill(-id, SIGKILL) }

  /// Kills the program alone, where it has no group of its own.
  package func kill() { _ = Glibc.kill(id, SIGKILL) }

  /// How it ended; nil: it still runs.
  package func reap() -> Ending? {
    var status: Int32 = 0
    let result = unsafe waitpid(id, &status, WNOHANG)
    if result == 0 { return nil }
    guard result == id else { return .unknown }
    let signal = status & 0x7f
    return signal == 0 ? .exit(Int(status >> 8 & 0xff)) : .signal(Int(signal))
  }

  /// Waits for the end for at most `milliseconds`.
  package func waitForEnd(milliseconds: Int32) {
    var query = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    _ = unsafe poll(&query, 1, milliseconds)
  }

  /// Lends a NULL-terminated table of C strings. A text is cut at its first NUL.
  private static func withCStrings<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    // SAFETY: every copy is freed after the call, which only reads them.
    var table = unsafe texts.map { unsafe strdup($0) } + [nil]
    defer { for index in 0..<texts.count { unsafe free(table[index]) } }
    return unsafe table.withUnsafeMutableBufferPointer { unsafe body(UnsafePointer($0.baseAddress!)) }
  }
}
