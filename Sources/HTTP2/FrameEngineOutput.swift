internal import CNGHTTP2
internal import HTTP

/// What is to be sent becomes pieces.
extension FrameEngine {
  /// The largest frame with what the library puts before it.
  private static let frameRoom = 9 + FrameGate.maxFrame + 16

  /// Whether so many resets wait that the streams they end, which count until then, may crowd out new ones.
  package func hasManyResets(_ number: UInt32) -> Bool {
    known.queuedResets[Int(number)] >= max(1, known.settings[Int(number)].maxStreams / 4)
  }

  /// Makes what is to be sent into `pieces`, at most `room` bytes; false: the connection cannot go on. Streams that end
  /// with it are in `events`.
  package func pull(_ number: UInt32, room: Int) -> Bool {
    known.events.removeAll(keepingCapacity: true)
    known.pieces.removeAll(keepingCapacity: true)
    known.wantsTrailers.removeAll(keepingCapacity: true)
    known.control.clear()
    known.current = number
    known.queuedResets[Int(number)] = 0
    known.room = room
    let session = unsafe known.sessions[Int(number)]
    while known.room >= FrameEngine.frameRoom {
      var bytes: UnsafePointer<UInt8>?
      let count = unsafe nghttp2_session_mem_send(session, &bytes)
      guard count != 0, let bytes = unsafe bytes else { return count >= 0 }
      guard count > 0 else { return false }
      unsafe addControl(bytes, count)
    }
    return true
  }

  func addControl(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    let start = known.control.count
    unsafe known.control.append(Span(_unsafeStart: bytes, count: count))
    known.room -= count
    if let last = known.pieces.indices.last, known.pieces[last].branch == FrameEngine.none {
      known.pieces[last].end = known.control.count
    } else {
      known.pieces.append(FramePiece(start: start, end: known.control.count))
    }
  }

  @unsafe static func provider(_ branch: UInt32) -> nghttp2_data_provider {
    var provider = unsafe nghttp2_data_provider()
    unsafe provider.source.ptr = mark(branch)
    unsafe provider.read_callback = { _, _, _, length, flags, source, me in
      let branch = unsafe FrameEngine.branch(source!.pointee.ptr)
      return unsafe FrameEngine.engine(me).readContent(branch, Int(length), &flags!.pointee)
    }
    return unsafe provider
  }

  /// How much of a branch goes into the next DATA frame.
  func readContent(_ branch: UInt32, _ limit: Int, _ flags: inout UInt32) -> Int {
    guard Int(branch) < known.branches.count else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
    let state = known.branches[Int(branch)]
    if state.pending == 0, !state.isComplete {
      known.branches[Int(branch)].isDeferred = true
      return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    flags |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
    let count = min(state.pending, limit)
    if count == state.pending, state.isComplete {
      flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
      if state.hasTrailers {
        flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
        known.wantsTrailers.append(branch)
      }
    }
    return count
  }

  /// A DATA frame: its header here, its content from the branch. false: there is no room, and it is asked again.
  func sendContent(_ header: UnsafePointer<UInt8>, _ count: Int, _ branch: UInt32) -> Bool {
    guard count + FrameGate.headerSize <= known.room else { return false }
    unsafe addControl(header, FrameGate.headerSize)
    known.room -= count
    known.branches[Int(branch)].pending -= count
    known.pieces[known.pieces.count - 1].branch = branch
    known.pieces[known.pieces.count - 1].content = count
    return true
  }

  func sent(_ frame: nghttp2_frame) {
    let header = unsafe frame.hd
    if UInt32(header.type) == NGHTTP2_RST_STREAM.rawValue { known.hasReset[Int(known.current)] = true }
    guard header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0, header.stream_id > 0 else { return }
    let branch = branch(of: header.stream_id)
    guard branch != FrameEngine.none, known.branches[Int(branch)].resetsWhenSent else { return }
    known.branches[Int(branch)].resetsWhenSent = false
    reset(known.current, header.stream_id, .noError)
  }
}
