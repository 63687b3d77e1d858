/// What the operator asked for: a validated configuration with all defaults filled in.
package struct Topology: Hashable, Sendable {
  /// Worker threads; nil: one per core.
  package var workers: Int?
  package var listeners: [Listener] = []
  package var pools: [Pool] = []
  package var bgp: BGPTopology?
  package var admin = AdminEndpoints()
  package var accessLog: AccessLogTarget = .off
  /// nil: a JSON object for each line.
  package var accessLogTemplate: LogTemplate?
  /// How long a stopping node waits for open connections.
  package var drainTimeout = Duration.seconds(30)
  /// Keys the persistence cookies and the hash policies; nil: one is drawn at start, and neither survives a restart.
  package var secret: String?
  package var tickets = TicketOptions()
  package var names: NameService?
  /// The file of what outlives a restart; nil: nothing does.
  package var state: String?
  package var floating: FloatingSettings?

  /// nil: no request is sampled.
  package var tracing: Tracing?
  package var node = NodeIdentity()
  /// nil: this node is alone.
  package var peers: PeerSettings?
  package var vips: [VIP] = []
  /// Whether adverts go out by a thread before all ordinary ones.
  package var isVIPRealtime = false

  package init() {}
}

package struct AdminEndpoints: Hashable, Sendable {
  package var socket = "/run/sluice/admin.sock"
  /// A loopback TCP address, only with a token.
  package var bind: Endpoint?
  package var token: String?
  /// For looking only, on `bind`.
  package var readToken: String?
  /// Serves metrics, and nothing else, to whoever asks.
  package var metrics: Endpoint?

  package init() {}
}

package enum AccessLogTarget: Hashable, Sendable {
  case off
  case stdout
  case file(String)
  case syslog(SyslogTarget)
}

/// The immutable snapshot of everything the data plane needs; replaced whole, never edited.
package struct World: Hashable, Sendable {
  /// Grows by one with every replacement.
  package let generation: UInt64
  package let topology: Topology
  /// `standings[p][b]` belongs to `topology.pools[p].backends[b]`.
  package let standings: [[Standing]]
  /// How each site of the name service stands.
  package var sites: [String: SiteStanding] = [:]
  /// By pool, where its clients are divided by version.
  package var splits: [String: VersionSplit] = [:]

  package init(generation: UInt64, topology: Topology, standings: [[Standing]]) {
    self.generation = generation
    self.topology = topology
    self.standings = standings
  }
}
