internal import Glibc
internal import Model

extension Netlink {
  /// Every link there is.
  package mutating func links() throws(NetlinkError) -> [NetworkLink] {
    var request = NetlinkMessage(RT.getLink, flags: RT.request | RT.dump)
    request.linkHeader()
    return try list(request, "list links").compactMap(NetworkLink.init)
  }

  /// A macvlan with this MAC on a link: bridge mode, no IPv6 address of its own, switched on.
  ///
  /// The link below goes on receiving what is sent to groups, which a private macvlan would keep to itself.
  package mutating func createMacvlan(name: String, on parent: Int32, _ hardware: MACAddress) throws(NetlinkError) {
    var request = NetlinkMessage(RT.newLink, flags: RT.request | RT.ack | RT.create | RT.exclusive)
    request.linkHeader()
    request.attribute(RT.Link.parent, UInt32(bitPattern: parent))
    request.attribute(RT.Link.name, text: name)
    request.attribute(RT.Link.address, hardware.bytes)
    request.nest(RT.Link.info) { info in
      info.attribute(RT.Link.infoKind, text: "macvlan")
      info.nest(RT.Link.infoData) { $0.attribute(RT.Link.macvlanMode, RT.Link.macvlanBridge) }
    }
    try perform(request, "create the macvlan \(name) on link \(parent)")
    // Both nodes have this MAC, so an address made from it would be there twice (IN6_ADDR_GEN_MODE_NONE). Not while it
    // is created: a link that does not exist yet has no IPv6 side, and the kernel says so. Not once it is on: too late.
    var mode = NetlinkMessage(RT.newLink, flags: RT.request | RT.ack)
    mode.linkHeader()
    mode.attribute(RT.Link.name, text: name)
    mode.nest(RT.Link.familySpecific) { families in
      families.nest(UInt16(AF_INET6)) { $0.attribute(RT.Link.v6GenerationMode, [1]) }
    }
    do {
      try perform(mode, "keep \(name) without an address of its own")
    } catch  where error.errno == Errno(EAFNOSUPPORT) {
      // A machine without IPv6 makes none.
    }
    var on = NetlinkMessage(RT.newLink, flags: RT.request | RT.ack)
    on.linkHeader(flags: RT.Link.up, change: RT.Link.up)
    on.attribute(RT.Link.name, text: name)
    try perform(on, "switch \(name) on")
  }

  package mutating func deleteLink(_ index: Int32) throws(NetlinkError) {
    var request = NetlinkMessage(RT.deleteLink, flags: RT.request | RT.ack)
    request.linkHeader(index: index)
    try perform(request, "delete link \(index)")
  }

  /// Switches a link on or off.
  package mutating func setLink(_ index: Int32, up: Bool) throws(NetlinkError) {
    var request = NetlinkMessage(RT.newLink, flags: RT.request | RT.ack)
    request.linkHeader(index: index, flags: up ? RT.Link.up : 0, change: RT.Link.up)
    try perform(request, "switch link \(index) \(up ? "on" : "off")")
  }
}

extension NetlinkMessage {
  /// `struct ifinfomsg`.
  mutating func linkHeader(index: Int32 = 0, flags: UInt32 = 0, change: UInt32 = 0) {
    number(UInt8(0))  // AF_UNSPEC
    number(UInt8(0))
    number(UInt16(0))
    number(index)
    number(flags)
    number(change)
  }
}

extension NetworkLink {
  init?(_ answer: NetlinkAnswer) {
    guard answer.type == RT.newLink || answer.type == RT.deleteLink, answer.body.count >= 16,
      let index = answer.body.number(Int32.self, at: 4), let flags = answer.body.number(UInt32.self, at: 8)
    else { return nil }
    let attributes = answer.attributes(after: 16)
    guard let name = attributes[RT.Link.name]?.text else { return nil }
    self.index = index
    self.name = name
    isUp = flags & RT.Link.up != 0
    hasCarrier = flags & RT.Link.lowerUp != 0
    isLoopback = flags & RT.Link.loopback != 0
    hardware = attributes[RT.Link.address].flatMap { MACAddress(Array($0)) }
    parent = attributes[RT.Link.parent]?.number(Int32.self)
    mtu = Int(attributes[RT.Link.mtu]?.number(UInt32.self) ?? 0)
    kind = attributes[RT.Link.info].flatMap { NetlinkAnswer.attributes($0)[RT.Link.infoKind]?.text }
  }
}
