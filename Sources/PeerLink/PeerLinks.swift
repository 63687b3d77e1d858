package import Kernel
package import Model
package import Peering
internal import Reactor
internal import Synchronization

/// The persistence tables of this node's workers, as closures.
package struct TableAccess: Sendable {
  /// How many parts `scan` can be asked for.
  package var parts: Int
  /// What this node's workers changed since the last call; `isWhole` is false when it was too much to keep.
  package var changes: @Sendable () -> (entries: [PersistenceEntry], upTo: UInt64, isWhole: Bool)
  /// One part's entries that changed since, and the clock before it was looked at.
  package var scan: @Sendable (_ part: Int, _ since: UInt64) -> (entries: [PersistenceEntry], asOf: UInt64)
  package var learn: @Sendable ([PersistenceEntry]) -> Void

  package init(
    parts: Int, changes: @escaping @Sendable () -> (entries: [PersistenceEntry], upTo: UInt64, isWhole: Bool),
    scan: @escaping @Sendable (_ part: Int, _ since: UInt64) -> (entries: [PersistenceEntry], asOf: UInt64),
    learn: @escaping @Sendable ([PersistenceEntry]) -> Void
  ) {
    self.parts = parts
    self.changes = changes
    self.scan = scan
    self.learn = learn
  }
}

/// What the thread is told.
enum PeerOrder: Sendable {
  case configure(Neighborhood.Settings?)
  case say(Neighborhood.Content)
  case post(Neighborhood.Letter)
  case stop
}

/// Speaks with the peers, on a thread of its own.
package final class PeerLinks: Sendable {
  private let mailbox: Mailbox<PeerOrder>
  private let handle: Mutex<Thread.Handle?>

  /// - Parameter observe: called on the thread; must not block.
  package init(
    _ cryptography: Cryptography, tables: TableAccess, observe: @escaping @Sendable (PeerObservation) -> Void
  ) throws(Errno) {
    let mailbox = try Mailbox<PeerOrder>()
    self.mailbox = mailbox
    handle = Mutex(
      try Thread.start(name: "sluice-peers") {
        do throws(Errno) {
          var loop = try PeerLoop(mailbox, cryptography, tables, observe)
          loop.run()
        } catch {
          observe(.deaf(reason: "peers cannot be reached: \(error)"))
        }
      })
  }

  /// From now on these peers; nil: none.
  package func configure(_ settings: Neighborhood.Settings?) { mailbox.post(.configure(settings)) }

  /// All that this node says to its peers.
  package func say(_ content: Neighborhood.Content) { mailbox.post(.say(content)) }

  package func post(_ letter: Neighborhood.Letter) { mailbox.post(.post(letter)) }

  /// Takes leave of all peers, and waits for the thread.
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
