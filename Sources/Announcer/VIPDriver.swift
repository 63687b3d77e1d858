package import Kernel
package import Model
import Reactor
import Synchronization

/// Runs virtual routers on a thread of its own.
package final class VIPDriver: Sendable {
  private let mailbox: Mailbox<VIPCommand>
  private let handle: Mutex<Thread.Handle?>

  /// - Parameters:
  ///   - realtime: before all ordinary threads (SCHED_FIFO), where that is permitted.
  ///   - report: called on the driver's thread; must not block.
  package init(
    realtime: Bool, report: @escaping @Sendable (VIPReport) -> Void,
    complain: @escaping @Sendable (String) -> Void
  ) throws(Errno) {
    let mailbox = try Mailbox<VIPCommand>()
    self.mailbox = mailbox
    handle = Mutex(
      try Thread.start(name: "sluice-vrrp") {
        // An advert each 10 ms is late by the kernel's habitual 50 µs otherwise.
        Thread.setTimerSlack(nanoseconds: 1_000)
        if realtime {
          do throws(Errno) { try Thread.setRealtime(priority: 50) } catch {
            complain("vip-realtime: \(error): give the process CAP_SYS_NICE; adverts go out by an ordinary thread")
          }
        }
        do {
          var loop = try VIPLoop(mailbox: mailbox, report: report)
          loop.run()
        } catch {
          complain("virtual addresses cannot be run: \(error)")
          VIPDriver.refuse(mailbox)
        }
      })
  }

  /// Runs exactly these virtual routers from now on. One that is unchanged, or changed in what can change while it
  /// runs, keeps its state; others resign and start anew.
  ///
  /// - Parameter resuming: VIPs that an earlier process of this node is active for, and has left as they are.
  package func apply(_ orders: [VIPOrder], resuming: Set<String> = []) { mailbox.post(.run(orders, resuming)) }

  /// How they stand now; empty when the thread does not answer within a second.
  package func overview() -> VIPOverview {
    guard handle.withLock({ $0 != nil }), let question = try? VIPQuestion() else { return VIPOverview() }
    mailbox.post(.tell(question))
    return question.wait()
  }

  /// Gives every address up, with a resignation, and waits for the thread.
  package func stop() {
    let handle = handle.withLock { handle in
      defer { handle = nil }
      return handle
    }
    guard let handle else { return }
    mailbox.post(.stop)
    handle.join()
  }

  /// Ends without a word, with every address where it is, for a process that goes on.
  /// - Returns: the VIPs that are active.
  package func leave() -> [String] {
    let active = overview().vips.filter { $0.state == .active }.map(\.name)
    let handle = handle.withLock { handle in
      defer { handle = nil }
      return handle
    }
    guard let handle else { return [] }
    mailbox.post(.leave)
    handle.join()
    return active
  }

  /// Answers without a loop, until the end.
  private static func refuse(_ mailbox: Mailbox<VIPCommand>) {
    while mailbox.wakeup.wait(milliseconds: -1) {
      for command in mailbox.take() {
        switch command {
        case .run: break
        case .tell(let question): question.answer(VIPOverview())
        case .stop, .leave: return
        }
      }
    }
  }
}

enum VIPCommand: Sendable {
  /// Exactly these, some of which an earlier process is active for.
  case run([VIPOrder], Set<String>)
  case tell(VIPQuestion)
  /// Resign, and end.
  case stop
  /// End, and leave everything as it is.
  case leave
}

/// Somebody waits for how things stand.
final class VIPQuestion: Sendable {
  private let value = Mutex(VIPOverview())
  private let latch: Latch

  init() throws(Errno) { latch = try Latch(count: 1) }

  func answer(_ overview: VIPOverview) {
    value.withLock { $0 = overview }
    latch.arrive()
  }

  func wait() -> VIPOverview {
    _ = latch.wait(milliseconds: 1_000)
    return value.withLock { $0 }
  }
}
