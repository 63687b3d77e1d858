internal import Kernel
package import Model

/// Floating addresses on their devices. A set: done again, it changes nothing; what a crash left goes.
package enum FloatingAddresses {
  /// How often a newcomer is announced, at once.
  static let announcements = 3

  package struct Result: Sendable {
    package var added: [IPAddress] = []
    package var troubles: [String] = []
  }

  /// Exactly these from now on; newcomers are announced to their links.
  package static func put(_ places: [IPAddress: String]) -> Result {
    var result = Result()
    do throws(NetlinkError) {
      var netlink = try Netlink()
      let links = Dictionary(try netlink.links().map { ($0.name, $0) }) { first, _ in first }
      var wanted: Set<AddressPlacement> = []
      for (address, device) in places {
        if let link = links[device] { wanted.insert(AddressPlacement(link: link.index, address: address)) }
      }
      for device in Set(places.values).sorted() where links[device] == nil {
        result.troubles.append("the device \(device) for floating addresses is not there")
      }
      let done = try netlink.reconcile(wanted, of: .floating)
      result.troubles += done.failures.map { "the floating address \($0.placement): \($0.error)" }
      result.troubles += done.foreign.map { "the floating address \($0.address) is there already, and not by Sluice" }
      result.added = done.added.map(\.address)
      for link in links.values {
        let addresses = done.added.filter { $0.link == link.index }.map(\.address)
        if !addresses.isEmpty, let trouble = announce(addresses, on: link) { result.troubles.append(trouble) }
      }
    } catch {
      result.troubles.append("floating addresses: \(error)")
    }
    return result
  }

  /// What a process before this one has put where.
  package static func present() -> [IPAddress: String] {
    guard var netlink = try? Netlink(), let links = try? netlink.links(), let addresses = try? netlink.addresses()
    else {
      return [:]
    }
    var result: [IPAddress: String] = [:]
    for found in addresses where found.owner == .floating {
      result[found.address] = links.first { $0.index == found.link }?.name
    }
    return result
  }

  private static func announce(_ addresses: [IPAddress], on link: NetworkLink) -> String? {
    guard let hardware = link.hardware, !link.isLoopback else { return nil }
    do throws(Errno) {
      let socket = try PacketSocket(on: link.index)
      for _ in 0..<announcements {
        for address in addresses {
          for frame in VIPFrames.announcements(address, hardware) { try socket.send(frame) }
        }
      }
      return nil
    } catch {
      return "floating addresses could not be announced on \(link.name): \(error)"
    }
  }
}
