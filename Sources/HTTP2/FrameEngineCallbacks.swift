internal import CNGHTTP2

/// The library's calls back into the engine.
extension FrameEngine {
  /// The engine that a callback is for.
  @unsafe static func engine(_ data: UnsafeMutableRawPointer?) -> FrameEngine {
    unsafe Unmanaged<FrameEngine>.fromOpaque(data!).takeUnretainedValue()
  }

  /// What the library keeps for a stream: no address, but a number that is never nil, and the way back.
  @unsafe static func mark(_ branch: UInt32) -> UnsafeMutableRawPointer? {
    unsafe UnsafeMutableRawPointer(bitPattern: UInt(branch) + 1)
  }

  static func branch(_ mark: UnsafeMutableRawPointer?) -> UInt32 {
    unsafe mark == nil ? none : UInt32(truncatingIfNeeded: UInt(bitPattern: mark) - 1)
  }

  @unsafe func setCallbacks() {
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
    unsafe nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, frame, code, me in
      unsafe FrameEngine.engine(me).foundViolation(frame!.pointee.hd, code)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, me in
      unsafe FrameEngine.engine(me).sent(frame!.pointee)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, _, header, count, source, me in
      let branch = unsafe FrameEngine.branch(source!.pointee.ptr)
      let sent = unsafe FrameEngine.engine(me).sendContent(header!, count, branch)
      return sent ? 0 : Int32(NGHTTP2_ERR_WOULDBLOCK.rawValue)
    }
  }
}
