internal import CNGHTTP2
internal import HTTP

/// All HTTP/2 connections of one thread: libnghttp2's sessions behind an interface of bytes, events and commands.
///
/// `receive` takes one piece that a `FrameGate` has cut, and leaves what it meant in `events`, to be handled before the
/// next piece. `pull` leaves what is to be sent in `pieces`. A stream is bound to a `branch`, a small number of the
/// caller's; content stays with the caller, and only its amount is known here.
///
/// The library's own checks of HTTP semantics are off: `HeadTranslator`, and the count of content here, are stricter and
/// refuse what the library would leave out.
///
/// All that touches the library's pointers stands in this class and its extensions (FrameEngineInput, -Streams, -Output,
/// -Fields, -Callbacks).
@safe package final class FrameEngine {
  package enum Side: Sendable { case server, client }

  package static let none = UInt32.max

  /// What is known of a branch's stream.
  struct Branch {
    var connection = FrameEngine.none
    var id: Int32 = 0
    /// Content that the caller has ready.
    var pending = 0
    /// Nothing follows what is pending, but trailers perhaps.
    var isComplete = false
    var hasTrailers = false
    /// The library waits to be told of more.
    var isDeferred = false
    /// What is left of the peer's message is not wanted once ours is out.
    var resetsWhenSent = false
    /// Content that was received and not consumed, which counts against this connection's window.
    var held = 0
    var holder = FrameEngine.none
    /// Content still to come by Content-Length; negative: it was not said.
    var expected: Int64 = -1
  }

  /// What changes.
  @safe struct Known: ~Copyable {
    // SAFETY: sessions are created in `open`, deleted once in `close` or deinit, and used by this value's thread alone.
    // Callbacks run only within calls of this value, which is alive then; their pointers are not kept.
    var sessions: [OpaquePointer?] = unsafe []
    var settings: [FrameSettings] = []
    /// By connection: the highest stream that the peer has opened, and whether a stream was ever reset by us.
    var lastOpened: [Int32] = []
    var hasReset: [Bool] = []
    /// By connection: streams of the peer that are open, and resets that `pull` has yet to take.
    var opened: [UInt32] = []
    var queuedResets: [UInt32] = []
    var branches: [Branch] = []
    /// What the last `receive` has brought.
    var events: [FrameEvent] = []
    /// What the last `pull` has made.
    var pieces: [FramePiece] = []
    /// Branches whose content is out, and whose trailers are to be submitted.
    var wantsTrailers: [UInt32] = []
    /// The text of heads, and the frames that `pieces` refer to.
    var translator = HeadTranslator()
    var control = ByteArena(capacity: 32 * 1024)
    var lines = HeadLines()
    /// The connection whose turn it is, its input, and the room for its output.
    var current = FrameEngine.none
    var inputBase: UnsafePointer<UInt8>?
    var inputCount = 0
    var room = 0
  }

  // PERF: what is stored in an object is checked for exclusive access at run time, each time: 2.7% of h2-tls. An address
  // is not, and what changes lies there.
  // SAFETY: made in `init`, freed in deinit, used by this value's thread alone. No access to it lasts over a call of the
  // library: the callbacks change it.
  private let memory: UnsafeMutablePointer<Known>

  var known: Known {
    @inline(__always) unsafeAddress { unsafe UnsafePointer(memory) }
    @inline(__always) unsafeMutableAddress { unsafe memory }
  }

  let callbacks: OpaquePointer
  let options: OpaquePointer
  let nvs: UnsafeMutablePointer<nghttp2_nv>

  // MARK: What the last call has brought

  /// nil: there are no more.
  package func event(_ index: Int) -> FrameEvent? { index < known.events.count ? known.events[index] : nil }

  package var events: [FrameEvent] { known.events }
  package var pieces: [FramePiece] { known.pieces }
  package var wantsTrailers: [UInt32] { known.wantsTrailers }
  /// Of the head of the event that is handled.
  package var facts: HeadTranslator.Facts { known.translator.facts }

  /// The text of the head or the trailers of the event that is handled.
  @_lifetime(borrow self)
  package func text() -> Span<UInt8> {
    // SAFETY: the arena's memory is this value's, and is written to by `receive` alone.
    let memory = unsafe UnsafePointer(known.translator.text.memory)
    let span = unsafe Span(_unsafeStart: memory, count: known.translator.text.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// The lines of `text` behind a head's first.
  @_lifetime(borrow self)
  package func fieldLines() -> Span<UInt8> {
    let all = text()
    guard known.translator.kind != .trailers else { return all }
    var start = 0
    while start < all.count, all[start] != 0x0a { start += 1 }
    return all.extracting(min(start + 1, all.count)..<all.count)
  }

  /// What `pieces` refer to.
  @_lifetime(borrow self)
  package func control(_ range: Range<Int>) -> Span<UInt8> {
    // SAFETY: as above; `pull` alone writes to it.
    precondition(range.lowerBound >= 0 && range.upperBound <= known.control.count)
    let memory = unsafe UnsafePointer(known.control.memory + range.lowerBound)
    let span = unsafe Span(_unsafeStart: memory, count: range.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  static let maxLines = FieldTable.capacity + 4

  package init() {
    unsafe memory = .allocate(capacity: 1)
    unsafe memory.initialize(to: Known())
    var callbacks: OpaquePointer?
    unsafe nghttp2_session_callbacks_new(&callbacks)
    unsafe self.callbacks = callbacks!
    unsafe options = FrameEngine.makeOptions()
    unsafe nvs = .allocate(capacity: FrameEngine.maxLines)
    unsafe setCallbacks()
  }

  deinit {
    for index in unsafe known.sessions.indices { close(UInt32(index)) }
    unsafe nghttp2_session_callbacks_del(callbacks)
    unsafe nghttp2_option_del(options)
    unsafe nvs.deallocate()
    unsafe memory.deinitialize(count: 1)
    unsafe memory.deallocate()
  }

  @unsafe private static func makeOptions() -> OpaquePointer {
    var options: OpaquePointer?
    unsafe nghttp2_option_new(&options)
    unsafe nghttp2_option_set_no_auto_window_update(options, 1)
    unsafe nghttp2_option_set_no_http_messaging(options, 1)
    unsafe nghttp2_option_set_no_closed_streams(options, 1)
    // FrameGate counts, with limits that an operator can set.
    unsafe nghttp2_option_set_stream_reset_rate_limit(options, 1 << 40, 1 << 40)
    return unsafe options!
  }

  // MARK: Connections

  /// Starts a connection under a number of the caller's.
  package func open(_ number: UInt32, _ side: Side, _ wanted: FrameSettings) {
    while unsafe known.sessions.count <= Int(number) {
      unsafe known.sessions.append(nil)
      known.settings.append(FrameSettings())
      known.lastOpened.append(0)
      known.hasReset.append(false)
      known.opened.append(0)
      known.queuedResets.append(0)
    }
    known.lastOpened[Int(number)] = 0
    known.hasReset[Int(number)] = false
    known.opened[Int(number)] = 0
    known.queuedResets[Int(number)] = 0
    precondition(unsafe known.sessions[Int(number)] == nil)
    known.settings[Int(number)] = wanted
    let me = unsafe Unmanaged.passUnretained(self).toOpaque()
    var session: OpaquePointer?
    if side == .server {
      unsafe nghttp2_session_server_new2(&session, callbacks, me, options)
    } else {
      unsafe nghttp2_session_client_new2(&session, callbacks, me, options)
    }
    unsafe known.sessions[Int(number)] = session
    submitSettings(number, side, wanted)
    if wanted.connectionWindow > 65_535 {
      unsafe nghttp2_session_set_local_window_size(session, 0, 0, wanted.connectionWindow)
    }
  }

  private func submitSettings(_ number: UInt32, _ side: Side, _ wanted: FrameSettings) {
    var entries: [nghttp2_settings_entry] = []
    func add(_ id: nghttp2_settings_id, _ value: UInt32) {
      entries.append(nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: value))
    }
    add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, UInt32(wanted.streamWindow))
    add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, wanted.maxHeaderList)
    if side == .server {
      add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, wanted.maxStreams)
      // RFC 9218 §2.1: priorities of RFC 7540 are ignored.
      add(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1)
      if wanted.allowsExtendedConnect { add(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1) }
    } else {
      add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0)
      add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0)
    }
    unsafe nghttp2_submit_settings(known.sessions[Int(number)], 0, entries, entries.count)
  }

  package func close(_ number: UInt32) {
    guard unsafe known.sessions[Int(number)] != nil else { return }
    unsafe nghttp2_session_del(known.sessions[Int(number)])
    unsafe known.sessions[Int(number)] = nil
  }

  /// Neither side has anything left to say.
  package func isFinished(_ number: UInt32) -> Bool {
    unsafe nghttp2_session_want_read(known.sessions[Int(number)]) == 0
      && nghttp2_session_want_write(known.sessions[Int(number)]) == 0
  }

  /// How many streams the peer lets us have open.
  package func peerMaxStreams(_ number: UInt32) -> UInt32 {
    unsafe nghttp2_session_get_remote_settings(known.sessions[Int(number)], NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
  }

  /// Whether the peer takes extended CONNECT (RFC 8441 §3).
  package func peerTakesExtendedConnect(_ number: UInt32) -> Bool {
    unsafe nghttp2_session_get_remote_settings(known.sessions[Int(number)], NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL)
      == 1
  }

  /// Ends the connection with an error, or with none when all is done.
  package func terminate(_ number: UInt32, _ code: ErrorCode) {
    unsafe nghttp2_session_terminate_session(known.sessions[Int(number)], code.rawValue)
  }

  /// RFC 9113 §6.8: first a GOAWAY that refuses nothing yet, so that what is on its way is still served.
  package func announceShutdown(_ number: UInt32) {
    known.hasReset[Int(number)] = true
    unsafe nghttp2_submit_shutdown_notice(known.sessions[Int(number)])
  }

  /// Then the one that says which stream was the last.
  package func shutDown(_ number: UInt32) {
    let last = unsafe nghttp2_session_get_last_proc_stream_id(known.sessions[Int(number)])
    unsafe nghttp2_submit_goaway(known.sessions[Int(number)], 0, last, 0, nil, 0)
  }
}
