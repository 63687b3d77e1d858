import Health
import Kernel
import Model
import Reactor
import Routing

extension ProbeLoop {
  /// Something happened on a run's socket. Edge-triggered: what may be done is done to its end.
  mutating func advance(_ index: UInt32, _ event: Epoll.Event) {
    if runs[index].phase == .closing {
      if event.readable { discard(index) }
      return
    }
    guard let plan = assignments[runs[index].target]?.plan else { return abandon(index) }
    if plan.isDatagram {
      if event.readable { receiveDatagram(index, plan) }
      return
    }
    if event.writable, runs[index].phase == .connecting {
      if let error = Socket.pendingError(runs[index].socket) { return connectFailed(index, plan, error) }
      runs[index].phase = .sending
      if let context = assignments[runs[index].target]?.context {
        guard beginHandshake(index, context), send(index, plan) else { return }
      }
    } else if runs[index].phase == .shaking {
      guard shake(index), send(index, plan) else { return }
    }
    if event.writable, runs[index].phase == .sending {
      guard send(index, plan) else { return }
    }
    // What came with a handshake's end waits in its channel: no event tells of it.
    if event.readable || runs[index].channel != Run.none, runs[index].phase == .receiving { receive(index, plan) }
  }

  private mutating func connectFailed(_ index: UInt32, _ plan: CheckPlan, _ error: Errno) {
    if error.isOwnTrouble {
      let number = runs[index].target
      remove(index)
      return cannotRun(number, error)
    }
    finish(index, plan.isAgent ? .nothing : .failure("connect: \(error)"))
  }

  /// False: nothing more is to be done now.
  private mutating func send(_ index: UInt32, _ plan: CheckPlan) -> Bool {
    while runs[index].sent < plan.send.count {
      let sent = runs[index].sent
      outgoing.clear()
      outgoing.append(plan.send.span.extracting(sent..<min(plan.send.count, sent + outgoing.capacity)))
      let transfer = transmit(index)
      if transfer.wouldBlock { return false }
      if transfer.failed {
        finish(index, plan.isAgent ? .nothing : .failure("send: \(transfer.error)"))
        return false
      }
      runs[index].sent += transfer.bytes
    }
    if case .tcp(nil) = plan.kind {
      finish(index, .success)
      return false
    }
    runs[index].phase = .receiving
    return true
  }

  private mutating func receive(_ index: UInt32, _ plan: CheckPlan) {
    while true {
      incoming.clear()
      let transfer = fetch(index)
      if transfer.wouldBlock { return }
      if transfer.failed {
        return finish(index, plan.isAgent ? .nothing : .failure("receive: \(transfer.error)"))
      }
      if transfer.isEnd {
        let result = answers[Int(index)].end(&tools)
        return finish(index, result, ended: true)
      }
      if let result = read(index) { return settle(index, plan, result) }
    }
  }

  private mutating func read(_ index: UInt32) -> CheckResult? {
    // Taken out of the table and put back, so that its buffer is grown in place.
    var answer = Answer.unread
    swap(&answer, &answers[Int(index)])
    let result = answer.take(incoming, &tools)
    swap(&answer, &answers[Int(index)])
    return result
  }

  /// The result is certain before the peer has closed.
  ///
  /// HTTP servers and agents close by themselves, as they were told to: waiting for that
  /// leaves the TIME_WAIT with them, where it belongs, and spares them a reset while they
  /// still write. Whoever does not close in time is reset, like plain TCP (see `finish`).
  private mutating func settle(_ index: UInt32, _ plan: CheckPlan, _ result: CheckResult) {
    switch plan.kind {
    case .http, .agent:
      runs[index].phase = .closing
      answers[Int(index)] = .unread
      conclude(takeTarget(index), result)
      discard(index)
    default: finish(index, result)
    }
  }

  /// Reads away what is left of an answer.
  private mutating func discard(_ index: UInt32) {
    while true {
      incoming.clear()
      let transfer = fetch(index)
      if transfer.wouldBlock { return }
      if transfer.isEnd || transfer.failed { return remove(index) }
      runs[index].discarded += transfer.bytes
      if runs[index].discarded > 4 * CheckTools.window {
        Socket.resetOnClose(runs[index].socket)
        return remove(index)
      }
    }
  }

  // MARK: Datagrams

  mutating func sendDatagram(_ index: UInt32, _ plan: CheckPlan) {
    runs[index].phase = .receiving
    outgoing.clear()
    outgoing.append(plan.send.span)
    let transfer = outgoing.send(0..<outgoing.count, to: runs[index].socket)
    if transfer.wouldBlock || transfer.failed && transfer.error.isOwnTrouble {
      let number = runs[index].target
      remove(index)
      return cannotRun(number, transfer.error)
    }
    if transfer.failed || outgoing.overflowed { finish(index, .failure("send: \(transfer.error)")) }
  }

  private mutating func receiveDatagram(_ index: UInt32, _ plan: CheckPlan) {
    guard case .udp(let pattern) = plan.kind else { return }
    incoming.clear()
    let transfer = incoming.receive(from: runs[index].socket)
    if transfer.wouldBlock { return }
    if transfer.failed {
      // A connected socket learns of the ICMP error that its datagram met.
      let isPort = transfer.error == .refused
      return finish(index, .failure(isPort ? "port unreachable" : "receive: \(transfer.error)"))
    }
    var outcome = ProbeOutcome.success
    if let pattern, let mismatch = tools.mismatch(pattern, incoming) { outcome = mismatch }
    finish(index, .report(.probe(outcome)))
  }
}

// The span of a region that is a field would borrow all of the loop: the region is lent instead.

extension Answer {
  fileprivate mutating func take(_ region: borrowing ByteRegion, _ tools: inout CheckTools) -> CheckResult? {
    take(region.bytes, &tools)
  }
}

extension CheckTools {
  fileprivate mutating func mismatch(_ pattern: Regex, _ region: borrowing ByteRegion) -> ProbeOutcome? {
    mismatch(pattern, region.bytes, "reply")
  }
}
