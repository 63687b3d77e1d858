import Kernel
import Model
import VRRP

/// The machine's interfaces: which there are, what is on them, and what others do to them.
extension VIPLoop {
  /// The least time between two comparisons of what is with what is wanted, where two programs fight over an address.
  static let repairSpacing = Duration.milliseconds(100)

  static func list(
    _ netlink: inout Netlink
  ) throws(NetlinkError) -> (links: [Int32: NetworkLink], addresses: [Int32: [LinkAddress]]) {
    var links: [Int32: NetworkLink] = [:]
    for link in try netlink.links() { links[link.index] = link }
    var addresses: [Int32: [LinkAddress]] = [:]
    for address in try netlink.addresses() { addresses[address.link, default: []].append(address) }
    return (links, addresses)
  }

  mutating func listLinks() throws(NetlinkError) { (links, addresses) = try VIPLoop.list(&netlink) }

  var ownHardware: Set<MACAddress> { Set(links.values.compactMap(\.hardware)) }

  var runningInterfaces: Set<String> { Set(links.values.filter(\.isRunning).map(\.name)) }

  // MARK: News

  mutating func readNews() {
    var isChanged = false
    for event in news.take() {
      switch event {
      case .link(let link):
        if links.updateValue(link, forKey: link.index) != link { isChanged = true }
      case .linkGone(let link):
        isChanged = true
        links[link.index] = nil
        addresses[link.index] = nil
        frames[link.index] = nil
        for family in [IPAddress.Family.v4, .v6] { closeChannel(.init(link: link.index, family: family)) }
      case .address(let address):
        addresses[address.link, default: []].removeAll { $0.placement == address.placement }
        addresses[address.link, default: []].append(address)
        isChanged = true
        if address.owner == .virtualRouter, !isWanted(address.placement) { scheduleRepair() }
      case .addressGone(let address):
        addresses[address.link]?.removeAll { $0.placement == address.placement }
        isChanged = true
        if isWanted(address.placement) { scheduleRepair() }
      case .lost:
        isChanged = true
        try? listLinks()
        scheduleRepair()
      }
    }
    if isChanged { reattach() }
  }

  private func isWanted(_ placement: AddressPlacement) -> Bool {
    units.contains { $0.members.contains { $0.wanted.contains(placement) } }
  }

  /// Members follow their interface by name: it may have come, gone, or come back under another number.
  private mutating func reattach() {
    for unit in units.indices {
      for index in units[unit].members.indices {
        let place = Place(unit: unit, member: index)
        let before = units[unit].members[index].link
        var member = units[unit].members[index]
        attach(&member)
        units[unit].members[index] = member
        if before != member.link {
          reroute()
          complain(
            member.link == nil
              ? "the interface \(member.vip.interface) is gone" : "the interface \(member.vip.interface) is there",
            place)
        }
        refresh(place)
      }
    }
  }

  /// Finds a member's interface, and opens what it needs there.
  mutating func attach(_ member: inout VIPMember) {
    let link = links.values.first { $0.name == member.vip.interface }
    if member.link != link?.index {
      member.link = link?.index
      member.virtualLink = nil
      // With the link its addresses went.
      member.held = []
      member.wanted = []
    }
    guard let link else { return }
    let key = VRRPChannel.Key(link: link.index, family: member.vip.family)
    do {
      if channels[key] == nil {
        let channel = try VRRPChannel(key.family, on: link)
        let token = newToken(.channel(key))
        try epoll.add(channel.descriptor, token: token, .level)
        channels[key] = (channel, token)
      }
      if member.vip.usesVirtualMAC, member.virtualLink.map({ links[$0] == nil }) ?? true {
        member.virtualLink = try createVirtualLink(member, on: link)
      }
      member.trouble = nil
    } catch {
      let trouble = "\(error)"
      if member.trouble != trouble {
        say(
          VIPReport(
            vip: member.vip.name, kind: .vip, message: "the interface \(link.name) cannot be used: \(trouble)"))
      }
      member.trouble = trouble
    }
  }

  mutating func closeChannel(_ key: VRRPChannel.Key) {
    guard let (channel, token) = channels.removeValue(forKey: key) else { return }
    epoll.remove(channel.descriptor)
    sources[token] = nil
  }

