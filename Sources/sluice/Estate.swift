internal import Foundation
internal import Kernel
internal import Model
internal import NameServer
internal import Proxy
internal import Synchronization
internal import TLS
internal import Telemetry

/// What this process holds that the next one is to have, and what it has from the one before.
final class Estate: Sendable {
  let inherited: InheritedSockets
  private let received: HandoverState?
  private let drivers = Mutex<(plane: DataPlane, names: NameServer)?>(nil)

  /// - Parameter state: what the process before this one knew.
  init(_ predecessor: Predecessor?) {
    received = predecessor?.state
    let manager = Startup.current.manager
    inherited = predecessor?.sockets ?? (manager.sockets > 0 ? .activated(count: manager.sockets) : InheritedSockets())
  }

  /// Everything that was counted by this process and those before it.
  var ledger: StatisticsLedger { plane?.ledger() ?? StatisticsLedger() }

  /// What the process before this one has counted until now; nil: it has ended.
  func setEarlier(_ ledger: StatisticsLedger?) {
    if let ledger { plane?.setEarlier(ledger) } else { plane?.closeEarlier() }
  }

  /// Whether every worker's loop turns.
  func isResponsive(within milliseconds: Int32) -> Bool { plane?.isResponsive(within: milliseconds) ?? true }

  private var plane: DataPlane? { drivers.withLock { $0?.plane } }

  /// The drivers are there, and serve nothing yet.
  func furnish(_ plane: DataPlane, _ names: NameServer) {
    drivers.withLock { $0 = (plane, names) }
    guard let state = received else { return }
    if !state.secret.isEmpty { plane.secret = state.secret }
    _ = plane.ticketKeys.replace(with: Array(state.ticketKeys))
    plane.setEarlier(state.ledger)
  }

  /// After the first World: only then it is known which pools have tables.
  func remember() {
    guard let state = received, let plane else { return }
    plane.learn(state.persistence.list)
  }

  /// Everything but the node's own memory.
  func state() -> HandoverState {
    var state = HandoverState()
    guard let plane else { return state }
    state.ledger = ledger
    state.secret = plane.secret
    state.ticketKeys = Data(plane.ticketKeys.bytes)
    state.persistence = PackedPersistence(plane.allPersistence())
    return state
  }

  /// Copies; the caller closes them.
  func copySockets() throws(Errno) -> [HandedSockets] {
    guard let (plane, names) = drivers.withLock({ $0 }) else { return [] }
    return try plane.copySockets() + names.copySockets()
  }
}
