package import Kernel
internal import Synchronization

/// Waits for a number of threads to have done something.
package final class Latch: Sendable {
  private let missing: Atomic<Int>
  private let wakeup: Wakeup

  package init(count: Int) throws(Errno) {
    missing = Atomic(count)
    wakeup = try Wakeup()
  }

  deinit { wakeup.close() }

  package func arrive() {
    if missing.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 { wakeup.signal() }
  }

  /// False when the time was over before all had arrived.
  package func wait(milliseconds: Int32) -> Bool { wakeup.wait(milliseconds: milliseconds) }
}

/// Messages to an event loop from other threads; the loop is woken through its epoll.
package final class Mailbox<Message: Sendable>: Sendable {
  private let messages = Mutex<[Message]>([])
  package let wakeup: Wakeup

  package init() throws(Errno) { wakeup = try Wakeup() }

  deinit { wakeup.close() }

  package func post(_ message: Message) {
    let first = messages.withLock { messages in
      messages.append(message)
      return messages.count == 1
    }
    if first { wakeup.signal() }
  }

  /// All messages since the last call, in order.
  package func take() -> [Message] {
    wakeup.clear()
    return messages.withLock { messages in
      let taken = messages
      messages = []
      return taken
    }
  }
}
