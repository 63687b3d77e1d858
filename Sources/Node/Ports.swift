package import Health
package import Model
package import Peering
package import Telemetry

/// What the node gives orders to and asks, as closures: the real drivers in
/// production, recorders in tests.
package struct Ports: Sendable {
  /// Replaces the data plane's World; throws, with the old one still in force, when
  /// it cannot be had (an address in use, no descriptors left).
  package var applyWorld: @Sendable (World) throws -> Void
  package var statistics: @Sendable () -> DataPlaneStatistics
  /// Closes the listeners; open connections go on.
  package var stopAccepting: @Sendable () -> Void
  /// What the listeners do while the node leaves.
  package var setDoors: @Sendable (Doors) -> Void = { _ in }
  package var openConnections: @Sendable () -> Int
  /// Takes no new clients, for a process that has the same sockets.
  package var leaveSockets: @Sendable () -> Void = {}
  /// The set of probes that shall run; the driver reconciles to it.
  package var applyProbes: @Sendable ([ProbeTarget]) -> Void
  /// Whether a backend's verdict is about to change, so that its probe comes faster; false until said.
  package var paceProbes: @Sendable ([BackendKey: Bool]) -> Void
  /// Ends all probes, and the programs that they run, before it returns.
  package var stopProbes: @Sendable () -> Void
  /// Ends what is still open, and returns when the data plane's threads are gone.
  package var stopDataPlane: @Sendable () -> Void
  package var reopenLogs: @Sendable () -> Void
  package var names: NamePorts
  package var bgp = BGPPort()
  package var store = StorePort()
  package var floating = FloatingPort()
  package var parting = PartingPort()
  /// The peers that shall be spoken with; nil: none.
  package var applyPeers: @Sendable (Neighborhood.Settings?) -> Void = { _ in }
  /// All that this node says to them, as a set.
  package var sayToPeers: @Sendable (Neighborhood.Content) -> Void = { _ in }
  package var postToPeer: @Sendable (Neighborhood.Letter) -> Void = { _ in }
  /// Takes leave of them, before it returns.
  package var stopPeers: @Sendable () -> Void = {}
  package var vips = VIPPorts()
  package var explain = ExplainPorts()
  /// The monotonic clock.
  package var now: @Sendable () -> Instant
  /// The wall clock, in milliseconds since 1970.
  package var wallClock: @Sendable () -> Int64

  package init(
    applyWorld: @escaping @Sendable (World) throws -> Void,
    statistics: @escaping @Sendable () -> DataPlaneStatistics = { DataPlaneStatistics() },
    stopAccepting: @escaping @Sendable () -> Void = {},
    openConnections: @escaping @Sendable () -> Int = { 0 },
    applyProbes: @escaping @Sendable ([ProbeTarget]) -> Void = { _ in },
    paceProbes: @escaping @Sendable ([BackendKey: Bool]) -> Void = { _ in },
    stopProbes: @escaping @Sendable () -> Void = {},
    stopDataPlane: @escaping @Sendable () -> Void = {},
    reopenLogs: @escaping @Sendable () -> Void = {},
    names: NamePorts = NamePorts(),
    now: @escaping @Sendable () -> Instant,
    wallClock: @escaping @Sendable () -> Int64
  ) {
    self.applyWorld = applyWorld
    self.statistics = statistics
    self.stopAccepting = stopAccepting
    self.openConnections = openConnections
    self.applyProbes = applyProbes
    self.paceProbes = paceProbes
    self.stopProbes = stopProbes
    self.stopDataPlane = stopDataPlane
    self.reopenLogs = reopenLogs
    self.names = names
    self.now = now
    self.wallClock = wallClock
  }
}
