internal import CNGHTTP2
internal import HTTP

/// All HTTP/2 connections of one thread: libnghttp2's sessions behind an interface of bytes, events and commands.
///
/// `receive` takes one piece that a `FrameGate` has cut, and leaves what it meant in `events`, to be handled before the
/// next piece. `pull` leaves what is to be sent in `pieces`. A stream is bound to a `branch`, a small number of the
/// caller's; content stays with the caller, and only its amount is known here.
///
/// The library's own checks of HTTP semantics are off: `HeadTranslator` and `ContentLength` here are stricter, and
/// refuse what the library would leave out.
///
/// Longer than a file should be: all that touches the library's pointers stands here and nowhere else. Its parts (input,
/// streams, output, fields, callbacks) are marked, and are to become extensions in files of their own.
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
    /// Content still to come by Content-Length; negative: it was not said.
    var expected: Int64 = -1
  }

  // SAFETY: sessions are created in `open`, deleted once in `close` or deinit, and used by this value's thread alone.
  // Callbacks run only within calls of this value, which is alive then; their pointers are not kept.
  private var sessions: [OpaquePointer?] = unsafe []
  private var settings: [FrameSettings] = []
  /// By connection: the highest stream that the peer has opened, and whether a stream was ever reset by us.
  private var lastOpened: [Int32] = []
  private var hasReset: [Bool] = []
  private let callbacks: OpaquePointer
  private let serverOptions: OpaquePointer
  private let clientOptions: OpaquePointer

  /// What the last `receive` has brought.
  package private(set) var events: [FrameEvent] = []
  /// What the last `pull` has made.
  package private(set) var pieces: [FramePiece] = []
  /// Branches whose content is out, and whose trailers are to be submitted.
  package private(set) var wantsTrailers: [UInt32] = []
  /// The text of heads, and the frames that `pieces` refer to.
  package private(set) var translator = HeadTranslator()
  private var control = ByteArena(capacity: 32 * 1024)

  /// The text of the head or the trailers of the event that is handled.
  @_lifetime(borrow self)
  package func text() -> Span<UInt8> {
    // SAFETY: the arena's memory is this value's, and is written to by `receive` alone.
    let memory = unsafe UnsafePointer(translator.text.memory)
    let span = unsafe Span(_unsafeStart: memory, count: translator.text.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// The lines of `text` behind a head's first.
  @_lifetime(borrow self)
  package func fieldLines() -> Span<UInt8> {
    let all = text()
    guard translator.kind != .trailers else { return all }
    var start = 0
    while start < all.count, all[start] != 0x0a { start += 1 }
    return all.extracting(min(start + 1, all.count)..<all.count)
  }

  /// What `pieces` refer to.
  @_lifetime(borrow self)
  package func control(_ range: Range<Int>) -> Span<UInt8> {
    // SAFETY: as above; `pull` alone writes to it.
    precondition(range.lowerBound >= 0 && range.upperBound <= control.count)
    let memory = unsafe UnsafePointer(control.memory + range.lowerBound)
    let span = unsafe Span(_unsafeStart: memory, count: range.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  private var lines = HeadLines()
  private var branches: [Branch] = []
  private let nvs: UnsafeMutablePointer<nghttp2_nv>
  private var current = FrameEngine.none
  private var inputBase: UnsafePointer<UInt8>?
  private var inputCount = 0
  private var room = 0

  private static let maxLines = FieldTable.capacity + 4

  package init() {
    var callbacks: OpaquePointer?
    unsafe nghttp2_session_callbacks_new(&callbacks)
    unsafe self.callbacks = callbacks!
    unsafe serverOptions = FrameEngine.makeOptions()
    unsafe clientOptions = FrameEngine.makeOptions()
    unsafe nvs = .allocate(capacity: FrameEngine.maxLines)
    unsafe setCallbacks()
  }

  deinit {
    for index in unsafe sessions.indices { close(UInt32(index)) }
    unsafe nghttp2_session_callbacks_del(callbacks)
    unsafe nghttp2_option_del(serverOptions)
    unsafe nghttp2_option_del(clientOptions)
    unsafe nvs.deallocate()
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
    while unsafe sessions.count <= Int(number) {
      unsafe sessions.append(nil)
      settings.append(FrameSettings())
      lastOpened.append(0)
      hasReset.append(false)
    }
    lastOpened[Int(number)] = 0
    hasReset[Int(number)] = false
    precondition(unsafe sessions[Int(number)] == nil)
    settings[Int(number)] = wanted
    let me = unsafe Unmanaged.passUnretained(self).toOpaque()
    var session: OpaquePointer?
    if side == .server {
      unsafe nghttp2_session_server_new2(&session, callbacks, me, serverOptions)
    } else {
      unsafe nghttp2_session_client_new2(&session, callbacks, me, clientOptions)
    }
    unsafe sessions[Int(number)] = session
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
    unsafe nghttp2_submit_settings(sessions[Int(number)], 0, entries, entries.count)
  }

  package func close(_ number: UInt32) {
    guard unsafe sessions[Int(number)] != nil else { return }
    unsafe nghttp2_session_del(sessions[Int(number)])
    unsafe sessions[Int(number)] = nil
  }

  /// Neither side has anything left to say.
  package func isFinished(_ number: UInt32) -> Bool {
    unsafe nghttp2_session_want_read(sessions[Int(number)]) == 0
      && nghttp2_session_want_write(sessions[Int(number)]) == 0
  }

  package func wantsWrite(_ number: UInt32) -> Bool { unsafe nghttp2_session_want_write(sessions[Int(number)]) != 0 }

  /// How many streams the peer lets us have open.
  package func peerMaxStreams(_ number: UInt32) -> UInt32 {
    unsafe nghttp2_session_get_remote_settings(sessions[Int(number)], NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
  }

  /// Ends the connection with an error, or with none when all is done.
  package func terminate(_ number: UInt32, _ code: ErrorCode) {
    unsafe nghttp2_session_terminate_session(sessions[Int(number)], code.rawValue)
  }

  /// RFC 9113 §6.8: first a GOAWAY that refuses nothing yet, so that what is on its way is still served.
  package func announceShutdown(_ number: UInt32) {
    hasReset[Int(number)] = true
    unsafe nghttp2_submit_shutdown_notice(sessions[Int(number)])
  }

  /// Then the one that says which stream was the last.
  package func shutDown(_ number: UInt32) {
    let last = unsafe nghttp2_session_get_last_proc_stream_id(sessions[Int(number)])
    unsafe nghttp2_submit_goaway(sessions[Int(number)], 0, last, 0, nil, 0)
  }

  // MARK: Input

  /// Takes one piece, which is the start of a frame or not; false: the connection cannot go on.
  package func receive(_ number: UInt32, _ bytes: Span<UInt8>, startsFrame: Bool = false) -> Bool {
    events.removeAll(keepingCapacity: true)
    current = number
    if startsFrame, let error = violation(number, bytes) {
      terminate(number, error)
      events.append(FrameEvent(.violation))
      return true
    }
    return unsafe bytes.withUnsafeBufferPointer { input in
      unsafe inputBase = input.baseAddress
      inputCount = input.count
      let taken = unsafe nghttp2_session_mem_recv(sessions[Int(number)], input.baseAddress, input.count)
      unsafe inputBase = nil
      return taken >= 0
    }
  }

  /// What the library lets pass: frames on streams that are over (RFC 9113 §5.1, §5.1.1), and PRIORITY on stream 0 (§6.3).
  ///
  /// After a reset of ours the peer may not have heard of it, and what it had sent is ignored: then nothing is said.
  private func violation(_ number: UInt32, _ bytes: Span<UInt8>) -> ErrorCode? {
    guard isServer, bytes.count >= FrameGate.headerSize else { return nil }
    let frame = FrameHeader(bytes, at: 0)
    var id: Int32 = 0
    for index in 5..<9 { id = id << 8 | Int32(bytes[index] & (index == 5 ? 0x7f : 0xff)) }
    if frame.type == 2, id == 0 { return .protocolError }
    guard frame.type == 0 || frame.type == 1, id & 1 == 1 else { return nil }
    if id > lastOpened[Int(number)] {
      if frame.type == 1 { lastOpened[Int(number)] = id }
      return nil
    }
    guard !hasReset[Int(number)], unsafe nghttp2_session_find_stream(sessions[Int(number)], id) == nil else {
      return nil
    }
    return .streamClosed
  }

  fileprivate func beginHead(_ frame: nghttp2_frame) {
    let wanted = settings[Int(current)]
    let kind: HeadTranslator.Kind =
      switch unsafe frame.headers.cat {
      case NGHTTP2_HCAT_REQUEST: .request
      case NGHTTP2_HCAT_RESPONSE: .response
      default: isServer ? .trailers : .response
      }
    translator.begin(kind, maxListSize: Int(wanted.maxHeaderList), maxFields: Int(wanted.maxFields))
  }

  private var isServer: Bool { unsafe nghttp2_session_check_server_session(sessions[Int(current)]) != 0 }

  fileprivate func addField(_ name: nghttp2_vec, _ value: nghttp2_vec) {
    let name = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: name.base, count: name.len))
    let value = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: value.base, count: value.len))
    // A client's final response and its trailers come as the same category: the first field tells them apart.
    if translator.isUntouched, !isServer, translator.kind == .response, name.count > 0, name[0] != UInt8(ascii: ":") {
      translator.becomeTrailers()
    }
    translator.add(name, value)
  }

  fileprivate func received(_ frame: nghttp2_frame) {
    let header = unsafe frame.hd
    let ends = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    switch UInt32(header.type) {
    case NGHTTP2_HEADERS.rawValue: finishHead(header.stream_id, ends: ends)
    case NGHTTP2_DATA.rawValue where ends: finishContent(header.stream_id)
    case NGHTTP2_SETTINGS.rawValue where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0:
      events.append(FrameEvent(.settings))
    case NGHTTP2_GOAWAY.rawValue:
      var event = FrameEvent(.goaway, id: unsafe frame.goaway.last_stream_id)
      event.code = unsafe frame.goaway.error_code
      events.append(event)
    default: break
    }
  }

  private func finishHead(_ id: Int32, ends: Bool) {
    translator.finish(end: ends)
    let branch = branch(of: id)
    if let error = translator.error {
      if error.isTooLarge, translator.kind == .request {
        var event = FrameEvent(.tooLarge, id: id, branch: branch)
        event.error = error
        event.endsStream = ends
        return events.append(event)
      }
      return refuse(id, branch, error)
    }
    if translator.kind == .trailers {
      guard branch == FrameEngine.none || branches[Int(branch)].expected <= 0 else {
        return refuse(id, branch, .lengthMismatch)
      }
    }
    var event = FrameEvent(translator.kind == .trailers ? .trailers : .head, id: id, branch: branch)
    event.end = translator.text.count
    event.endsStream = ends
    events.append(event)
  }

  /// RFC 9113 §8.1.1: a malformed message is a stream error.
  private func refuse(_ id: Int32, _ branch: UInt32, _ error: MessageError) {
    unsafe nghttp2_submit_rst_stream(sessions[Int(current)], 0, id, ErrorCode.protocolError.rawValue)
    if branch != FrameEngine.none {
      unsafe nghttp2_session_set_stream_user_data(sessions[Int(current)], id, nil)
      branches[Int(branch)].connection = FrameEngine.none
    }
    var event = FrameEvent(.malformed, id: id, branch: branch)
    event.error = error
    events.append(event)
  }

  fileprivate func receivedData(_ id: Int32, _ data: UnsafePointer<UInt8>, _ count: Int) {
    // Connection flow control is not where a slow stream pushes back: its own window is.
    unsafe nghttp2_session_consume_connection(sessions[Int(current)], count)
    let branch = branch(of: id)
    guard branch != FrameEngine.none else { return }
    if branches[Int(branch)].expected >= 0 {
      guard Int64(count) <= branches[Int(branch)].expected else { return refuse(id, branch, .lengthMismatch) }
      branches[Int(branch)].expected -= Int64(count)
    }
    var event = FrameEvent(.data, id: id, branch: branch)
    guard let base = unsafe inputBase else { return }
    event.start = unsafe base.distance(to: data)
    event.end = event.start + count
    precondition(event.start >= 0 && event.end <= inputCount)
    events.append(event)
  }

  private func finishContent(_ id: Int32) {
    let branch = branch(of: id)
    guard branch != FrameEngine.none else { return }
    guard branches[Int(branch)].expected <= 0 else { return refuse(id, branch, .lengthMismatch) }
    events.append(FrameEvent(.end, id: id, branch: branch))
  }

  fileprivate func closed(_ id: Int32, _ code: UInt32) {
    var event = FrameEvent(.closed, id: id, branch: branch(of: id))
    event.code = code
    if event.branch != FrameEngine.none { branches[Int(event.branch)].connection = FrameEngine.none }
    events.append(event)
  }

  fileprivate func foundViolation() {
    // The library may have refused a stream, whose frames are still on their way.
    hasReset[Int(current)] = true
    events.append(FrameEvent(.violation))
  }

  private func branch(of id: Int32) -> UInt32 {
    let data = unsafe nghttp2_session_get_stream_user_data(sessions[Int(current)], id)
    return unsafe data == nil ? FrameEngine.none : UInt32(truncatingIfNeeded: UInt(bitPattern: data) - 1)
  }

  // MARK: Streams

  /// Ties a stream to a number of the caller's. `expected`: its Content-Length.
  package func bind(_ number: UInt32, _ id: Int32, to branch: UInt32, expected: Int64?) {
    prepare(branch)
    branches[Int(branch)] = Branch(connection: number, id: id, expected: expected ?? -1)
    unsafe nghttp2_session_set_stream_user_data(
      sessions[Int(number)], id, UnsafeMutableRawPointer(bitPattern: UInt(branch) + 1))
  }

  private func prepare(_ branch: UInt32) {
    while branches.count <= Int(branch) { branches.append(Branch()) }
  }

  /// How much content a stream is still to bring, when its head says so.
  package func expect(_ branch: UInt32, _ length: Int64?) { branches[Int(branch)].expected = length ?? -1 }

  /// Whether the stream still exists on the connection.
  package func isOpen(_ branch: UInt32) -> Bool {
    Int(branch) < branches.count && branches[Int(branch)].connection != FrameEngine.none
  }

  /// The caller's number means something else from now on; a stream that is still open is reset.
  package func unbind(_ branch: UInt32, reset code: ErrorCode) {
    guard isOpen(branch) else { return }
    let state = branches[Int(branch)]
    branches[Int(branch)] = Branch()
    guard let session = unsafe sessions[Int(state.connection)] else { return }
    hasReset[Int(state.connection)] = true
    unsafe nghttp2_session_set_stream_user_data(session, state.id, nil)
    unsafe nghttp2_submit_rst_stream(session, 0, state.id, code.rawValue)
  }

  /// The caller's number means something else from now on; nothing is said to the peer.
  package func forget(_ branch: UInt32) {
    guard Int(branch) < branches.count else { return }
    let state = branches[Int(branch)]
    branches[Int(branch)] = Branch()
    guard state.connection != FrameEngine.none else { return }
    unsafe nghttp2_session_set_stream_user_data(sessions[Int(state.connection)], state.id, nil)
  }

  /// RFC 9113 §8.1: a response that is complete before its request asks for no more of it, with NO_ERROR.
  package func resetWhenSent(_ branch: UInt32) {
    guard isOpen(branch) else { return }
    branches[Int(branch)].resetsWhenSent = true
    resetIfSent(branch)
  }

  private func resetIfSent(_ branch: UInt32) {
    let state = branches[Int(branch)]
    let session = unsafe sessions[Int(state.connection)]
    guard unsafe state.resetsWhenSent && nghttp2_session_get_stream_local_close(session, state.id) == 1 else { return }
    branches[Int(branch)].resetsWhenSent = false
    unsafe nghttp2_submit_rst_stream(session, 0, state.id, ErrorCode.noError.rawValue)
  }

  /// The stream's number on its connection; 0: it is over.
  package func id(of branch: UInt32) -> Int32 { isOpen(branch) ? branches[Int(branch)].id : 0 }

  /// Refuses a stream that was never bound.
  package func reject(_ number: UInt32, _ id: Int32, _ code: ErrorCode) {
    hasReset[Int(number)] = true
    unsafe nghttp2_submit_rst_stream(sessions[Int(number)], 0, id, code.rawValue)
  }

  /// Sends a response's head (an interim one when `status` says so); content follows by `offer` unless `end`.
  package func respond(_ branch: UInt32, _ text: Span<UInt8>, interim: Bool, end: Bool) {
    guard isOpen(branch) else { return }
    let state = branches[Int(branch)]
    let session = unsafe sessions[Int(state.connection)]
    lines.parse(.response, text)
    let count = makeResponse()
    if interim {
      unsafe nghttp2_submit_headers(session, 0, state.id, nil, nvs, count, nil)
    } else if end {
      unsafe nghttp2_submit_response(session, state.id, nvs, count, nil)
    } else {
      var provider = unsafe FrameEngine.provider(branch)
      unsafe nghttp2_submit_response(session, state.id, nvs, count, &provider)
      // All streams are alike: RFC 9218 §4.2 lets their content take turns.
      var priority = nghttp2_extpri(urgency: 3, inc: 1)
      unsafe nghttp2_session_change_extpri_stream_priority(session, state.id, &priority, 1)
    }
  }

  /// Opens a stream for a request, bound to `branch`; false: the connection takes none.
  package func request(
    _ number: UInt32, _ text: Span<UInt8>, as branch: UInt32, secure: Bool, trailers: Bool, end: Bool
  ) -> Bool {
    let session = unsafe sessions[Int(number)]
    prepare(branch)
    lines.parse(.request, text)
    let count = makeRequest(secure: secure, trailers: trailers)
    let mark = unsafe UnsafeMutableRawPointer(bitPattern: UInt(branch) + 1)
    var id: Int32
    if end {
      unsafe id = nghttp2_submit_request(session, nil, nvs, count, nil, mark)
    } else {
      var provider = unsafe FrameEngine.provider(branch)
      unsafe id = nghttp2_submit_request(session, nil, nvs, count, &provider, mark)
    }
    guard id > 0 else { return false }
    branches[Int(branch)] = Branch(connection: number, id: id)
    return true
  }

  /// Tells how much content of the branch is ready now, and whether that is the rest.
  package func offer(_ branch: UInt32, pending: Int, complete: Bool, trailers: Bool) {
    guard isOpen(branch) else { return }
    branches[Int(branch)].pending = pending
    branches[Int(branch)].isComplete = complete
    branches[Int(branch)].hasTrailers = trailers
    guard branches[Int(branch)].isDeferred, pending > 0 || complete else { return }
    branches[Int(branch)].isDeferred = false
    unsafe nghttp2_session_resume_data(sessions[Int(branches[Int(branch)].connection)], branches[Int(branch)].id)
  }

  package func sendTrailers(_ branch: UInt32, _ text: Span<UInt8>) {
    guard isOpen(branch) else { return }
    lines.parse(.trailers, text)
    let count = addLines(0)
    let state = branches[Int(branch)]
    unsafe nghttp2_submit_trailer(sessions[Int(state.connection)], state.id, nvs, count)
  }

  /// The other side has taken so much of the branch's content: the peer may send as much again.
  package func consume(_ branch: UInt32, _ count: Int) {
    guard isOpen(branch) else { return }
    let state = branches[Int(branch)]
    unsafe nghttp2_session_consume_stream(sessions[Int(state.connection)], state.id, count)
  }

  // MARK: Output

  /// The largest frame with what the library puts before it.
  private static let frameRoom = 9 + FrameGate.maxFrame + 16

  /// Makes what is to be sent into `pieces`, at most `room` bytes; false: the connection cannot go on. Streams that end
  /// with it are in `events`.
  package func pull(_ number: UInt32, room: Int) -> Bool {
    events.removeAll(keepingCapacity: true)
    pieces.removeAll(keepingCapacity: true)
    wantsTrailers.removeAll(keepingCapacity: true)
    control.clear()
    current = number
    self.room = room
    let session = unsafe sessions[Int(number)]
    while self.room >= FrameEngine.frameRoom {
      var bytes: UnsafePointer<UInt8>?
      let count = unsafe nghttp2_session_mem_send(session, &bytes)
      guard count != 0, let bytes = unsafe bytes else { return count >= 0 }
      guard count > 0 else { return false }
      unsafe addControl(bytes, count)
    }
    return true
  }

  private func addControl(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    let start = control.count
    unsafe control.append(Span(_unsafeStart: bytes, count: count))
    room -= count
    if let last = pieces.indices.last, pieces[last].branch == FrameEngine.none {
      pieces[last].end = control.count
    } else {
      pieces.append(FramePiece(start: start, end: control.count))
    }
  }

  @unsafe private static func provider(_ branch: UInt32) -> nghttp2_data_provider {
    var provider = unsafe nghttp2_data_provider()
    unsafe provider.source.ptr = UnsafeMutableRawPointer(bitPattern: UInt(branch) + 1)
    unsafe provider.read_callback = { _, _, _, length, flags, source, me in
      let branch = unsafe UInt32(truncatingIfNeeded: UInt(bitPattern: source!.pointee.ptr) - 1)
      let engine = unsafe Unmanaged<FrameEngine>.fromOpaque(me!).takeUnretainedValue()
      return unsafe engine.readContent(branch, Int(length), &flags!.pointee)
    }
    return unsafe provider
  }

  /// How much of a branch goes into the next DATA frame.
  private func readContent(_ branch: UInt32, _ limit: Int, _ flags: inout UInt32) -> Int {
    guard Int(branch) < branches.count else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
    let state = branches[Int(branch)]
    if state.pending == 0, !state.isComplete {
      branches[Int(branch)].isDeferred = true
      return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    flags |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
    let count = min(state.pending, limit)
    if count == state.pending, state.isComplete {
      flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
      if state.hasTrailers {
        flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
        wantsTrailers.append(branch)
      }
    }
    return count
  }

  /// A DATA frame: its header here, its content from the branch. false: there is no room, and it is asked again.
  fileprivate func sendContent(_ header: UnsafePointer<UInt8>, _ count: Int, _ branch: UInt32) -> Bool {
    guard count + FrameGate.headerSize <= room else { return false }
    unsafe addControl(header, FrameGate.headerSize)
    room -= count
    branches[Int(branch)].pending -= count
    pieces[pieces.count - 1].branch = branch
    pieces[pieces.count - 1].content = count
    return true
  }

  fileprivate func sent(_ frame: nghttp2_frame) {
    let header = unsafe frame.hd
    if UInt32(header.type) == NGHTTP2_RST_STREAM.rawValue { hasReset[Int(current)] = true }
    guard header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0, header.stream_id > 0 else { return }
    let branch = branch(of: header.stream_id)
    guard branch != FrameEngine.none, branches[Int(branch)].resetsWhenSent else { return }
    branches[Int(branch)].resetsWhenSent = false
    unsafe nghttp2_submit_rst_stream(sessions[Int(current)], 0, header.stream_id, ErrorCode.noError.rawValue)
  }

  // MARK: Fields

  private func makeResponse() -> Int {
    // RFC 8441 §5: what HTTP/1.1 says with 101 is 200 here.
    if lines.text.bytes(lines.status).isExactly("101") {
      set(0, ":status", "200")
    } else {
      set(0, ":status", lines.text.bytes(lines.status))
    }
    return addLines(1)
  }

  private func makeRequest(secure: Bool, trailers: Bool) -> Int {
    set(0, ":method", lines.text.bytes(lines.method))
    var count = 1
    if !lines.text.bytes(lines.method).isExactly("CONNECT") {
      set(count, ":scheme", secure ? "https" : "http")
      set(count + 1, ":path", lines.text.bytes(lines.target))
      count += 2
    }
    if !lines.authority.isEmpty {
      set(count, ":authority", lines.text.bytes(lines.authority))
      count += 1
    }
    if trailers {
      set(count, "te", "trailers")
      count += 1
    }
    return addLines(count)
  }

  private func addLines(_ first: Int) -> Int {
    var count = first
    for line in lines.lines where count < FrameEngine.maxLines {
      let name = unsafe lines.text.memory + line.name.lowerBound
      let value = unsafe lines.text.memory + line.value.lowerBound
      unsafe nvs[count] = nghttp2_nv(
        name: name, value: value, namelen: line.name.count, valuelen: line.value.count, flags: 0)
      count += 1
    }
    return count
  }

  private func set(_ index: Int, _ name: StaticString, _ value: Span<UInt8>) {
    // SAFETY: the library copies names and values before the call that they are for returns; `lines` is unchanged till then.
    unsafe value.withUnsafeBufferPointer { value in
      unsafe nvs[index] = nghttp2_nv(
        name: UnsafeMutablePointer(mutating: name.utf8Start),
        value: UnsafeMutablePointer(mutating: value.baseAddress ?? UnsafePointer(name.utf8Start)),
        namelen: name.utf8CodeUnitCount, valuelen: value.count, flags: 0)
    }
  }

  private func set(_ index: Int, _ name: StaticString, _ value: StaticString) {
    unsafe nvs[index] = nghttp2_nv(
      name: UnsafeMutablePointer(mutating: name.utf8Start), value: UnsafeMutablePointer(mutating: value.utf8Start),
      namelen: name.utf8CodeUnitCount, valuelen: value.utf8CodeUnitCount, flags: 0)
  }
}

// MARK: Callbacks

extension FrameEngine {
  /// The engine that a callback is for.
  @unsafe private static func engine(_ data: UnsafeMutableRawPointer?) -> FrameEngine {
    unsafe Unmanaged<FrameEngine>.fromOpaque(data!).takeUnretainedValue()
  }

  @unsafe fileprivate func setCallbacks() {
    unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, me in
      unsafe FrameEngine.engine(me).beginHead(frame!.pointee)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_header_callback2(callbacks) { _, _, name, value, _, me in
      unsafe FrameEngine.engine(me).addField(nghttp2_rcbuf_get_buf(name), nghttp2_rcbuf_get_buf(value))
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, me in
      unsafe FrameEngine.engine(me).received(frame!.pointee)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, data, count, me in
      unsafe FrameEngine.engine(me).receivedData(id, data!, count)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, me in
      unsafe FrameEngine.engine(me).closed(id, code)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, _, _, me in
      unsafe FrameEngine.engine(me).foundViolation()
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, me in
      unsafe FrameEngine.engine(me).sent(frame!.pointee)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, _, header, count, source, me in
      let branch = unsafe UInt32(truncatingIfNeeded: UInt(bitPattern: source!.pointee.ptr) - 1)
      let sent = unsafe FrameEngine.engine(me).sendContent(header!, count, branch)
      return sent ? 0 : Int32(NGHTTP2_ERR_WOULDBLOCK.rawValue)
    }
  }
}
