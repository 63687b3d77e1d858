internal import Synchronization

/// A thread for calls that block, one after the other: whoever asks waits without holding a thread of its own.
/// It lives as long as the process.
package final class WorkThread: Sendable {
  private let jobs = Mutex<[@Sendable () -> Void]>([])
  private let wakeup: Wakeup

  package init(name: String) throws(Errno) {
    wakeup = try Wakeup()
    do {
      _ = try Thread.start(name: name) { self.run() }
    } catch {
      wakeup.close()
      throw error
    }
  }

  /// Does it in its turn.
  package func post(_ job: @escaping @Sendable () -> Void) {
    jobs.withLock { $0.append(job) }
    wakeup.signal()
  }

  /// Does it in its turn, and returns what came of it.
  package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      post { continuation.resume(with: Result(catching: body)) }
    }
  }

  private func run() {
    while true {
      _ = wakeup.wait(milliseconds: -1)
      wakeup.clear()
      let taken = jobs.withLock { jobs in
        let taken = jobs
        jobs = []
        return taken
      }
      for job in taken { job() }
    }
  }
}
