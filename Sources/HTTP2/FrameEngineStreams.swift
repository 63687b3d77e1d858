internal import CNGHTTP2
internal import HTTP

/// Streams, and what is said on them.
extension FrameEngine {
  /// Ties a stream to a number of the caller's. `expected`: its Content-Length.
  package func bind(_ number: UInt32, _ id: Int32, to branch: UInt32, expected: Int64?) {
    prepare(branch)
    known.branches[Int(branch)] = Branch(connection: number, id: id, expected: expected ?? -1)
    unsafe nghttp2_session_set_stream_user_data(known.sessions[Int(number)], id, FrameEngine.mark(branch))
  }

  func prepare(_ branch: UInt32) {
    while known.branches.count <= Int(branch) { known.branches.append(Branch()) }
  }

  /// How much content a stream is still to bring, when its head says so.
  package func expect(_ branch: UInt32, _ length: Int64?) { known.branches[Int(branch)].expected = length ?? -1 }

  /// Whether the stream still exists on the connection.
  package func isOpen(_ branch: UInt32) -> Bool {
    Int(branch) < known.branches.count && known.branches[Int(branch)].connection != FrameEngine.none
  }

  /// The caller's number means something else from now on; a stream that is still open is reset.
  package func unbind(_ branch: UInt32, reset code: ErrorCode) {
    giveBack(branch)
    guard isOpen(branch) else { return }
    let state = known.branches[Int(branch)]
    known.branches[Int(branch)] = Branch()
    guard let session = unsafe known.sessions[Int(state.connection)] else { return }
    unsafe nghttp2_session_set_stream_user_data(session, state.id, nil)
    reset(state.connection, state.id, code)
  }

  /// The caller's number means something else from now on; nothing is said to the peer.
  package func forget(_ branch: UInt32) {
    guard Int(branch) < known.branches.count else { return }
    giveBack(branch)
    let state = known.branches[Int(branch)]
    known.branches[Int(branch)] = Branch()
    guard state.connection != FrameEngine.none else { return }
    unsafe nghttp2_session_set_stream_user_data(known.sessions[Int(state.connection)], state.id, nil)
  }

  /// RFC 9113 §8.1: a response that is complete before its request asks for no more of it, with NO_ERROR.
  package func resetWhenSent(_ branch: UInt32) {
    guard isOpen(branch) else { return }
    known.branches[Int(branch)].resetsWhenSent = true
    resetIfSent(branch)
  }

  func resetIfSent(_ branch: UInt32) {
    let state = known.branches[Int(branch)]
    let session = unsafe known.sessions[Int(state.connection)]
    guard unsafe state.resetsWhenSent && nghttp2_session_get_stream_local_close(session, state.id) == 1 else { return }
    known.branches[Int(branch)].resetsWhenSent = false
    reset(state.connection, state.id, .noError)
  }

  /// The stream's number on its connection; 0: it is over.
  package func id(of branch: UInt32) -> Int32 { isOpen(branch) ? known.branches[Int(branch)].id : 0 }

  /// Refuses a stream that was never bound.
  package func reject(_ number: UInt32, _ id: Int32, _ code: ErrorCode) { reset(number, id, code) }

  func reset(_ number: UInt32, _ id: Int32, _ code: ErrorCode) {
    known.hasReset[Int(number)] = true
    known.queuedResets[Int(number)] += 1
    unsafe nghttp2_submit_rst_stream(known.sessions[Int(number)], 0, id, code.rawValue)
  }

  /// Sends a response's head (an interim one when `status` says so); content follows by `offer` unless `end`.
  package func respond(_ branch: UInt32, _ text: Span<UInt8>, interim: Bool, end: Bool) {
    guard isOpen(branch) else { return }
    let state = known.branches[Int(branch)]
    let session = unsafe known.sessions[Int(state.connection)]
    known.lines.parse(.response, text)
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

  /// Opens a stream for a request, bound to `branch`; false: the connection takes none. `webSocket`: what is an upgrade in
  /// the text is an extended CONNECT here (RFC 8441 §4).
  package func request(
    _ number: UInt32, _ text: Span<UInt8>, as branch: UInt32, secure: Bool, trailers: Bool, webSocket: Bool = false,
    end: Bool
  ) -> Bool {
    let session = unsafe known.sessions[Int(number)]
    prepare(branch)
    known.lines.parse(.request, text)
    let count = makeRequest(secure: secure, trailers: trailers, webSocket: webSocket)
    let mark = unsafe FrameEngine.mark(branch)
    var id: Int32
    if end {
      unsafe id = nghttp2_submit_request(session, nil, nvs, count, nil, mark)
    } else {
      var provider = unsafe FrameEngine.provider(branch)
      unsafe id = nghttp2_submit_request(session, nil, nvs, count, &provider, mark)
    }
    guard id > 0 else { return false }
    known.branches[Int(branch)] = Branch(connection: number, id: id)
    return true
  }

  /// Tells how much content of the branch is ready now, and whether that is the rest.
  package func offer(_ branch: UInt32, pending: Int, complete: Bool, trailers: Bool) {
    guard isOpen(branch) else { return }
    known.branches[Int(branch)].pending = pending
    known.branches[Int(branch)].isComplete = complete
    known.branches[Int(branch)].hasTrailers = trailers
    guard known.branches[Int(branch)].isDeferred, pending > 0 || complete else { return }
    known.branches[Int(branch)].isDeferred = false
    unsafe nghttp2_session_resume_data(
      known.sessions[Int(known.branches[Int(branch)].connection)], known.branches[Int(branch)].id)
  }

  package func sendTrailers(_ branch: UInt32, _ text: Span<UInt8>) {
    guard isOpen(branch) else { return }
    known.lines.parse(.trailers, text)
    let count = addLines(0)
    let state = known.branches[Int(branch)]
    unsafe nghttp2_submit_trailer(known.sessions[Int(state.connection)], state.id, nvs, count)
  }

  /// The other side has taken so much of the branch's content: the peer may send as much again.
  package func consume(_ branch: UInt32, _ count: Int) {
    guard Int(branch) < known.branches.count else { return }
    if known.branches[Int(branch)].held > 0 { giveBack(branch, atMost: count) }
    guard isOpen(branch) else { return }
    let state = known.branches[Int(branch)]
    unsafe nghttp2_session_consume_stream(known.sessions[Int(state.connection)], state.id, count)
  }

  /// What a branch holds of its connection's window is free again.
  func giveBack(_ branch: UInt32, atMost count: Int = .max) {
    guard Int(branch) < known.branches.count, known.branches[Int(branch)].held > 0 else { return }
    let freed = min(count, known.branches[Int(branch)].held)
    known.branches[Int(branch)].held -= freed
    unsafe nghttp2_session_consume_connection(known.sessions[Int(known.branches[Int(branch)].holder)], freed)
  }
}
