package import Model

/// An Ethernet address.
package struct MACAddress: Hashable, Sendable, CustomStringConvertible {
  /// Six bytes.
  package let bytes: [UInt8]

  package init?(_ bytes: [UInt8]) {
    guard bytes.count == 6 else { return nil }
    self.bytes = bytes
  }

  package static let broadcast = MACAddress(unchecked: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff])

  /// That of a virtual router: 00-00-5E-00-01-VRID for IPv4, 00-00-5E-00-02-VRID for IPv6 (RFC 9568 §7.3).
  package static func virtualRouter(_ id: UInt8, _ family: IPAddress.Family) -> MACAddress {
    MACAddress(unchecked: [0, 0, 0x5e, 0, family == .v4 ? 1 : 2, id])
  }

  private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

  package var description: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }
}

/// A network interface.
package struct NetworkLink: Hashable, Sendable {
  /// The kernel's number; never the same one for a link that went and came back.
  package var index: Int32
  package var name: String
  /// Switched on by its administrator.
  package var isUp: Bool
  /// The other end is there (IFF_LOWER_UP): a cable, a bridge's port, a veth's peer.
  package var hasCarrier: Bool
  package var isLoopback: Bool
  package var hardware: MACAddress?
  /// "macvlan", "veth", "bridge"; nil for plain hardware.
  package var kind: String?
  /// The link below a macvlan or a VLAN.
  package var parent: Int32?
  package var mtu: Int

  package var isRunning: Bool { isUp && (hasCarrier || isLoopback) }

  /// A macvlan that was made for a virtual router's MAC, perhaps by a process that is dead.
  package var isVirtualRouterLink: Bool {
    kind == "macvlan" && name.hasPrefix("slv") && hardware?.bytes.prefix(4) == [0, 0, 0x5e, 0]
  }
}

/// Whose an address is, as the kernel keeps it with the address (IFA_PROTO, Linux 5.18): what a crash left is recognised
/// by it. An older kernel keeps nothing, and only what the configuration names is recognised.
package enum AddressOwner: UInt8, Hashable, Sendable, CaseIterable {
  /// Addresses of virtual routers.
  case virtualRouter = 0x73
  /// Anycast addresses that BGP announces.
  case anycast = 0x74
  case floating = 0x75
}

/// An address as it is on a link.
package struct LinkAddress: Hashable, Sendable {
  package var link: Int32
  package var address: IPAddress
  package var prefixLength: Int
  /// nil: somebody else's.
  package var owner: AddressOwner?
  /// The second or later of its prefix (IPv4), or a temporary one (IPv6).
  package var isSecondary: Bool
  /// Not usable yet, or found to be somebody else's, by duplicate address detection.
  package var isTentative: Bool
  package var isLinkLocal: Bool
  /// No new connection should choose it as its source.
  package var isDeprecated: Bool
}

/// An address as it shall be on a link.
package struct AddressPlacement: Hashable, Sendable {
  package var link: Int32
  package var address: IPAddress
  /// A full-length one has no route for a prefix, and (IPv6) is never chosen as a source address.
  package var prefixLength: Int

  package init(link: Int32, address: IPAddress, prefixLength: Int? = nil) {
    self.link = link
    self.address = address
    self.prefixLength = prefixLength ?? address.width
  }
}

/// Why the kernel did not do what it was asked.
package struct NetlinkError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Reason: Hashable, Sendable {
    /// Its refusal, with its own words where it had some.
    case refused(Errno, String)
    /// An answer that does not read as one.
    case malformed
    /// The state changed while it was listed, several times over.
    case unsteady
    case noAnswer
  }
  /// What was tried: "add 192.0.2.1/32 to link 3".
  package var attempt: String
  package var reason: Reason

  package var description: String {
    switch reason {
    case .refused(let error, let words): "\(attempt): \(words.isEmpty ? "\(error)" : "\(error): \(words)")"
    case .malformed: "\(attempt): the kernel's answer is not understood"
    case .unsteady: "\(attempt): it keeps changing"
    case .noAnswer: "\(attempt): the kernel does not answer"
    }
  }

  package var errno: Errno? { if case .refused(let error, _) = reason { error } else { nil } }
}
