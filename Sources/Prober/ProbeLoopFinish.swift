import Health
import Kernel
import Model
import Reactor
import TLS

extension ProbeLoop {
  /// A target's run has ended: what it found goes up, and the next one is due an interval later.
  mutating func conclude(_ number: Int, _ result: CheckResult) {
    guard let key = assignments[number]?.target.key else { return }
    assignments[number]?.run = Run.none
    schedule.finished(number, at: now)
    guard case .report(let finding) = result else { return }
    let isWell = finding == .probe(.success)
    // While a verdict is about to change, a success counts.
    let isRoutine = isWell && assignments[number]?.isWell == true && !changing.contains(key)
    assignments[number]?.isWell = isWell
    reporter.add(ProbeReport(key: key, finding: finding), isRoutine: isRoutine, at: milliseconds)
  }

  /// Ends a run with its result.
  ///
  /// A connection that the peer has not closed is reset: an orderly close would leave a
  /// TIME_WAIT here for each probe (60,000 of them for 2,000 backends every two seconds),
  /// and with it, at one backend, the ports that traffic needs.
  /// - Parameter ended: the peer has closed.
  mutating func finish(_ index: UInt32, _ result: CheckResult, ended: Bool = false) {
    let number = runs[index].target
    if !ended, let target = assignments[number]?.target, case .ip = target.address {
      Socket.resetOnClose(runs[index].socket)
    }
    remove(index)
    conclude(number, result)
  }

  /// The time that a check has, from its start to its result, is over.
  mutating func timeOut(_ index: UInt32) {
    let phase = runs[index].phase
    if phase == .closing {
      Socket.resetOnClose(runs[index].socket)
      return remove(index)
    }
    guard let plan = assignments[runs[index].target]?.plan else { return abandon(index) }
    switch plan.kind {
    case .exec:
      kill(index)
      conclude(takeTarget(index), .report(.probe(.timeout(plan.timeout))))
    case .agent: finish(index, .nothing)
    // Silence is no ICMP error.
    case .udp(nil): finish(index, .success)
    case .tcp, .http, .grpc, .udp, .unusable:
      let step = runs[index].awaited ?? answers[Int(index)].awaited
      finish(index, .report(.probe(.timeout(plan.timeout, in: step))))
    }
  }

  /// Ends a run whose result nobody wants any more.
  mutating func abandon(_ index: UInt32) {
    runs[index].target = -1
    if runs[index].child != nil { return kill(index) }
    Socket.resetOnClose(runs[index].socket)
    remove(index)
  }

  mutating func takeTarget(_ index: UInt32) -> Int {
    defer { runs[index].target = -1 }
    return runs[index].target
  }

  /// Frees all that a run holds.
  mutating func remove(_ index: UInt32) {
    if runs[index].channel != Run.none { channels.close(runs[index].channel) }
    if runs[index].socket >= 0 { Socket.close(runs[index].socket) }
    if let child = runs[index].child { Socket.close(child.descriptor) }
    wheel.remove(runs[index].timer)
    answers[Int(index)] = .unread
    runs.remove(index)
  }

  mutating func closeEverything() {
    for index in runs.indices where runs.isUsed(index) {
      if let child = runs[index].child { child.killGroup() }
    }
    for index in runs.indices where runs.isUsed(index) {
      if let child = runs[index].child {
        // A killed program ends at once, unless the kernel holds it: nobody waits for that.
        child.waitForEnd(milliseconds: 1000)
        _ = child.reap()
      }
      remove(index)
    }
  }
}