  /// Where a member's adverts come from: an address that stays on its interface; nil: it has none, or no carrier.
  func primaryAddress(of member: VIPMember) -> IPAddress? {
    guard let index = member.link, let link = links[index], link.isRunning, member.trouble == nil else { return nil }
    let moving = Set((member.vip.addresses + member.vip.companions).map(\.address))
    let usable = (addresses[index] ?? []).filter {
      $0.address.family == member.vip.family && $0.owner == nil && !$0.isTentative && !moving.contains($0.address)
    }
    if let source = member.vip.source { return usable.contains { $0.address == source } ? source : nil }
    if member.vip.family == .v4 { return (usable.first { !$0.isSecondary } ?? usable.first)?.address }
    // RFC 9568 §5.1.2.1: the link-local one. Unicast peers beyond the link are reached from a global one.
    let needsGlobal = !member.vip.peers.isEmpty && !member.vip.peers.allSatisfy(\.isLinkLocalV6)
    return usable.first { $0.isLinkLocal != needsGlobal && !($0.isDeprecated && needsGlobal) }?.address
  }

  // MARK: Repair

  private mutating func scheduleRepair() {
    let earliest = repairedAt + VIPLoop.repairSpacing
    repairAt = min(repairAt ?? max(now, earliest), max(now, earliest))
  }

  /// Puts back what somebody removed, and removes what is not this node's to have.
  mutating func repair() {
    repairAt = nil
    repairedAt = now
    var wanted: Set<AddressPlacement> = []
    for unit in units { for member in unit.members { wanted.formUnion(member.wanted) } }
    guard let result = try? netlink.reconcile(wanted, of: .virtualRouter) else { return }
    for placement in result.removed {
      say(
        VIPReport(
          vip: "", kind: .repaired,
          message:
            "removed \(placement.address) from \(links[placement.link]?.name ?? "link \(placement.link)"): it is not this node's now"
        ))
    }
    for unit in units.indices {
      for index in units[unit].members.indices {
        let place = Place(unit: unit, member: index)
        let member = units[unit].members[index]
        let back = result.added.filter { member.wanted.contains($0) }
        for failure in result.failures where member.wanted.contains(failure.placement) {
          complain("\(failure.error)", place)
        }
        guard !back.isEmpty else { continue }
        units[unit].members[index].held.formUnion(back)
        say(
          VIPReport(
            vip: member.vip.name, kind: .repaired,
            message:
              "put \(back.map { "\($0.address)" }.joined(separator: ", ")) back on \(member.vip.interface): somebody had removed it"
          ))
        announce(back.map(\.address), member.configuration.announcing.count, place)
      }
    }
  }

  // MARK: Virtual MACs

  private mutating func createVirtualLink(_ member: VIPMember, on link: NetworkLink) throws -> Int32? {
    guard let hardware = member.virtualHardware else { return nil }
    let family = member.vip.family == .v4 ? "4" : "6"
    let name =
      "slv\(String(link.index, radix: 16))-\(String(member.configuration.virtualRouter, radix: 16))-\(family)"
    if let old = links.values.first(where: { $0.name == name }) {
      if resuming.contains(member.vip.name) { return old.index }
      try netlink.deleteLink(old.index)
    }
    try netlink.createMacvlan(name: name, on: link.index, hardware)
    // The link below must not answer for the addresses with its own MAC, and what comes by the macvlan leaves by the
    // link below.
    SystemSetting.write("net/ipv4/conf/\(link.name)/arp_ignore", "1")
    // Nor may it ask for a neighbour in the name of such an address: who is asked would learn the wrong MAC.
    SystemSetting.write("net/ipv4/conf/\(link.name)/arp_announce", "2")
    SystemSetting.write("net/ipv4/conf/\(name)/arp_ignore", "1")
    SystemSetting.write("net/ipv4/conf/\(name)/rp_filter", "0")
    for found in try netlink.links() where found.name == name {
      links[found.index] = found
      return found.index
    }
    return nil
  }

  mutating func deleteVirtualLink(of member: VIPMember) {
    guard let index = member.virtualLink else { return }
    try? netlink.deleteLink(index)
    links[index] = nil
  }
}

extension IPAddress {
  var isLinkLocalV6: Bool { family == .v6 && high >> 54 == 0x3fa }
}
