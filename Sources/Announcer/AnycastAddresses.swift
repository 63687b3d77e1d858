import Kernel
import Model

/// The announced host addresses on their device. A set: done again, it changes nothing; what a crash left goes.
struct AnycastAddresses: Sendable {
  private var wanted: Set<IPAddress> = []
  private var device: String?
  private var isOwner = false

  /// What is to come beside what is there, so that listeners can bind before anything is announced.
  mutating func prepare(_ topology: BGPTopology?) -> [String] {
    guard let topology, let device = topology.device, self.device == nil || self.device == device else { return [] }
    return put(wanted.union(topology.hostAddresses), on: device)
  }

  /// Exactly these from now on.
  mutating func apply(_ topology: BGPTopology?) -> [String] {
    let addresses = topology?.device == nil ? [] : topology?.hostAddresses ?? []
    return put(addresses, on: topology?.device)
  }

  /// - Returns: what went wrong, in words.
  private mutating func put(_ addresses: Set<IPAddress>, on device: String?) -> [String] {
    guard isOwner || device != nil, addresses != wanted || device != self.device else { return [] }
    isOwner = true
    do {
      var netlink = try Netlink()
      var placements: Set<AddressPlacement> = []
      var troubles: [String] = []
      if let device, !addresses.isEmpty {
        if let link = PeerSocket.interface(device) {
          placements = Set(addresses.map { AddressPlacement(link: Int32(link), address: $0) })
        } else {
          troubles.append("the device \(device) for announced addresses is not there")
        }
      }
      let result = try netlink.reconcile(placements, of: .anycast)
      wanted = troubles.isEmpty && result.failures.isEmpty ? addresses : []
      self.device = device
      return troubles + result.failures.map { "the announced address \($0.placement): \($0.error)" }
    } catch {
      return ["announced addresses: \(error)"]
    }
  }
}

extension BGPTopology {
  /// A prefix of more than one address is somebody else's to put somewhere.
  fileprivate var hostAddresses: Set<IPAddress> {
    Set(announcements.flatMap(\.prefixes).filter { $0.length == $0.address.width }.map(\.address))
  }
}
