import Kernel
import Model
import VRRP

/// Virtual routers that move together: a group, or one alone.
struct VIPUnit {
  var group: SyncGroup
  var members: [VIPMember]

  var name: String { group.name }
}

/// A virtual router with what its driver holds for it.
struct VIPMember {
  var order: VIPOrder
  var configuration: RouterConfiguration
  var gate: AdvertGate
  var sealer: AdvertSealer?
  var code: MessageCode?

  /// The interface's number; nil while there is none of its name.
  var link: Int32?
  /// The macvlan that carries the addresses, with a virtual MAC.
  var virtualLink: Int32?
  /// Why the interface cannot be used, though it is there.
  var trouble: String?
  /// The addresses that shall be on the link.
  var wanted: Set<AddressPlacement> = []
  /// Those that this driver put there.
  var held: Set<AddressPlacement> = []

  var since: Instant
  var transitions = 0
  var counters = VIPCounters()
  /// From the decision to the last announcement, at the last takeover.
  var announcementTook: Duration?
  /// Reasons for which a dropped advert was told of.
  var toldDrops: Set<AdvertError> = []
  var toldUnsent = false

  init(_ order: VIPOrder, at now: Instant, startedAt: Int64) {
    self.order = order
    configuration = RouterConfiguration(order.vip)
    code = order.vip.messageCode
    gate = AdvertGate(configuration, code: code)
    sealer = order.vip.keys.first.map { AdvertSealer(key: UInt8(clamping: $0.id), startedAt: startedAt) }
    since = now
  }

  var vip: VIP { order.vip }

  /// The source MAC of adverts and announcements, where it is not the link's own.
  var virtualHardware: MACAddress? {
    vip.usesVirtualMAC ? .virtualRouter(configuration.virtualRouter, vip.family) : nil
  }

  /// Whether the running router can go on under the other order.
  func canContinue(with next: VIPOrder) -> Bool {
    vip.name == next.vip.name && vip.interface == next.vip.interface && vip.usesVirtualMAC == next.vip.usesVirtualMAC
      && vip.addresses == next.vip.addresses && vip.companions == next.vip.companions
      && RouterConfiguration(next.vip).isSameRouter(as: configuration)
  }

  mutating func adopt(_ next: VIPOrder, startedAt: Int64) {
    let hadKeys = vip.keys
    order = next
    configuration = RouterConfiguration(next.vip)
    guard hadKeys != next.vip.keys else { return gate.reconfigure(configuration, code: code) }
    code = next.vip.messageCode
    gate.reconfigure(configuration, code: code)
    let key = next.vip.keys.first.map { UInt8(clamping: $0.id) }
    if let key, sealer != nil {
      sealer?.key = key
    } else {
      sealer = key.map { AdvertSealer(key: $0, startedAt: startedAt) }
    }
  }

  /// Where these addresses go.
  func placements(_ addresses: [IPAddress]) -> Set<AddressPlacement> {
    guard let link = virtualLink ?? link else { return [] }
    var result: Set<AddressPlacement> = []
    for moving in vip.addresses + vip.companions where addresses.contains(moving.address) {
      result.insert(AddressPlacement(link: link, address: moving.address, prefixLength: moving.prefixLength))
    }
    return result
  }
}
