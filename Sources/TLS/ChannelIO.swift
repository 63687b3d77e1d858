internal import COpenSSL
package import Reactor

/// What a handshake's step has come to.
package enum Handshake: Sendable {
  case done
  case wantsMore
  /// What is pending is to be sent before it goes on.
  case wantsRoom
  case failed(HandshakeFailure)
}

/// What decrypting has come to, beside the bytes.
package enum Decryption: Hashable, Sendable {
  /// Everything received was taken.
  case drained
  /// There may be more, but the reader has no room.
  case full
  /// The peer has said that it sends no more.
  case ended
  case failed
}

extension Channels {
  /// Goes on with a handshake.
  package mutating func shake(_ index: UInt32) -> Handshake {
    let session = unsafe channels[index].session
    unsafe wire.pointee.steps = 0
    let result = unsafe SSL_do_handshake(session)
    if result == 1 { return .done }
    switch unsafe SSL_get_error(session, result) {
    case SSL_ERROR_WANT_READ: return .wantsMore
    case SSL_ERROR_WANT_WRITE: return .wantsRoom
    default:
      channels[index].hasFailed = true
      let failure = unsafe HandshakeFailure.last(session)
      return .failed(failure)
    }
  }

  /// Decrypts what was received, behind what is in `region`; what that has no room for stays with the channel.
  package mutating func decrypt(_ index: UInt32, into region: inout ByteRegion) -> Decryption {
    let session = unsafe channels[index].session
    channels[index].isUnread = false
    unsafe wire.pointee.steps = 0
    let before = region.count
    defer { settleSteps(index, region.count - before) }
    while region.room > 0 {
      var result: Int32 = 0
      let room = region.room
      var count = 0
      unsafe region.fill { memory in
        result = unsafe SSL_read_ex(session, memory.baseAddress, memory.count, &count)
        return count
      }
      guard result == 1 else {
        let error = unsafe SSL_get_error(session, result)
        if error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE { return .drained }
        if error == SSL_ERROR_ZERO_RETURN {
          channels[index].isAtEnd = true
          return .ended
        }
        channels[index].hasFailed = true
        ERR_clear_error()
        return .failed
      }
      // PERF: a record that left room was taken whole; asking once more would only tell so, for 0.3 µs.
      if unsafe wire.pointee.start == wire.pointee.end, count < room { return .drained }
    }
    channels[index].isUnread = true
    _ = hold(index)
    return .full
  }

  /// A peer that lets keys be updated (RFC 8446 §4.6.3) or asks for a renegotiation makes us work, and answer, without
  /// having to say anything. So each KiB of content earns it a step, a third of an update; what is beyond that and a
  /// reserve, it has for its connection's whole life.
  private mutating func settleSteps(_ index: UInt32, _ content: Int) {
    let steps = unsafe wire.pointee.steps
    guard steps > 0 || channels[index].steps > 0 else { return }
    channels[index].steps = max(0, channels[index].steps + steps - content >> 10)
    if channels[index].steps > Channels.spareSteps { channels[index].hasFailed = true }
  }

  private static let spareSteps = 256

  /// Encrypts a range of `region`; what comes of it is pending. False: the channel has failed.
  package mutating func encrypt(_ index: UInt32, _ region: borrowing ByteRegion, _ range: Range<Int>) -> Bool {
    encrypt(index, region.bytes(range))
  }

  package mutating func encrypt(_ index: UInt32, _ bytes: Span<UInt8>) -> Bool {
    guard bytes.count > 0 else { return true }
    guard !channels[index].hasFailed, !channels[index].hasEnded else { return false }
    let session = unsafe channels[index].session
    var count = 0
    // SAFETY: reads the span during the call. The wire has room for a whole region's records.
    let result = unsafe bytes.withUnsafeBytes {
      unsafe SSL_write_ex(session, $0.baseAddress, $0.count, &count)
    }
    if result == 1 { return true }
    channels[index].hasFailed = true
    ERR_clear_error()
    return false
  }

  /// Says that no more will be sent (close_notify), once; it is pending then.
  package mutating func end(_ index: UInt32) {
    guard !channels[index].hasFailed, !channels[index].hasEnded,
      unsafe SSL_is_init_finished(channels[index].session) == 1
    else { return }
    channels[index].hasEnded = true
    _ = unsafe SSL_shutdown(channels[index].session)
    ERR_clear_error()
  }
}
