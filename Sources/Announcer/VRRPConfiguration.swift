import Model
import TLS
import VRRP

extension RouterConfiguration {
  init(_ vip: VIP) {
    let version = ProtocolVersion(vip.version)
    let centiseconds = Int(vip.interval.milliseconds / 10)
    self.init(
      name: vip.name, version: version, virtualRouter: UInt8(clamping: vip.virtualRouter),
      priority: UInt8(clamping: vip.priority),
      interval: AdvertInterval(centiseconds: centiseconds, version: version) ?? .second,
      addresses: vip.addresses.map(\.address))
    companions = vip.companions.map(\.address)
    preempts = vip.preempts
    preemptDelay = vip.preemptDelay
    authentication =
      vip.password.flatMap { SimplePassword(Array($0.utf8)) }.map { Advertisement.Authentication.simple($0) } ?? .none
    isSealed = !vip.keys.isEmpty
    peers = vip.peers
    minimumHopLimit = UInt8(clamping: vip.minimumHopLimit)
    checksum = vip.sumsPseudoHeader ? .pseudoHeader : .plain
    announcing = AnnouncementPolicy(
      count: vip.announcing.count, delay: vip.announcing.delay, refresh: vip.announcing.refresh)
  }
}

extension ProtocolVersion {
  init(_ version: VIP.Version) {
    switch version {
    case .v2: self = .v2
    case .v3: self = .v3
    }
  }
}

extension VIP {
  /// HMAC-SHA-256 under the key of an id; nil when adverts are not signed.
  var messageCode: MessageCode? {
    guard !keys.isEmpty else { return nil }
    let secrets = Dictionary(keys.map { (UInt8(clamping: $0.id), Array($0.secret.utf8)) }) { first, _ in first }
    return { id, message in secrets[id].map { Digest.sha256.authenticate(message, key: $0) } }
  }
}

extension VIPOrder {
  /// All that is tracked, with what is known of it.
  /// - Parameter running: interfaces by name.
  func tracks(_ running: Set<String>) -> Tracks {
    var tracks = Tracks()
    for track in vip.tracks {
      let consequence: Tracks.Consequence =
        switch track.consequence {
        case .weight(let weight): .weight(weight)
        case .fault: .fault
        }
      let isWell =
        if case .interface(let name) = track.subject { running.contains(name) } else { failing[track.name] == nil }
      tracks.add(track.name, consequence, isWell: isWell)
    }
    return tracks
  }
}
