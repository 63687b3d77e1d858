import Kernel
import Model
import Reactor
import TLS

/// DNS over TLS (RFC 7858): what stands between a client's queries and its socket.
///
/// A handshake costs a hundred times what a query does, and queries over UDP wait meanwhile: so a turn takes a few steps
/// of them, a worker has only so many under way, and each has a deadline.
extension Worker {
  /// Steps of handshakes in one turn: 2 ms of it, at worst.
  static let stepsPerTurn = 8

  mutating func beginHandshake(_ index: UInt32) {
    guard let context = catalog.encryption, let channel = channels.accept(context) else { return close(index) }
    streams[index].channel = channel
    streams[index].isShaking = true
    streams[index].deadline = milliseconds + catalog.handshakeMilliseconds
    handshaking += 1
  }

  /// Goes on with a handshake as far as it gets.
  mutating func shake(_ index: UInt32) {
    guard handshakeSteps > 0 else { return postpone(index) }
    handshakeSteps -= 1
    let channel = streams[index].channel
    // A ClientHello comes in one piece or two, and a client's last flight in one.
    for _ in 0..<4 {
      let isLoaded = channels.load(channel)
      let result = channels.receive(from: streams[index].descriptor, atMost: channels.room)
      let isOver = result.isEnd || result.failed
      switch channels.shake(channel) {
      case .done:
        let isHeld = channels.hold(channel)
        guard sendPending(index) else { return handshakeFailed(index, .closed) }
        return finishHandshake(index, isReadable: isHeld || !result.wouldBlock)
      case .wantsMore:
        guard sendPending(index), !isOver else { return handshakeFailed(index, .closed) }
        if !isLoaded, result.wouldBlock { return }
      case .wantsRoom:
        // A chain of certificates that is longer than the wire: what the socket refuses is held.
        guard sendPending(index) else { return handshakeFailed(index, .closed) }
      case .failed(let failure):
        // The alert.
        _ = sendPending(index)
        return handshakeFailed(index, failure.kind)
      }
    }
    postpone(index)
  }

  private mutating func finishHandshake(_ index: UInt32, isReadable: Bool) {
    streams[index].isShaking = false
    streams[index].isReadable = isReadable
    streams[index].deadline = milliseconds + idleMilliseconds
    handshakeEnded()
    counters.count(.handshakes)
    if channels.isResumed(streams[index].channel) { counters.count(.resumptions) }
    pump(index)
  }

  private mutating func handshakeFailed(_ index: UInt32, _ kind: HandshakeFailure.Kind) {
    counters.count(kind)
    close(index)
  }

  private mutating func handshakeEnded() {
    handshaking -= 1
    if isMuted, handshaking < catalog.handshakeLimit { unmute() }
  }

  /// New clients of TLS wait in the accept queue.
  mutating func mute() {
    isMuted = true
    for socket in sockets where socket.isSecure { epoll.remove(socket.descriptor) }
  }

  mutating func unmute() {
    guard isMuted else { return }
    isMuted = false
    for (index, socket) in sockets.enumerated() where socket.isSecure {
      try? epoll.add(socket.descriptor, token: Worker.token(of: socket, at: index), .level)
    }
  }

  // MARK: Bytes

  /// What the client has sent in clear, behind what is in `received`.
  mutating func receive(_ index: UInt32) -> Transfer {
    let channel = streams[index].channel
    guard channel != Stream.none else { return received.receive(from: streams[index].descriptor) }
    let before = received.count
    // Records without content must not hold the worker.
    for _ in 0..<4 {
      switch channels.standing(channel) {
      case .open: break
      case .ended: return Transfer(0)
      case .failed: return Transfer.reset
      }
      let isLoaded = channels.load(channel)
      let result = channels.receive(from: streams[index].descriptor, atMost: min(channels.room, received.room))
      if !isLoaded, result.value <= 0 { return result }
      let outcome = channels.decrypt(channel, into: &received)
      guard sendPending(index), outcome != .failed else { return Transfer.reset }
      if received.count > before { return Transfer(received.count - before) }
      if outcome == .ended || result.isEnd { return Transfer(0) }
      if outcome == .drained, result.wouldBlock { return Transfer.wouldBlock }
    }
    postpone(index)
    return Transfer.wouldBlock
  }

  /// Encrypts and sends `outgoing`; what the socket refuses is kept. False when the stream is gone.
  mutating func sendSecure(_ index: UInt32) -> Bool {
    // What comes of a piece has room in the channels' one buffer.
    let piece = 32 << 10
    var start = 0
    while start < outgoing.count {
      let end = min(start + piece, outgoing.count)
      guard channels.encrypt(streams[index].channel, outgoing, start..<end), sendPending(index) else {
        close(index)
        return false
      }
      start = end
    }
    outgoing.clear()
    return true
  }

  /// Sends what the stream's channel has written, or keeps it; false when that cannot be.
  private mutating func sendPending(_ index: UInt32) -> Bool {
    guard channels.hasPending else { return true }
    var start = 0
    if streams[index].output.isEmpty {
      let result = channels.send(to: streams[index].descriptor)
      start = result.bytes
      guard !result.failed, start < channels.pendingCount else {
        channels.clearPending()
        return !result.failed
      }
    }
    guard streams[index].output.count < Worker.outputLimit else {
      channels.clearPending()
      return false
    }
    return channels.keepPending(from: start, in: &buffers, &streams[index].output)
  }

  /// Ends TLS before the socket is closed.
  mutating func endSecure(_ index: UInt32) {
    let channel = streams[index].channel
    if streams[index].output.isEmpty {
      channels.end(channel)
      if channels.hasPending { _ = channels.send(to: streams[index].descriptor) }
    }
    channels.clearPending()
    channels.close(channel)
    if streams[index].isShaking {
      streams[index].isShaking = false
      handshakeEnded()
    }
  }
}
