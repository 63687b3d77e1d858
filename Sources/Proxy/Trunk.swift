import HTTP2
import Model
import Reactor

/// A connection that carries HTTP/2: what its Stream knows beside itself. Its number is the engine's too.
///
/// Each of its HTTP/2 streams is a branch: a `Stream` of the slab without a descriptor, which stands for a connection
/// of its own in an exchange. Reading it yields an HTTP/1.1 message; what is written to it becomes frames.
struct Trunk: BitwiseCopyable {
  enum Phase: BitwiseCopyable {
    case open
    /// A GOAWAY that refuses nothing yet is out (RFC 9113 §6.8).
    case leaving
    /// The last stream is named: no new ones.
    case left
  }

  /// Its connection.
  var stream = Stream.none
  var phase = Phase.open
  var gate = FrameGate(server: true)
  /// Its branches, and how many there are.
  var branches = Stream.none
  var count: UInt32 = 0
  /// Streams so far.
  var served: UInt32 = 0
  /// Backend: how many the peer takes at once, and the next trunk to the same slot.
  var maxStreams: UInt32 = Trunk.assumedStreams
  /// It has said what it takes.
  var hasSettings = false
  var next = Stream.none
  var previous = Stream.none
  /// There is something to send when the turn ends.
  var isDirty = false
  /// Backend: listed with its slot.
  var isListed = false

  /// RFC 9113 §6.5.2 recommends that peers allow no fewer; until they have said so.
  static let assumedStreams: UInt32 = 100

  /// What a branch holds for its peer before its source has to wait.
  static let branchShare: UInt32 = 32 * 1024
}

/// What a listener lets an HTTP/2 connection do.
extension CompiledListener {
  static func settings(_ options: HTTP2Options, _ limits: ListenerLimits) -> FrameSettings {
    var settings = FrameSettings()
    settings.maxStreams = UInt32(clamping: options.maxStreams)
    settings.streamWindow = Int32(clamping: options.streamWindow)
    settings.connectionWindow = Int32(clamping: options.connectionWindow)
    settings.maxHeaderList = UInt32(clamping: limits.headBytes)
    settings.maxFields = UInt32(clamping: limits.headerCount)
    return settings
  }

  static func limits(_ limits: HTTP2Limits) -> FrameLimits {
    var result = FrameLimits()
    result.resets = UInt32(clamping: limits.resets)
    result.settings = UInt32(clamping: limits.settings)
    result.pings = UInt32(clamping: limits.pings)
    result.idle = UInt32(clamping: limits.idleFrames)
    result.continuations = UInt32(clamping: limits.continuations)
    return result
  }
}
