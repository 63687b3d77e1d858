package import Health
package import Model
package import Peering

/// Everything that can happen to a node's truth.
package enum Change: Hashable, Sendable {
  /// A validated configuration to take over, whole or not at all.
  case load(Topology)
  /// What probes and agents say, in its order.
  case probes([ProbeReport])
  /// Live traffic to the backend failed as often as its pool's outlier policy allows.
  case outlier(OutlierTrip)
  /// An operator's word on a backend; it lasts until the file says something new of it.
  case override(BackendKey, Order)
  /// How a rollout divides a pool's clients by version; nil: as the file says.
  case split(pool: String, VersionSplit?)
  /// A backend does worse than its pool's others, with the figures; nil: no longer.
  case drift(BackendKey, String?)
  /// An operator's word on a site of the name service.
  case site(String, SiteOrder)
  /// Balanced names have other addresses to answer from.
  case names([NameTurn])
  /// What a BGP speaker saw.
  case bgp(BGPReport)
  /// An operator's word on announcements.
  case announcement(AnnouncementCommand)
  /// A peer came, went or said something.
  case peer(PeerObservation)
  /// Something of virtual addresses: what happened, or an operator's word.
  case vip(VIPChange)
  /// What shall outlive a restart is kept, or is not.
  case store(StoreReport)
  /// Time has passed.
  case tick

  package enum Order: Hashable, Sendable {
    case state(AdministrativeState)
    /// 0...65535.
    case weight(Int)
  }
}

/// What an operator wants of a site.
package enum SiteOrder: Hashable, Sendable {
  /// Answer without its addresses, for this long or until it is taken back.
  case drain(Duration?)
  case ready
}

/// Live traffic of one worker failed `failures` times in a row on the backend; the reason is the last one's.
package struct OutlierTrip: Hashable, Sendable {
  package var key: BackendKey
  package var failures: Int
  package var reason: String

  package init(key: BackendKey, failures: Int, reason: String) {
    self.key = key
    self.failures = failures
    self.reason = reason
  }
}

/// Why a change was refused; nothing of it was taken over.
package enum Refusal: Error, Hashable, Sendable {
  case noSuchPool(String)
  case noSuchBackend(BackendKey)
  /// No backend of the pool has this label.
  case noSuchVersion(pool: String, String)
  case noSuchSite(String)
  case noSuchVIP(String)
  /// Why a VIP cannot go to the peer that was named.
  case vipTarget(String)
  /// A VIP is being handed over.
  case handingOver
  /// The data plane could not take the World: the reason in words.
  case dataPlane(String)
  case noSuchAnnouncement(String)
  /// There is no `bgp` in the configuration.
  case noBGP
  case noGracefulRestart
  /// Of floating addresses: the reason in words.
  case floating(String)
  /// The node stops.
  case draining
  case starting
  /// Another process is about to take over.
  case upgrading
}
