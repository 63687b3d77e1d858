internal import Foundation
internal import Kernel
internal import Model
internal import Node
internal import Store
internal import Synchronization

/// The node's store behind its port: a thread of its own waits for the disk, so that nobody else does.
///
/// What is to be kept is a set, so a write that failed is made good by the next one that succeeds: another is tried each
/// few seconds, with the file opened anew.
final class StateKeeper: Sendable {
  static let retry = Duration.seconds(5)

  private struct Wanted {
    var orders = KeptOrders()
    var isSaved = true
  }

  private struct File {
    var store: StateStore?
    /// Of the file that is open: one that was deleted or replaced would be written to without effect.
    var identity: FileIdentity?
    var isLost = false
    var isRetrying = false
  }

  let path: String
  private let thread: WorkThread
  private let wanted = Mutex(Wanted())
  /// Touched on the thread alone, which holds it while it waits for the disk.
  private let file = Mutex(File())
  private let report: @Sendable (StoreReport) -> Void

  init(path: String, report: @escaping @Sendable (StoreReport) -> Void) throws(Errno) {
    self.path = path
    self.report = report
    thread = try WorkThread(name: "sluice-store")
  }

  /// nil: nothing shall outlive a restart.
  static func open(_ topology: Topology, post: @escaping @Sendable (Change) -> Void) throws(Failure) -> StateKeeper? {
    // systemd makes the directory, and names it.
    let given = ProcessInfo.processInfo.environment["STATE_DIRECTORY"]?.split(separator: ":").first
    guard let path = topology.state ?? given.map({ "\($0)/state.db" }) else { return nil }
    do throws(Errno) {
      return try StateKeeper(path: path) { post(.store($0)) }
    } catch {
      throw Failure("cannot start the store's thread: \(error)", hint: "raise the limit of open files")
    }
  }

  var port: StorePort {
    var port = StorePort()
    port.path = path
    port.restore = { try await self.restore() }
    port.keep = { self.keep($0) }
    port.settle = { try? await self.thread.run {} }
    port.documents = { area in try await self.asking { try $0.documents(area) } }
    port.save = { changes, area in try await self.asking { try $0.save(changes, in: area) } }
    return port
  }

  /// Does something with the store in its turn.
  func asking<Value: Sendable>(_ body: @escaping @Sendable (StateStore) throws -> Value) async throws -> Value {
    try await thread.run { try self.attempt(body) }
  }

  private func restore() async throws -> KeptOrders {
    do {
      let orders = try await asking { try $0.orders() }
      wanted.withLock { $0.orders = orders }
      return orders
    } catch {
      // From now on what is in force is what shall be kept.
      wanted.withLock { $0.isSaved = false }
      throw error
    }
  }

  private func keep(_ orders: KeptOrders) {
    wanted.withLock { $0 = Wanted(orders: orders, isSaved: false) }
    thread.post { self.catchUp() }
  }

  /// Writes what is not written yet.
  private func catchUp() {
    let (next, isLost) = (wanted.withLock { $0 }, file.withLock { $0.isLost })
    guard !next.isSaved || isLost else { return }
    do {
      try attempt { try $0.save(next.orders) }
      wanted.withLock { if $0.orders == next.orders { $0.isSaved = true } }
    } catch {
      // It has been told of, and is tried again.
    }
  }

  private func tryLater() {
    Task.detached {
      try? await Task.sleep(for: StateKeeper.retry)
      self.thread.post {
        self.file.withLock { $0.isRetrying = false }
        self.catchUp()
      }
    }
  }

  private func attempt<Value>(_ body: (StateStore) throws -> Value) throws -> Value {
    try file.withLock { file in
      do {
        let value = try body(try opened(&file))
        if file.isLost { report(.back) }
        file.isLost = false
        return value
      } catch {
        // The next one opens the file anew.
        file.store = nil
        file.isLost = true
        if !file.isRetrying { tryLater() }
        file.isRetrying = true
        report(.lost("\(error)"))
        throw error
      }
    }
  }

  private func opened(_ file: inout File) throws(StoreError) -> StateStore {
    if let store = file.store, file.identity == FileIdentity(path: path) { return store }
    let isAnother = file.store != nil
    file.store = nil
    let store = try StateStore(path: path)
    // A new file in the place of another one knows nothing.
    if isAnother { keep(wanted.withLock { $0.orders }) }
    file.store = store
    file.identity = FileIdentity(path: path)
    return store
  }
}
