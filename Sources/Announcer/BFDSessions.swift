internal import Kernel
internal import Model
internal import Reactor
internal import Synchronization

/// A path that BFD shall watch.
struct BFDPath: Hashable, Sendable {
  var name: String
  var remote: PeerName
  /// nil: as the route there says.
  var local: PeerName?
  var isMultihop: Bool
  var options: BFDOptions
}

/// What BFD says of a path.
struct BFDNews: Sendable {
  enum Word: Sendable { case up, down, administrativelyDown }

  var name: String
  var word: Word
  /// For people: "up", "down: control detection time expired".
  var text: String
}

enum BFDMessage: Sendable {
  case paths([BFDPath], isPrompt: Bool)
  case stop
}

/// Every BFD session, on a thread of its own that nothing else can delay.
final class BFDSessions: Sendable {
  private let mailbox: Mailbox<BFDMessage>
  private let handle: Mutex<Thread.Handle?>

  /// - Parameter report: called on the BFD thread for every change; must not block.
  init(
    report: @escaping @Sendable (BFDNews) -> Void, complain: @escaping @Sendable (String) -> Void
  ) throws(Errno) {
    let mailbox = try Mailbox<BFDMessage>()
    self.mailbox = mailbox
    handle = Mutex(
      try Thread.start(name: "sluice-bfd") {
        do throws(Errno) {
          var loop = try BFDLoop(mailbox: mailbox, report: report, complain: complain)
          loop.run()
        } catch {
          complain("BFD cannot start: \(error)")
        }
      })
  }

  /// Watches exactly these paths from now on. `isPrompt`: before all ordinary threads, where the system allows it.
  func apply(_ paths: [BFDPath], isPrompt: Bool = true) { mailbox.post(.paths(paths, isPrompt: isPrompt)) }

  /// Takes every session down on purpose, and waits for the thread.
  func stop() {
    let thread = handle.withLock { handle in
      defer { handle = nil }
      return handle
    }
    guard let thread else { return }
    mailbox.post(.stop)
    thread.join()
  }
}
