import Balance
import Kernel
import Model
import Reactor

/// Datagrams from backends: back to the client that they are for.
extension Worker {
  /// Reads until the socket is empty: it is edge-triggered.
  mutating func receiveReplies(_ index: UInt32, generation: UInt32) {
    guard datagrams.sessions.isUsed(index), datagrams.sessions.generation(index) == generation else { return }
    let fd = datagrams.sessions[index].fd
    guard fd >= 0 else { return }
    for _ in 0..<Worker.readBudget {
      if datagrams.replies.isFull || datagrams.repliesSocket != datagrams.sessions[index].name.socket {
        flushReplies()
        datagrams.repliesSocket = datagrams.sessions[index].name.socket
      }
      let start = datagrams.replies.count
      let result = datagrams.replies.receive(from: fd)
      guard result.value > 0 else {
        // ICMP has brought a refusal of what was sent before.
        if result.failed { upstreamFailed(index) }
        return
      }
      guard passReplies(start..<start + result.value, index), datagrams.replies.isFull else { return }
    }
    ready.append(Token.make(.session, index, generation))
  }

  /// Addresses replies to the client; false when they were the session's last.
  private mutating func passReplies(_ range: Range<Int>, _ index: UInt32) -> Bool {
    let session = datagrams.sessions[index]
    datagrams.replies.address(
      range, to: session.name.client, from: session.name.local, interface: session.interface)
    let bytes = datagrams.replies.length(range)
    counters.add(session.slot, .bytesIn, bytes)
    datagrams.sessions[index].bytesOut += UInt64(bytes)
    datagrams.sessions[index].replied += UInt64(range.count)
    if session.firstReply == 0 { datagrams.sessions[index].firstReply = now.nanoseconds }
    if session.asked != 0 { observe(session, index) }
    touchSession(index)
    // Two questions from one port want two answers before the session is over.
    guard let listener = current.listeners[Int(session.listener)], let replies = listener.model.udp.replies,
      datagrams.sessions[index].replied >= UInt64(replies) * session.received
    else { return true }
    endSession(index, .none)
    return false
  }

  /// The first reply after a datagram: the backend lives, and took so long.
  private mutating func observe(_ session: Session, _ index: UInt32) {
    datagrams.sessions[index].asked = 0
    backendSucceeded(session.slot)
    let row = Int(session.pool)
    guard session.generation == current.generation, row < pools.count, current.pools[row]?.learnsLatency == true else {
      return
    }
    observeLatency(row, Int(session.index), now.nanoseconds - session.asked)
  }

  /// Sends what the turn has gathered, as a rule in one call. What the socket refuses is lost, as UDP may.
  mutating func flushReplies() {
    let count = datagrams.replies.count
    guard count > 0 else { return }
    let row = acceptors[datagrams.repliesSocket]?.socket.row
    var start = 0
    while let row, start < count {
      let result = datagrams.replies.sendAddressed(start..<count, through: Int32(datagrams.repliesSocket))
      if result.value > 0 {
        let next = min(start + result.value, count)
        counters.add(row, .bytesOut, datagrams.replies.length(start..<next))
        start = next
      } else if result.wouldBlock {
        counters.add(row, .dropped, count - start)
        break
      } else {
        counters.add(row, .dropped)
        start += 1
      }
    }
    datagrams.replies.clear()
  }
}
