package import Model
package import Wire

/// One peer, whole: the session and both tables. The driver moves bytes and time; orders are a set of prefixes.
package struct Speaker: Sendable {
  package private(set) var session: Session
  package private(set) var received: AdjRIBIn
  package private(set) var announced = AdjRIBOut()
  /// Our ends of the session, known when it is Established.
  package var addresses: SelfAddresses

  /// What remains for the driver once the tables took their part.
  package typealias Effects = [SessionEffect]

  package init(_ settings: SessionSettings, prefixLimit: Int, addresses: SelfAddresses) {
    session = Session(settings)
    received = AdjRIBIn(limit: prefixLimit)
    self.addresses = addresses
  }

  package var deadline: Instant? { session.deadline }

  package mutating func update(_ settings: SessionSettings) { session.update(settings) }

  package mutating func handle(
    _ event: SessionEvent, at now: Instant, random: inout Random, into effects: inout Effects
  ) {
    var raw: Effects = []
    session.handle(event, at: now, random: &random, into: &raw)
    var fault: Notification?
    for effect in raw {
      effects.append(effect)
      switch effect {
      case .established(let negotiated):
        let messages = announced.begin(negotiated, localAS: session.settings.localAS, addresses: addresses)
        session.send(messages, at: now, random: &random, into: &effects)
      case .ended:
        announced.end()
        received.clear()
        fault = nil
      case .update(let update):
        do throws(Notification) { try received.apply(update) } catch { fault = fault ?? error }
      case .refresh(let refresh) where refresh.subtype == .request:
        session.send(announced.refresh(refresh.family), at: now, random: &random, into: &effects)
      default: break
      }
    }
    if let fault { handle(.fault(fault), at: now, random: &random, into: &effects) }
  }

  /// The whole set that this peer shall hear; repeated calls with the same set send nothing.
  package mutating func announce(
    _ prefixes: [IPPrefix: AnnouncementTerms], at now: Instant, random: inout Random, into effects: inout Effects
  ) {
    session.send(announced.announce(prefixes), at: now, random: &random, into: &effects)
  }

  /// Asks the peer for its routes again; false when it cannot (RFC 2918).
  package mutating func requestRefresh(
    _ family: IPAddress.Family, at now: Instant, random: inout Random, into effects: inout Effects
  ) -> Bool {
    guard let (_, negotiated, _) = session.established, negotiated.routeRefresh, negotiated.families.contains(family)
    else { return false }
    session.send([RouteRefresh(FamilyCode(family)).encode()], at: now, random: &random, into: &effects)
    return true
  }
}
