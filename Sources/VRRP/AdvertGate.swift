package import Model
import Wire

/// An advert that passed the gate.
package struct AdmittedAdvert: Hashable, Sendable {
  package var advertisement: Advertisement
  package var source: IPAddress
  /// It names other addresses than this router's, and was taken nevertheless.
  package var namesOtherAddresses: Bool

  package init(_ advertisement: Advertisement, from source: IPAddress, namesOtherAddresses: Bool = false) {
    self.advertisement = advertisement
    self.source = source
    self.namesOtherAddresses = namesOtherAddresses
  }
}

/// The one door for received packets of one virtual router: takes or drops them, and counts.
package struct AdvertGate: Sendable {
  package private(set) var counters = AdvertCounters()
  private var configuration: RouterConfiguration
  private var code: MessageCode?
  private let sequenceFloor: UInt64
  /// By sender. Only holders of a key get an entry.
  private var windows: [IPAddress: ReplayWindow] = [:]

  /// - Parameters:
  ///   - code: needed where the configuration says sealed; without it everything is dropped.
  ///   - sequenceFloor: see `ReplayWindow`.
  package init(_ configuration: RouterConfiguration, code: MessageCode? = nil, sequenceFloor: UInt64 = 0) {
    self.configuration = configuration
    self.code = code
    self.sequenceFloor = sequenceFloor
  }

  /// Another configuration of the same router; the counters, and which numbers were taken, stay.
  package mutating func reconfigure(_ configuration: RouterConfiguration, code: MessageCode?) {
    self.configuration = configuration
    self.code = code
  }

  /// Reads, checks and counts an IP payload.
  ///
  /// - Parameter local: this node's primary address on the link, to recognise its own packets.
  package mutating func admit(
    _ payload: Span<UInt8>, in header: PacketHeader, local: IPAddress?
  ) throws(AdvertError) -> AdmittedAdvert {
    do {
      let admitted = try check(payload, header, local)
      counters.accept()
      return admitted
    } catch {
      counters.drop(error)
      throw error
    }
  }

  private mutating func check(
    _ payload: Span<UInt8>, _ header: PacketHeader, _ local: IPAddress?
  ) throws(AdvertError) -> AdmittedAdvert {
    guard header.source != local else { throw .ownAddress }
    guard configuration.peers.isEmpty || configuration.peers.contains(header.source) else { throw .unknownPeer }
    let decoded = try DecodedAdvert(payload, in: header, minimumHopLimit: configuration.minimumHopLimit)
    let advert = decoded.advertisement
    guard advert.version == configuration.version else { throw .version }
    guard header.source.family == configuration.family else { throw .family }
    guard advert.virtualRouter == configuration.virtualRouter else { throw .virtualRouter }
    if advert.version == .v2 { try checkAuthentication(advert.authentication) }
    try checkTrailer(decoded.trailer, payload, header)
    // Version 3 learns the Active router's interval instead.
    guard advert.version == .v3 || advert.interval == configuration.interval else { throw .interval }
    let differs = Set(advert.addresses) != Set(configuration.addresses)
    // A resignation counts whatever it lists: dropping it only delays the takeover.
    if differs, configuration.addressCheck == .drop, advert.priority != 255, advert.priority != 0 { throw .addressList }
    return AdmittedAdvert(advert, from: header.source, namesOtherAddresses: differs)
  }

  private func checkAuthentication(_ got: Advertisement.Authentication) throws(AdvertError) {
    switch (configuration.authentication, got) {
    case (.none, .none): return
    case (.simple(let mine), .simple(let theirs)): guard mine == theirs else { throw .authenticationString }
    default: throw .authenticationType
    }
  }

  private mutating func checkTrailer(
    _ trailer: AuthenticationTrailer?, _ payload: Span<UInt8>, _ header: PacketHeader
  ) throws(AdvertError) {
    guard configuration.isSealed else {
      guard trailer == nil else { throw .unexpectedTrailer }
      return
    }
    guard let trailer else { throw .missingTrailer }
    guard let code else { throw .unknownKey }
    try trailer.verify(payload, in: header, with: code)
    guard windows[header.source, default: ReplayWindow(floor: sequenceFloor)].take(trailer.sequence) else {
      throw .replay
    }
  }
}
