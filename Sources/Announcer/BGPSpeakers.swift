internal import BGP
package import Kernel
package import Model
internal import Reactor
internal import Synchronization

/// What the thread is told. Sets and states: a repeated message does no harm.
enum BGPMessage: Sendable {
  case order(BGPOrder)
  case bfd(BFDNews)
  case inspect(@Sendable ([BGPPeerState]) -> Void)
  case tables(String, @Sendable (BGPTables?) -> Void)
  case stop(BGPFarewell)
}

/// Every BGP session of the node, on a thread of its own.
package final class BGPSpeakers: Sendable {
  private let mailbox: Mailbox<BGPMessage>
  private let bfd: BFDSessions
  private let handle: Mutex<Thread.Handle?>
  private let addresses = Mutex(AnycastAddresses())
  private let report: @Sendable (BGPReport) -> Void

  /// - Parameter report: called on the speakers' threads; must not block.
  package init(report: @escaping @Sendable (BGPReport) -> Void) throws(Errno) {
    self.report = report
    let mailbox = try Mailbox<BGPMessage>()
    self.mailbox = mailbox
    let bfd = try BFDSessions(
      report: { mailbox.post(.bfd($0)) },
      complain: { report(.trouble($0)) })
    self.bfd = bfd
    handle = Mutex(
      try Thread.start(name: "sluice-bgp") {
        do throws(Errno) {
          var loop = try BGPLoop(mailbox: mailbox, bfd: bfd, report: report)
          loop.run()
        } catch {
          report(.trouble("BGP cannot start: \(error)"))
        }
      })
  }

  /// Has exactly these sessions, and tells each peer exactly these routes, from now on.
  package func apply(_ order: BGPOrder) {
    for trouble in addresses.withLock({ $0.apply(order.topology) }) { report(.trouble(trouble)) }
    mailbox.post(.order(order))
  }

  /// Puts the addresses of what is about to be announced in place, beside those that are there.
  package func prepare(_ topology: BGPTopology?) {
    for trouble in addresses.withLock({ $0.prepare(topology) }) { report(.trouble(trouble)) }
  }

  /// Every peer now; empty when the speakers have stopped.
  package func peers() async -> [BGPPeerState] {
    await withCheckedContinuation { waiter in
      if !ask(.inspect { waiter.resume(returning: $0) }) { waiter.resume(returning: []) }
    }
  }

  /// nil: there is no such peer.
  package func tables(_ peer: String) async -> BGPTables? {
    await withCheckedContinuation { waiter in
      if !ask(.tables(peer) { waiter.resume(returning: $0) }) { waiter.resume(returning: nil) }
    }
  }

  /// Ends every session, and waits for the threads.
  package func stop(_ farewell: BGPFarewell) {
    let thread = handle.withLock { handle in
      defer { handle = nil }
      if handle != nil { mailbox.post(.stop(farewell)) }
      return handle
    }
    thread?.join()
    bfd.stop()
    // Through a planned restart routers send packets on, and they shall arrive.
    if thread != nil, farewell != .restart { _ = addresses.withLock { $0.apply(nil) } }
  }

  /// Under the lock, so that a question comes before the `stop` that answers what is left, or is not asked.
  private func ask(_ question: BGPMessage) -> Bool {
    handle.withLock { handle in
      if handle != nil { mailbox.post(question) }
      return handle != nil
    }
  }
}
