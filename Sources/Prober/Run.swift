import Kernel

/// One run of a check: a plain value in the loop's slab.
struct Run: BitwiseCopyable {
  enum Phase: UInt8, BitwiseCopyable {
    case connecting
    case shaking
    case sending
    case receiving
    /// The result is known; the rest of the answer is read away.
    case closing
    /// A program runs.
    case executing
    /// The program was killed, and is waited for.
    case killed
  }

  static let none = UInt32.max

  var phase = Phase.connecting
  /// The schedule's number; -1 once the result is known.
  var target = -1
  /// The socket; -1 for a program.
  var socket: Int32 = -1
  var child: ChildProcess?
  var timer = Run.none
  /// Its TLS side; `none`: it is in clear.
  var channel = Run.none
  /// Bytes of the plan's `send` that are out.
  var sent = 0
  /// Bytes that were read away.
  var discarded = 0

  var awaited: String? {
    switch phase {
    case .connecting: "connect"
    case .shaking: "TLS handshake"
    case .sending: "send"
    case .receiving, .closing, .executing, .killed: nil
    }
  }
}

/// What an epoll token or a timer token means: the mailbox, or a run's index and generation.
enum Token {
  static let mailbox = UInt64.max

  static func make(_ index: UInt32, _ generation: UInt32) -> UInt64 { UInt64(generation) << 32 | UInt64(index) }
  static func index(_ token: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: token) }
  static func generation(_ token: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: token >> 32) }
}
