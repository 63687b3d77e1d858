import Health
import Kernel
import Model
import Reactor

/// Programs as probes. Each runs in a process group of its own, which ends with it.
extension ProbeLoop {
  mutating func startProgram(_ number: Int) {
    guard let plan = assignments[number]?.plan, case .exec(let command, let environment) = plan.kind else { return }
    guard programs < limits.programs else {
      waiting.append(number)
      return
    }
    guard let index = insert(number, plan) else { return }
    do throws(Errno) {
      let child = try ChildProcess.spawn(command, environment: environment)
      runs[index].child = child
      runs[index].phase = .executing
      programs += 1
    } catch {
      remove(index)
      if error.isOwnTrouble { return cannotRun(number, error) }
      return conclude(number, .failure("exec \(command[0]): \(error)"))
    }
    watch(index, number)
  }

  private mutating func watch(_ index: UInt32, _ number: Int) {
    guard let child = runs[index].child else { return }
    do throws(Errno) {
      try epoll.add(child.descriptor, token: Token.make(index, runs.generation(index)), .level)
    } catch {
      child.killGroup()
      child.waitForEnd(milliseconds: 1000)
      _ = child.reap()
      programs -= 1
      remove(index)
      cannotRun(number, error)
    }
  }

  mutating func programEnded(_ index: UInt32) {
    guard let child = runs[index].child else { return }
    // What it left running would pile up, one more each interval. Its number is its own until it is reaped.
    child.killGroup()
    guard let ending = child.reap() else { return }
    let number = runs[index].target
    programs -= 1
    remove(index)
    if number >= 0 {
      switch ending {
      case .exit(0): conclude(number, .success)
      case .unknown: cannotRun(number, .noChild)
      default: conclude(number, .failure("\(ending)"))
      }
    }
    startWaiting()
  }

  mutating func kill(_ index: UInt32) {
    runs[index].child?.killGroup()
    runs[index].phase = .killed
    wheel.disarm(runs[index].timer)
  }

  private mutating func startWaiting() {
    while programs < limits.programs, !waiting.isEmpty {
      let number = waiting.removeFirst()
      // Gone meanwhile, if it has no assignment.
      if assignments[number] != nil { startProgram(number) }
    }
  }
}
