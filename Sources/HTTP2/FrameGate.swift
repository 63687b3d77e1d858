/// What a peer may make a connection do. Sources: RFC 9113 §10.5; CVE-2023-44487 (rapid reset), CVE-2019-9512 (pings),
/// -9514 (provoked resets), -9515 (settings), -9518 (empty frames), CVE-2024-27316 (CONTINUATION).
package struct FrameLimits: BitwiseCopyable, Hashable, Sendable {
  /// Streams reset a second, by the peer or because of it.
  package var resets: UInt32 = 200
  /// SETTINGS frames a second.
  package var settings: UInt32 = 20
  /// PING frames a second.
  package var pings: UInt32 = 50
  /// A second: frames that carry nothing (DATA without content and end, empty header blocks), and such as have no
  /// meaning here (PRIORITY, unknown types).
  package var idle: UInt32 = 200
  /// CONTINUATION frames of one header block.
  package var continuations: UInt32 = 8
  /// Bytes of one header block, compressed and with its frames' headers.
  package var block: UInt32 = 40 * 1024

  package init() {}
}

/// Why a connection was ended for what it did (RFC 9113 §7, ENHANCE_YOUR_CALM).
package enum Flood: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case resets, settings, pings, idle, continuations, headerBlock

  package var reason: StaticString {
    switch self {
    case .resets: "too many streams reset"
    case .settings: "too many SETTINGS frames"
    case .pings: "too many PING frames"
    case .idle: "too many frames without content"
    case .continuations: "too many CONTINUATION frames"
    case .headerBlock: "header block too large"
    }
  }
}

