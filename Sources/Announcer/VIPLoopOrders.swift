import Kernel
import Model
import VRRP

/// Which virtual routers run.
extension VIPLoop {
  /// Makes the running ones exactly these.
  mutating func adopt(_ orders: [VIPOrder]) {
    var wanted: [(name: String, orders: [VIPOrder])] = []
    for order in orders {
      let name = order.vip.group.map { "group \($0)" } ?? order.vip.name
      if let index = wanted.firstIndex(where: { $0.name == name }) {
        wanted[index].orders.append(order)
      } else {
        wanted.append((name, [order]))
      }
    }
    var kept: [String: VIPUnit] = [:]
    for unit in units.indices {
      let next = wanted.first { $0.name == units[unit].name }?.orders ?? []
      if units[unit].canContinue(with: next) {
        kept[units[unit].name] = units[unit]
      } else {
        end(unit)
      }
    }
    if !hasCleaned { removeLeftovers(orders) }
    var fresh: Set<String> = []
    units = []
    for (name, orders) in wanted {
      if let unit = kept[name] {
        units.append(unit)
      } else {
        fresh.insert(name)
        units.append(prepare(name, orders))
      }
    }
    deadlines = units.map { $0.group.deadline?.nanoseconds ?? .max }
    reroute()
    for unit in units.indices {
      if fresh.contains(units[unit].name) {
        let goesOn = units[unit].members.allSatisfy { resuming.contains($0.vip.name) }
        if goesOn { for member in units[unit].members.indices { hold(asFound: Place(unit: unit, member: member)) } }
        tell(goesOn ? .resume : .start, unit)
      }
      update(unit, wanted[unit].orders)
    }
    closeUnusedChannels()
  }

  /// Gives its addresses up.
  private mutating func end(_ unit: Int) {
    tell(.shutdown, unit)
    for member in units[unit].members { deleteVirtualLink(of: member) }
    deadlines[unit] = .max
  }

  private mutating func prepare(_ name: String, _ orders: [VIPOrder]) -> VIPUnit {
    var members = orders.map { VIPMember($0, at: now, startedAt: startedAt) }
    var routers: [(RouterConfiguration, Tracks, primaryAddress: IPAddress?)] = []
    for index in members.indices {
      attach(&members[index])
      let tracks = members[index].order.tracks(runningInterfaces)
      routers.append((members[index].configuration, tracks, primaryAddress(of: members[index])))
    }
    return VIPUnit(group: SyncGroup(name: name, routers), members: members)
  }

  /// What may change while a router runs.
  private mutating func update(_ unit: Int, _ orders: [VIPOrder]) {
    for (member, order) in orders.enumerated() {
      let old = units[unit].members[member].order
      if old != order {
        units[unit].members[member].adopt(order, startedAt: startedAt)
        if old.vip != order.vip {
          say(VIPReport(vip: order.vip.name, kind: .vip, message: "goes on under a changed configuration"))
        }
      }
      refresh(Place(unit: unit, member: member))
      let handover = order.handover.map(VirtualRouter.Handover.init)
      if units[unit].group.members[member].handover != handover {
        tell(.handover(handover), Place(unit: unit, member: member))
      }
    }
  }

  /// Lets a router know of its tracks and its address as they are now.
  mutating func refresh(_ place: Place) {
    let member = units[place.unit].members[place.member]
    let router = units[place.unit].group.members[place.member]
    let tracks = member.order.tracks(runningInterfaces)
    if router.configuration != member.configuration || router.tracks != tracks {
      var effects: [SyncGroup.MemberEffect] = []
      units[place.unit].group.reconfigure(
        member.configuration, tracks: tracks, member: place.member, at: now, into: &effects)
      settle(effects, place.unit)
    }
    let primary = primaryAddress(of: member)
    if router.primaryAddress != primary { tell(.primaryAddress(primary), place) }
  }

  /// What an earlier process of this node left on the interfaces when it was killed.
  private mutating func removeLeftovers(_ orders: [VIPOrder]) {
    hasCleaned = true
    var ours: [IPAddress: String] = [:]
    for order in orders {
      for address in order.vip.addresses + order.vip.companions { ours[address.address] = order.vip.name }
    }
    do throws(NetlinkError) {
      let kept = resumed(orders)
      let links = Set(kept.map(\.link))
      for link in self.links.values where link.isVirtualRouterLink && !links.contains(link.index) {
        try netlink.deleteLink(link.index)
      }
      let result = try netlink.reconcile(kept, of: .virtualRouter)
      for placement in result.removed {
        let name = self.links[placement.link]?.name ?? "link \(placement.link)"
        say(
          VIPReport(
            vip: ours[placement.address] ?? "", kind: .repaired,
            message: "removed \(placement.address) from \(name): left there by a process that was killed"))
      }
      for failure in result.failures {
        say(VIPReport(vip: ours[failure.placement.address] ?? "", kind: .vip, message: "\(failure.error)"))
      }
      try listLinks()
    } catch {
      say(VIPReport(vip: "", kind: .vip, message: "leftovers could not be looked for: \(error)"))
    }
  }

  /// Where the addresses of VIPs that go on are now.
  private func resumed(_ orders: [VIPOrder]) -> Set<AddressPlacement> {
    let moving = orders.filter { resuming.contains($0.vip.name) }.flatMap { $0.vip.addresses + $0.vip.companions }
    let wanted = Set(moving.map(\.address))
    return Set(
      addresses.values.joined().filter { $0.owner == .virtualRouter && wanted.contains($0.address) }.map(\.placement))
  }

  /// What an earlier process put on the link for this member is this one's now.
  private mutating func hold(asFound place: Place) {
    let member = units[place.unit].members[place.member]
    guard let link = member.virtualLink ?? member.link else { return }
    let found = (addresses[link] ?? []).filter { $0.owner == .virtualRouter }.map(\.placement)
    units[place.unit].members[place.member].held =
      member.placements((member.vip.addresses + member.vip.companions).map(\.address)).intersection(found)
  }

  /// By whom a received advert is meant.
  mutating func reroute() {
    places = [:]
    for unit in units.indices {
      for (index, member) in units[unit].members.enumerated() {
        guard let link = member.link else { continue }
        let key = RouterKey(
          link: link, family: member.vip.family, virtualRouter: member.configuration.virtualRouter)
        places[key] = Place(unit: unit, member: index)
      }
    }
  }

  mutating func closeUnusedChannels() {
    var used: Set<VRRPChannel.Key> = []
    for unit in units {
      for member in unit.members {
        if let link = member.link { used.insert(VRRPChannel.Key(link: link, family: member.vip.family)) }
      }
    }
    for key in channels.keys where !used.contains(key) { closeChannel(key) }
  }
}

extension VirtualRouter.Handover {
  init(_ wish: VIPHandover) {
    switch wish {
    case .release: self = .release
    case .resign: self = .resign
    case .claim: self = .claim
    }
  }
}

extension VIPUnit {
  func canContinue(with orders: [VIPOrder]) -> Bool {
    members.count == orders.count && zip(members, orders).allSatisfy { $0.canContinue(with: $1) }
  }
}
