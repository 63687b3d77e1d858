internal import CNGHTTP2
internal import HTTP

/// Bytes of a peer become events.
extension FrameEngine {
  /// Takes one piece, which is the start of a frame or not; false: the connection cannot go on.
  package func receive(_ number: UInt32, _ bytes: Span<UInt8>, startsFrame: Bool = false) -> Bool {
    known.events.removeAll(keepingCapacity: true)
    known.current = number
    if startsFrame, let error = violation(number, bytes) {
      terminate(number, error)
      known.events.append(FrameEvent(.violation))
      return true
    }
    return unsafe bytes.withUnsafeBufferPointer { input in
      unsafe known.inputBase = input.baseAddress
      known.inputCount = input.count
      let taken = unsafe nghttp2_session_mem_recv(known.sessions[Int(number)], input.baseAddress, input.count)
      unsafe known.inputBase = nil
      return taken >= 0
    }
  }

  /// What the library lets pass: frames on streams that are over (RFC 9113 §5.1, §5.1.1), and PRIORITY on stream 0 (§6.3).
  ///
  /// After a reset of ours the peer may not have heard of it, and what it had sent is ignored: then nothing is said.
  func violation(_ number: UInt32, _ bytes: Span<UInt8>) -> ErrorCode? {
    guard isServer, bytes.count >= FrameGate.headerSize else { return nil }
    let frame = FrameHeader(bytes, at: 0)
    var id: Int32 = 0
    for index in 5..<9 { id = id << 8 | Int32(bytes[index] & (index == 5 ? 0x7f : 0xff)) }
    if frame.type == 2, id == 0 { return .protocolError }
    guard frame.type == 0 || frame.type == 1, id & 1 == 1 else { return nil }
    if id > known.lastOpened[Int(number)] {
      if frame.type == 1 { known.lastOpened[Int(number)] = id }
      return nil
    }
    guard !known.hasReset[Int(number)], unsafe nghttp2_session_find_stream(known.sessions[Int(number)], id) == nil
    else {
      return nil
    }
    return .streamClosed
  }

  func beginHead(_ frame: nghttp2_frame) {
    let wanted = known.settings[Int(known.current)]
    let kind: HeadTranslator.Kind =
      switch unsafe frame.headers.cat {
      case NGHTTP2_HCAT_REQUEST: .request
      case NGHTTP2_HCAT_RESPONSE: .response
      default: isServer ? .trailers : .response
      }
    if kind == .request { known.opened[Int(known.current)] += 1 }
    known.translator.begin(kind, maxListSize: Int(wanted.maxHeaderList), maxFields: Int(wanted.maxFields))
  }

  private var isServer: Bool { unsafe nghttp2_session_check_server_session(known.sessions[Int(known.current)]) != 0 }

