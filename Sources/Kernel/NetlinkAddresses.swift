internal import Glibc
internal import Model

extension Netlink {
  /// Every address of every link.
  package mutating func addresses() throws(NetlinkError) -> [LinkAddress] {
    var request = NetlinkMessage(RT.getAddress, flags: RT.request | RT.dump)
    for _ in 0..<8 { request.number(UInt8(0)) }  // struct ifaddrmsg: any family, any link
    return try list(request, "list addresses").compactMap(LinkAddress.init)
  }

  /// Puts an address on a link, usable at once (no duplicate address detection). One that is there already stays as it is.
  ///
  /// - Returns: whether it was not there before.
  @discardableResult
  package mutating func add(_ placement: AddressPlacement, owner: AddressOwner) throws(NetlinkError) -> Bool {
    var request = NetlinkMessage(RT.newAddress, flags: RT.request | RT.ack | RT.create | RT.exclusive)
    request.address(placement)
    request.attribute(RT.Address.owner, [owner.rawValue])
    if placement.address.family == .v6 {
      request.attribute(RT.Address.flags, RT.Address.noDAD)
      if placement.prefixLength == placement.address.width {
        // struct ifa_cacheinfo: preferred for no time, valid for ever.
        let lifetimes: [UInt8] = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]
        request.attribute(RT.Address.cacheInfo, lifetimes)
      }
    }
    do {
      try perform(request, "add \(placement)")
      return true
    } catch  where error.errno == Errno(EEXIST) {
      return false
    }
  }

  /// Takes an address off a link.
  ///
  /// - Returns: whether it was there; also false when the link is gone.
  @discardableResult
  package mutating func remove(_ placement: AddressPlacement) throws(NetlinkError) -> Bool {
    var request = NetlinkMessage(RT.deleteAddress, flags: RT.request | RT.ack)
    request.address(placement)
    do {
      try perform(request, "remove \(placement)")
      return true
    } catch  where [EADDRNOTAVAIL, ENODEV].map(Errno.init).contains(error.errno) {
      return false
    }
  }
}

extension NetlinkMessage {
  /// `struct ifaddrmsg` with the address.
  mutating func address(_ placement: AddressPlacement) {
    let bytes = placement.address.bytes
    number(UInt8(placement.address.family == .v4 ? AF_INET : AF_INET6))
    number(UInt8(clamping: placement.prefixLength))
    number(UInt8(0))
    number(UInt8(0))  // scope: universe
    number(placement.link)
    attribute(RT.Address.local, bytes)
    attribute(RT.Address.address, bytes)
  }
}

extension LinkAddress {
  init?(_ answer: NetlinkAnswer) {
    guard answer.type == RT.newAddress || answer.type == RT.deleteAddress, answer.body.count >= 8,
      let length = answer.body.number(UInt8.self, at: 1), let scope = answer.body.number(UInt8.self, at: 3),
      let link = answer.body.number(Int32.self, at: 4)
    else { return nil }
    let attributes = answer.attributes(after: 8)
    // IFA_ADDRESS is the peer's on a point-to-point link; IFA_LOCAL is the own one, where there is one.
    guard let address = (attributes[RT.Address.local] ?? attributes[RT.Address.address])?.address else { return nil }
    let flags =
      attributes[RT.Address.flags]?.number(UInt32.self) ?? UInt32(answer.body.number(UInt8.self, at: 2) ?? 0)
    self.link = link
    self.address = address
    prefixLength = Int(length)
    owner = attributes[RT.Address.owner]?.first.flatMap(AddressOwner.init)
    isSecondary = flags & RT.Address.secondary != 0
    isTentative = flags & (RT.Address.tentative | RT.Address.dadFailed) != 0
    isDeprecated = flags & RT.Address.deprecated != 0
    isLinkLocal = scope == RT.Address.scopeLink
  }

  package var placement: AddressPlacement {
    AddressPlacement(link: link, address: address, prefixLength: prefixLength)
  }
}

extension AddressPlacement: CustomStringConvertible {
  package var description: String { "\(address)/\(prefixLength) on link \(link)" }
}
