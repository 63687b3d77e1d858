internal import CKernel
internal import Glibc

/// Operating-system threads: an event loop owns one for its life.
package enum Thread {
  private final class Entry {
    let name: String
    let body: @Sendable () -> Void
    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// A handle to wait for a thread's end.
  package struct Handle: Sendable {
    fileprivate let thread: pthread_t
    package func join() { _ = pthread_join(thread, nil) }
  }

  /// Starts a thread with signals blocked (they belong to the main thread). `name` is cut to 15 bytes.
  package static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) -> Handle {
    var thread = pthread_t()
    // SAFETY: the retained entry is consumed exactly once, by the new thread, or released here when there is none.
    let entry = unsafe Unmanaged.passRetained(Entry(String(name.prefix(15)), body))
    let result = unsafe pthread_create(
      &thread, nil,
      { raw in
        let entry = unsafe Unmanaged<Entry>.fromOpaque(raw!).takeRetainedValue()
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
        unsafe sluice_name_thread(entry.name)
        entry.body()
        return nil
      }, entry.toOpaque())
    guard result == 0 else {
      unsafe entry.release()
      throw Errno(result)
    }
    return Handle(thread: thread)
  }

  /// Processor cores that are online.
  package static var cores: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Lets the calling thread's timers be late by at most this; the kernel's habit is 50 µs.
  package static func setTimerSlack(nanoseconds: UInt) { _ = sluice_set_timer_slack(nanoseconds) }

  /// Puts the calling thread before all ordinary ones (SCHED_FIFO); its children are ordinary again.
  /// - Parameter priority: 1–99.
  package static func setRealtime(priority: Int) throws(Errno) {
    let error = sluice_set_realtime(Int32(clamping: priority))
    guard error == 0 else { throw Errno(error) }
  }
}
