/// An address that moves between nodes, as one virtual router of VRRP on one interface.
package struct VIP: Hashable, Sendable {
  package enum Version: Int, Hashable, Sendable { case v2 = 2, v3 = 3 }

  package var name: String
  package var interface: String
  /// Those that are advertised: all of one family, 1–255 of them.
  package var addresses: [VIPAddress]
  /// Addresses of any family that move along unadvertised.
  package var companions: [VIPAddress] = []
  /// VRID, 1–255.
  package var virtualRouter: Int
  package var version = Version.v3
  /// 1–255; 255 is the owner's.
  package var priority = 100
  /// Centiseconds in version 3, whole seconds in version 2.
  package var interval = Duration.seconds(1)
  package var preempts = true
  package var preemptDelay = Duration.zero
  /// Unicast: only with these; empty: multicast.
  package var peers: [IPAddress] = []
  /// Where adverts come from; nil: the interface's own address.
  package var source: IPAddress?
  /// Of received adverts.
  package var minimumHopLimit = 255
  /// Version 3 over IPv4: whether the checksum covers a pseudo-header.
  package var sumsPseudoHeader = true
  /// Version 2's simple text.
  package var password: String?
  /// The first signs; all are taken. Empty: adverts are neither signed nor verified.
  package var keys: [AdvertKey] = []
  /// Whether the addresses have the MAC 00-00-5E-00-01-VRID.
  package var usesVirtualMAC = false
  /// VIPs of one group move together.
  package var group: String?
  package var announcing = VIPAnnouncing()
  package var tracks: [VIPTrack] = []

  package init(name: String, interface: String, addresses: [VIPAddress], virtualRouter: Int) {
    self.name = name
    self.interface = interface
    self.addresses = addresses
    self.virtualRouter = virtualRouter
  }

  package var family: IPAddress.Family { addresses.first?.address.family ?? .v4 }
}

package struct VIPAddress: Hashable, Sendable {
  package var address: IPAddress
  /// As on the interface: a full-length one makes no route.
  package var prefixLength: Int

  package init(_ address: IPAddress, prefixLength: Int? = nil) {
    self.address = address
    self.prefixLength = prefixLength ?? address.width
  }
}

/// A secret that Sluice nodes sign adverts with.
package struct AdvertKey: Hashable, Sendable {
  /// 0–255, on the wire.
  package var id: Int
  package var secret: String

  package init(id: Int, secret: String) {
    self.id = id
    self.secret = secret
  }
}

/// How loudly a takeover is told.
package struct VIPAnnouncing: Hashable, Sendable {
  /// Gratuitous ARPs or Neighbour Advertisements per address in one burst.
  package var count = 3
  /// When the burst is repeated; nil: never.
  package var delay: Duration? = .seconds(5)
  /// One more packet so often while this node has the address; nil: never.
  package var refresh: Duration?

  package init() {}
}

/// Something whose failure makes this node a worse place for a VIP.
package struct VIPTrack: Hashable, Sendable {
  package enum Subject: Hashable, Sendable {
    case interface(String)
    /// Well while some backend takes new traffic.
    case pool(String)
    /// Well while some pool of its routes is, or it needs none.
    case listener(String)
    /// A program whose exit status 0 means well; the probe says how often it runs.
    case script(Probe)
  }

  package enum Consequence: Hashable, Sendable {
    /// Below zero: taken off while it fails. Above zero: added while it is well.
    case weight(Int)
    /// The node gives the VIP up, whether or not another one can have it.
    case fault
  }

  package var subject: Subject
  package var consequence: Consequence

  package init(_ subject: Subject, _ consequence: Consequence) {
    self.subject = subject
    self.consequence = consequence
  }

  /// "pool web", "interface eth1", "script /usr/bin/check".
  package var name: String {
    switch subject {
    case .interface(let name): "interface \(name)"
    case .pool(let name): "pool \(name)"
    case .listener(let name): "listener \(name)"
    case .script(let probe):
      if case .exec(let command) = probe.kind { "script \(command.joined(separator: " "))" } else { "script" }
    }
  }
}

/// What an administrator wants of this node, until it is taken back or the VIP's file entry changes.
package enum VIPHandover: String, Hashable, Codable, Sendable {
  /// Give it to another node, which takes it while this one still has it, or after some time.
  case release
  /// The same at once: who has been drained shall not wait.
  case resign
  /// Take it.
  case claim
}

/// One virtual router that shall run, with what the node knows of the things that it tracks.
package struct VIPOrder: Hashable, Sendable {
  package var vip: VIP
  /// By the track's name, why it fails; interfaces are the driver's to watch.
  package var failing: [String: String]
  package var handover: VIPHandover?

  package init(vip: VIP, failing: [String: String] = [:], handover: VIPHandover? = nil) {
    self.vip = vip
    self.failing = failing
    self.handover = handover
  }
}