  func addField(_ name: nghttp2_vec, _ value: nghttp2_vec) {
    let name = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: name.base, count: name.len))
    let value = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: value.base, count: value.len))
    // A client's final response and its trailers come as the same category: the first field tells them apart.
    if known.translator.isUntouched, !isServer, known.translator.kind == .response, name.count > 0,
      name[0] != UInt8(ascii: ":")
    {
      known.translator.becomeTrailers()
    }
    known.translator.add(name, value)
  }

  func received(_ frame: nghttp2_frame) {
    let header = unsafe frame.hd
    let ends = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    switch UInt32(header.type) {
    case NGHTTP2_HEADERS.rawValue: finishHead(header.stream_id, ends: ends)
    case NGHTTP2_DATA.rawValue where ends: finishContent(header.stream_id)
    case NGHTTP2_SETTINGS.rawValue where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0:
      known.events.append(FrameEvent(.settings))
    case NGHTTP2_GOAWAY.rawValue:
      var event = FrameEvent(.goaway, id: unsafe frame.goaway.last_stream_id)
      event.code = unsafe frame.goaway.error_code
      known.events.append(event)
    default: break
    }
  }

  func finishHead(_ id: Int32, ends: Bool) {
    known.translator.finish(end: ends)
    let branch = branch(of: id)
    if let error = known.translator.error {
      if error.isTooLarge, known.translator.kind == .request {
        var event = FrameEvent(.tooLarge, id: id, branch: branch)
        event.error = error
        event.endsStream = ends
        return known.events.append(event)
      }
      return refuse(id, branch, error)
    }
    if known.translator.kind == .trailers {
      guard branch == FrameEngine.none || known.branches[Int(branch)].expected <= 0 else {
        return refuse(id, branch, .lengthMismatch)
      }
    }
    var event = FrameEvent(known.translator.kind == .trailers ? .trailers : .head, id: id, branch: branch)
    event.end = known.translator.text.count
    event.endsStream = ends
    known.events.append(event)
  }

  /// RFC 9113 §8.1.1: a malformed message is a stream error.
  func refuse(_ id: Int32, _ branch: UInt32, _ error: MessageError) {
    reset(known.current, id, .protocolError)
    if branch != FrameEngine.none {
      unsafe nghttp2_session_set_stream_user_data(known.sessions[Int(known.current)], id, nil)
      known.branches[Int(branch)].connection = FrameEngine.none
    }
    var event = FrameEvent(.malformed, id: id, branch: branch)
    event.error = error
    known.events.append(event)
  }

  func receivedData(_ id: Int32, _ data: UnsafePointer<UInt8>, _ count: Int) {
    let branch = branch(of: id)
    // A client's connection holds no more than its window, however many streams it has. A backend's is shared by clients:
    // there a slow one pushes back by its stream's window alone, and holds no other back.
    if branch == FrameEngine.none || !isServer {
      unsafe nghttp2_session_consume_connection(known.sessions[Int(known.current)], count)
    } else {
      known.branches[Int(branch)].held += count
      known.branches[Int(branch)].holder = known.current
    }
    guard branch != FrameEngine.none else { return }
    if known.branches[Int(branch)].expected >= 0 {
      guard Int64(count) <= known.branches[Int(branch)].expected else { return refuse(id, branch, .lengthMismatch) }
      known.branches[Int(branch)].expected -= Int64(count)
    }
    var event = FrameEvent(.data, id: id, branch: branch)
    guard let base = unsafe known.inputBase else { return }
    event.start = unsafe base.distance(to: data)
    event.end = event.start + count
    precondition(event.start >= 0 && event.end <= known.inputCount)
    known.events.append(event)
  }

  func finishContent(_ id: Int32) {
    let branch = branch(of: id)
    guard branch != FrameEngine.none else { return }
    guard known.branches[Int(branch)].expected <= 0 else { return refuse(id, branch, .lengthMismatch) }
    known.events.append(FrameEvent(.end, id: id, branch: branch))
  }

  func closed(_ id: Int32, _ code: UInt32) {
    var event = FrameEvent(.closed, id: id, branch: branch(of: id))
    event.code = code
    if event.branch != FrameEngine.none { known.branches[Int(event.branch)].connection = FrameEngine.none }
    if isServer, id & 1 == 1, known.opened[Int(known.current)] > 0 { known.opened[Int(known.current)] -= 1 }
    known.events.append(event)
  }

  func foundViolation(_ frame: nghttp2_frame_hd, _ code: Int32) {
    // The library may have refused a stream, whose frames are still on their way.
    known.hasReset[Int(known.current)] = true
    // RFC 9113 §5.1.2: more streams than allowed. After its SETTINGS were acknowledged the library ends the connection.
    let isExcess =
      isServer && UInt32(frame.type) == NGHTTP2_HEADERS.rawValue && code == NGHTTP2_ERR_PROTO.rawValue
      && known.opened[Int(known.current)] >= known.settings[Int(known.current)].maxStreams
    known.events.append(FrameEvent(isExcess ? .excess : .violation))
  }

  func branch(of id: Int32) -> UInt32 {
    unsafe FrameEngine.branch(nghttp2_session_get_stream_user_data(known.sessions[Int(known.current)], id))
  }
}
