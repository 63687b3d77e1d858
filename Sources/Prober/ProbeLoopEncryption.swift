import Health
import Kernel
import Model
import Reactor
import TLS

/// Checks of a pool that is spoken to by TLS: the same questions, and a handshake that is a part of the check.
extension ProbeLoop {
  /// A target's context; what did not change keeps its own, and with it the sessions to resume.
  func context(for target: ProbeTarget) -> Result<ClientContext, CheckTrouble>? {
    guard let tls = target.tls else { return nil }
    if let known = assignments.values.first(where: { $0.target.tls == tls })?.context { return known }
    do throws(MaterialError) { return .success(try ClientContext(tls)) } catch {
      return .failure(CheckTrouble(reason: "\(error)"))
    }
  }

  /// The connection is there: TLS begins on it. False: nothing more is to be done now.
  mutating func beginHandshake(_ index: UInt32, _ context: Result<ClientContext, CheckTrouble>) -> Bool {
    let number = runs[index].target
    guard let address = assignments[number]?.target.address else { return false }
    switch context {
    case .failure(let trouble):
      finish(index, .failure("TLS: \(trouble.reason)"))
      return false
    case .success(let context):
      guard let channel = channels.connect(context, to: address, backend: UInt32(clamping: number)) else {
        remove(index)
        cannotRun(number, .noMemory)
        return false
      }
      runs[index].channel = channel
      runs[index].phase = .shaking
      return shake(index)
    }
  }

  /// Goes on with the handshake; true when it is done.
  mutating func shake(_ index: UInt32) -> Bool {
    let channel = runs[index].channel
    while true {
      _ = channels.load(channel)
      let room = channels.room
      let result = channels.receive(from: runs[index].socket, atMost: room)
      let progress = channels.shake(channel)
      if case .done = progress { _ = channels.hold(channel) }
      if channels.hasPending, transmitPending(index).failed {
        finish(index, .failure("TLS: the server went away"))
        return false
      }
      switch progress {
      case .done:
        runs[index].phase = .sending
        return true
      case .failed(let failure):
        finish(index, .failure("TLS: \(failure.reason)"))
        return false
      case .wantsRoom: continue
      case .wantsMore:
        if result.isEnd || result.failed {
          finish(index, .failure("TLS: the server went away"), ended: true)
          return false
        }
        if result.wouldBlock { return false }
      }
    }
  }

  /// Sends `outgoing`.
  mutating func transmit(_ index: UInt32) -> Transfer {
    let channel = runs[index].channel
    guard channel != Run.none else { return outgoing.send(0..<outgoing.count, to: runs[index].socket) }
    guard channels.encrypt(channel, outgoing, 0..<outgoing.count), !transmitPending(index).failed else { return .reset }
    return Transfer(outgoing.count)
  }

  /// A question is far smaller than a socket's buffer; one that does not fit all the same has failed.
  private mutating func transmitPending(_ index: UInt32) -> Transfer {
    let wanted = channels.pendingCount
    let result = channels.send(to: runs[index].socket)
    channels.clearPending()
    return result.value == wanted ? result : .reset
  }

  /// Receives into `incoming`.
  mutating func fetch(_ index: UInt32) -> Transfer {
    let channel = runs[index].channel
    guard channel != Run.none else { return incoming.receive(from: runs[index].socket) }
    while true {
      switch channels.standing(channel) {
      case .open: break
      case .ended: return Transfer(0)
      case .failed: return .reset
      }
      let isLoaded = channels.load(channel)
      let room = channels.room
      let result = channels.receive(from: runs[index].socket, atMost: room)
      if !isLoaded, result.value < 0 { return result }
      let outcome = channels.decrypt(channel, into: &incoming)
      if channels.hasPending { _ = transmitPending(index) }
      if incoming.count > 0 { return Transfer(incoming.count) }
      if outcome == .drained, result.isEnd { return Transfer(0) }
    }
  }
}

/// Why a check cannot be made as it is configured.
struct CheckTrouble: Error, Hashable {
  let reason: String
}
