internal import CKernel

/// Capabilities of this process (capabilities(7)).
package enum Privileges {
  package enum Capability: Int32, Hashable, Sendable, CaseIterable {
    /// Ports below 1024.
    case netBindService = 10
    /// Addresses, links, neighbours.
    case netAdmin = 12
    /// Raw and packet sockets.
    case netRaw = 13
    /// Real-time scheduling.
    case sysNice = 23

    package var name: String {
      switch self {
      case .netBindService: "CAP_NET_BIND_SERVICE"
      case .netAdmin: "CAP_NET_ADMIN"
      case .netRaw: "CAP_NET_RAW"
      case .sysNice: "CAP_SYS_NICE"
      }
    }
  }

  /// Of these, what the calling thread does not have.
  package static func missing(of wanted: [Capability]) -> [Capability] {
    let effective = sluice_effective_capabilities()
    return wanted.filter { effective & 1 << UInt64($0.rawValue) == 0 }
  }

  /// Gives up every capability but those above, for the calling thread, all that it starts, and their programs.
  package static func dropOthers() {
    sluice_keep_capabilities(Capability.allCases.reduce(0) { $0 | 1 << UInt64($1.rawValue) })
  }
}
