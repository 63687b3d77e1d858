import Kernel
import Model
import VRRP

/// Adverts as they come in.
extension VIPLoop {
  mutating func readAdverts(_ key: VRRPChannel.Key) {
    guard let channel = channels[key]?.channel else { return }
    for _ in 0..<VIPLoop.batch {
      switch channel.receive() {
      case .packet(let packet): take(packet, key)
      // The link went down, for one: its news come by netlink.
      case .failed: continue
      case .nothing: return
      }
    }
  }

  private mutating func take(_ packet: RawSocket.Packet, _ key: VRRPChannel.Key) {
    guard let virtualRouter = DecodedAdvert.virtualRouter(peekedFrom: packet.payload.span) else {
      return strangers.drop(.length)
    }
    let router = RouterKey(link: key.link, family: key.family, virtualRouter: virtualRouter)
    guard let place = places[router] else { return strangers.drop(.virtualRouter) }
    let header = PacketHeader(source: packet.source, destination: packet.destination, hopLimit: packet.hopLimit)
    let local = units[place.unit].group.members[place.member].primaryAddress
    do throws(AdvertError) {
      let admitted = try units[place.unit].members[place.member].gate.admit(
        packet.payload.span, in: header, local: local)
      tell(.advert(admitted), place)
    } catch {
      noteDrop(error, from: packet.source, place)
    }
  }

  /// The first of each reason is told, the rest is counted.
  private mutating func noteDrop(_ reason: AdvertError, from source: IPAddress, _ place: Place) {
    guard units[place.unit].members[place.member].toldDrops.insert(reason).inserted else { return }
    say(
      VIPReport(
        vip: units[place.unit].members[place.member].vip.name, kind: .vip,
        message: "an advert of \(source) was dropped: \(reason.words); more of them are only counted"))
  }
}

extension AdvertError {
  /// As counters are called.
  var name: String {
    switch self {
    case .hopLimit: "hop-limit"
    case .family: "family"
    case .length: "length"
    case .version: "version"
    case .type: "type"
    case .checksum: "checksum"
    case .virtualRouter: "router-id"
    case .count: "count"
    case .interval: "interval"
    case .authenticationType: "authentication-type"
    case .authenticationString: "password"
    case .addressList: "addresses"
    case .unknownPeer: "unknown-peer"
    case .ownAddress: "own-address"
    case .missingTrailer: "unsigned"
    case .unexpectedTrailer: "signed"
    case .unknownKey: "unknown-key"
    case .code: "signature"
    case .replay: "replay"
    }
  }

  fileprivate var words: String {
    switch self {
    case .hopLimit: "its TTL or hop limit is too low, it comes from beyond the link"
    case .family: "of another address family"
    case .length: "its length does not fit what it says"
    case .version: "of another version of VRRP"
    case .type: "it is no advertisement"
    case .checksum: "its checksum is wrong"
    case .virtualRouter: "of another virtual router"
    case .count: "it names no address"
    case .interval: "its interval is another than this router's"
    case .authenticationType: "its authentication is another than this router's"
    case .authenticationString: "its password is another"
    case .addressList: "it names other addresses than this router's"
    case .unknownPeer: "its sender is none of the peers"
    case .ownAddress: "it bears this node's own address"
    case .missingTrailer: "it is not signed"
    case .unexpectedTrailer: "it is signed, and this router has no keys"
    case .unknownKey: "it is signed with a key that is not known here"
    case .code: "its signature is wrong"
    case .replay: "its number was taken already"
    }
  }
}