/// Cuts what a connection receives into pieces that are looked at one by one, and counts what floods.
///
/// A piece is one frame; a header block with all its CONTINUATION frames; or what there is of a DATA frame, which is
/// passed on as it comes. Headers are so never half decoded, and what they decode to is never more than one block's.
package struct FrameGate: BitwiseCopyable, Sendable {
  package enum Step: Hashable, Sendable {
    /// A piece ends before this index.
    case piece(Int)
    /// The rest is the beginning of a piece.
    case more
    case flood(Flood)
  }

  private enum FrameType {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let pushPromise: UInt8 = 5
    static let ping: UInt8 = 6
    static let goaway: UInt8 = 7
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
  }

  package static var headerSize: Int { 9 }
  package static var magicSize: Int { 24 }
  /// What SETTINGS_MAX_FRAME_SIZE is here, RFC 9113 §6.5.2's initial value.
  package static var maxFrame: Int { 16_384 }

  /// The rest of the frame that is passed on as it comes.
  private var rest = 0
  private var expectsMagic: Bool
  private var windowStart: Int64 = .min
  private var resets: UInt32 = 0
  private var settings: UInt32 = 0
  private var pings: UInt32 = 0
  private var idle: UInt32 = 0

  /// - Parameter server: whether the peer begins with the connection preface (RFC 9113 §3.4).
  package init(server: Bool) { expectsMagic = server }

  /// The next piece in `bytes` from `start` on. `now` in milliseconds.
  package mutating func next(
    _ bytes: Span<UInt8>, from start: Int, limits: FrameLimits, now: Int64
  ) -> Step {
    let available = bytes.count - start
    if expectsMagic {
      guard available >= FrameGate.magicSize else { return .more }
      expectsMagic = false
      return .piece(start + FrameGate.magicSize)
    }
    if rest > 0 {
      guard available > 0 else { return .more }
      let taken = min(rest, available)
      rest -= taken
      return .piece(start + taken)
    }
    guard available >= FrameGate.headerSize else { return .more }
    let frame = FrameHeader(bytes, at: start)
    // The library knows what to say of it; nothing behind it counts.
    guard frame.length <= FrameGate.maxFrame else { return .piece(bytes.count) }
    let end = start + FrameGate.headerSize + frame.length
    switch frame.type {
    case FrameType.data:
      if frame.length == 0, !frame.endsStream, let flood = count(.idle, limits.idle, now) {
        return .flood(flood)
      }
      rest = max(0, end - bytes.count)
      return .piece(min(end, bytes.count))
    case FrameType.headers, FrameType.pushPromise:
      return block(bytes, from: start, first: frame, limits: limits, now: now)
    default: break
    }
    guard end <= bytes.count else { return .more }
    let flood: Flood? =
      switch frame.type {
      case FrameType.reset: count(.resets, limits.resets, now)
      case FrameType.settings: count(.settings, limits.settings, now)
      case FrameType.ping: count(.pings, limits.pings, now)
      case FrameType.windowUpdate, FrameType.goaway, FrameType.continuation: nil
      default: count(.idle, limits.idle, now)
      }
    return flood.map { .flood($0) } ?? .piece(end)
  }

  /// A stream that had to be reset because of what the peer sent.
  package mutating func noteProvokedReset(limits: FrameLimits, now: Int64) -> Flood? {
    count(.resets, limits.resets, now)
  }

  /// Whether nothing of a piece is held.
  package var isBetweenFrames: Bool { rest == 0 && !expectsMagic }

  /// RFC 9113 §4.3: HEADERS with the CONTINUATION frames that follow it at once.
  private mutating func block(
    _ bytes: Span<UInt8>, from start: Int, first: FrameHeader, limits: FrameLimits, now: Int64
  ) -> Step {
    var frame = first
    var end = start + FrameGate.headerSize + frame.length
    var continuations: UInt32 = 0
    var empties: UInt32 = first.length == 0 ? 1 : 0
    while true {
      if end - start > Int(limits.block) { return .flood(.headerBlock) }
      if end > bytes.count { return .more }
      if frame.endsHeaders { break }
      guard end + FrameGate.headerSize <= bytes.count else { return .more }
      frame = FrameHeader(bytes, at: end)
      // Anything else in between is a connection error, which the library finds.
      guard frame.type == FrameType.continuation, frame.length <= FrameGate.maxFrame else { return .piece(bytes.count) }
      continuations += 1
      if frame.length == 0 { empties += 1 }
      if continuations > limits.continuations { return .flood(.continuations) }
      end += FrameGate.headerSize + frame.length
    }
    for _ in 0..<empties {
      if let flood = count(.idle, limits.idle, now) { return .flood(flood) }
    }
    return .piece(end)
  }

  private mutating func count(_ flood: Flood, _ limit: UInt32, _ now: Int64) -> Flood? {
    if windowStart == .min || now - windowStart >= 1000 {
      windowStart = now
      (resets, settings, pings, idle) = (0, 0, 0, 0)
    }
    let sum: UInt32
    switch flood {
    case .resets:
      resets += 1
      sum = resets
    case .settings:
      settings += 1
      sum = settings
    case .pings:
      pings += 1
      sum = pings
    case .idle, .continuations, .headerBlock:
      idle += 1
      sum = idle
    }
    return sum > limit ? flood : nil
  }
}

/// RFC 9113 §4.1.
///
///     +-----------------------------------------------+
///     |                 Length (24)                   |
///     +---------------+---------------+---------------+
///     |   Type (8)    |   Flags (8)   |
///     +-+-------------+---------------+-------------------------------+
///     |R|                 Stream Identifier (31)                      |
///     +=+=============================================================+
struct FrameHeader {
  let length: Int
  let type: UInt8
  let flags: UInt8

  init(_ bytes: Span<UInt8>, at start: Int) {
    length = Int(bytes[start]) << 16 | Int(bytes[start + 1]) << 8 | Int(bytes[start + 2])
    type = bytes[start + 3]
    flags = bytes[start + 4]
  }

  var endsStream: Bool { flags & 1 != 0 }
  var endsHeaders: Bool { flags & 4 != 0 }
}
