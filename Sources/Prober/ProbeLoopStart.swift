import Health
package import Kernel
import Model
import Reactor

extension ProbeLoop {
  mutating func startDue() {
    while runs.count < limits.checks, let number = schedule.popDue(at: now) {
      guard let plan = assignments[number]?.plan else { continue }
      switch plan.kind {
      case .exec: startProgram(number)
      case .unusable(let reason): conclude(number, .failure(reason))
      default: startExchange(number, plan)
      }
    }
  }

  private mutating func startExchange(_ number: Int, _ plan: CheckPlan) {
    guard let address = assignments[number]?.target.address else { return }
    let socket: Int32
    do throws(Errno) {
      socket = try Socket.connect(
        address, plan.isDatagram ? .datagram : .stream,
        speaksFirst: !plan.send.isEmpty || assignments[number]?.context != nil)
    } catch {
      return startFailed(number, plan, address, error)
    }
    guard let index = insert(number, plan) else { return Socket.close(socket) }
    runs[index].socket = socket
    answers[Int(index)] = Answer(plan)
    do throws(Errno) {
      try epoll.add(socket, token: Token.make(index, runs.generation(index)), .stream)
    } catch {
      remove(index)
      return cannotRun(number, error)
    }
    if plan.isDatagram { sendDatagram(index, plan) }
  }

  private mutating func startFailed(_ number: Int, _ plan: CheckPlan, _ address: SocketAddress, _ error: Errno) {
    if error.isUnix(address, .wouldBlock) { return conclude(number, .failure("connect: the backlog is full")) }
    if error.isOwnTrouble { return cannotRun(number, error) }
    conclude(number, plan.isAgent ? .nothing : .failure("connect: \(error)"))
  }

  /// A run with its timer set; nil, with the target put off, when there is no room.
  mutating func insert(_ number: Int, _ plan: CheckPlan) -> UInt32? {
    guard let index = runs.insert() else {
      schedule.finished(number, at: now)
      return nil
    }
    guard let timer = wheel.insert(token: Token.make(index, runs.generation(index))) else {
      runs.remove(index)
      schedule.finished(number, at: now)
      return nil
    }
    runs[index].target = number
    runs[index].timer = timer
    wheel.arm(timer, by: milliseconds + max(1, plan.timeout.milliseconds))
    assignments[number]?.run = index
    while answers.count <= Int(index) { answers.append(.unread) }
    return index
  }

  /// This machine's trouble is no verdict on the backend: nothing is reported, and the next turn comes as usual.
  mutating func cannotRun(_ number: Int, _ error: Errno) {
    assignments[number]?.run = Run.none
    schedule.finished(number, at: now)
    let name = assignments[number].map { "\($0.target.key.pool)/\($0.target.key.backend)" } ?? "?"
    complaints.note("probe of \(name) could not run: \(error)", at: now)
  }
}

extension Errno {
  /// Whether it says something of this machine, not of the one that was called.
  package var isOwnTrouble: Bool {
    switch self {
    case .noDescriptors, .noDescriptorsInSystem, .noMemory, .noBuffers, .wouldBlock, .addressNotAvailable: true
    default: false
    }
  }

  func isUnix(_ address: SocketAddress, _ error: Errno) -> Bool {
    if case .unix = address { self == error } else { false }
  }
}
