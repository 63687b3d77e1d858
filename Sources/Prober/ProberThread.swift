package import Health
package import Kernel
package import Model
import Reactor
import Synchronization

/// What a prober may use at once.
package struct ProberLimits: Sendable {
  /// Checks under way; more wait for their turn.
  package var checks: Int
  /// Programs among them.
  package var programs: Int

  /// A quarter of the process's descriptors at most: traffic comes first.
  package init(checks: Int? = nil, programs: Int = 32) {
    self.checks = max(1, checks ?? min(4096, Limits.descriptors / 4))
    self.programs = max(1, programs)
  }
}

/// What the thread is told. Sets and states: a repeated message does no harm.
enum ProberOrder: Sendable {
  case run([ProbeTarget])
  case pace([BackendKey: Bool])
  case stop
}

/// Runs probes and agent checks on a thread of its own.
package final class Prober: Sendable {
  private let mailbox: Mailbox<ProberOrder>
  private let handle: Mutex<Thread.Handle?>

  /// - Parameter report: called on the prober's thread with findings in their order; must not block.
  /// - Parameter complain: told, seldom, in one line, of probes that this machine could not run.
  package init(
    limits: ProberLimits = ProberLimits(), report: @escaping @Sendable ([ProbeReport]) -> Void,
    complain: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(Errno) {
    let mailbox = try Mailbox<ProberOrder>()
    self.mailbox = mailbox
    handle = Mutex(
      try Thread.start(name: "sluice-probe") {
        do throws(Errno) {
          var loop = try ProbeLoop(mailbox: mailbox, limits: limits, report: report, complain: complain)
          loop.run()
        } catch {
          complain("the prober cannot start: \(error)")
        }
      })
  }

  /// Runs exactly these checks from now on. One that is unchanged keeps its schedule; a new one starts at once.
  package func apply(_ targets: [ProbeTarget]) { mailbox.post(.run(targets)) }

  /// Says of backends whether their verdict is about to change, so that the next probe comes after the
  /// `fast` interval. Holds until said otherwise, through every `apply`; before anything is said, it is not.
  package func pace(_ changing: [BackendKey: Bool]) { mailbox.post(.pace(changing)) }

  /// Ends all checks, kills their programs, and waits for the thread.
  package func stop() {
    let handle = handle.withLock { handle in
      defer { handle = nil }
      return handle
    }
    guard let handle else { return }
    mailbox.post(.stop)
    handle.join()
  }
}
