import Kernel
import Model
import Reactor

/// Room for handshakes: at the limit new clients wait in the kernel, unless somebody holds a place who has said nothing
/// that could be answered.
///
/// Who opens connections and leaves it at that would otherwise keep everybody out for a handshake's timeout, at no
/// price. A ClientHello comes right behind the connection; with an answer the client has had work of ours, and so of its
/// own.
extension Worker {
  /// What a client without a ClientHello has while others wait for its place, in milliseconds.
  private static let patience: Int64 = 200

  mutating func hasRoomForHandshake(_ listener: CompiledListener) -> Bool {
    guard let limit = listener.tls?.model.handshakes, handshaking >= limit else { return true }
    let oldest = unanswered.first
    // Bytes that wait for us are no fault of the client's.
    guard oldest != Stream.none, streams[oldest].flags.isDisjoint(with: .readable),
      milliseconds - handshakeStart(oldest) >= Worker.patience
    else { return false }
    timeOutHandshake(oldest)
    return handshaking < limit
  }

  private mutating func handshakeStart(_ index: UInt32) -> Int64 {
    let timeout = current.listeners[Int(streams[index].row)]?.tls?.handshakeTimeout ?? 0
    return streams[index].deadline - timeout
  }

  mutating func listHandshake(_ index: UInt32) {
    streams[index].flags.insert(.unanswered)
    streams[index].previous = unanswered.last
    streams[index].next = Stream.none
    if unanswered.last == Stream.none { unanswered.first = index } else { streams[unanswered.last].next = index }
    unanswered.last = index
  }

  mutating func unlistHandshake(_ index: UInt32) {
    streams[index].flags.remove(.unanswered)
    let (previous, next) = (streams[index].previous, streams[index].next)
    if previous == Stream.none { unanswered.first = next } else { streams[previous].next = next }
    if next == Stream.none { unanswered.last = previous } else { streams[next].previous = previous }
    streams[index].previous = Stream.none
    streams[index].next = Stream.none
  }
}
