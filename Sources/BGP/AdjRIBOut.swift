package import Model

/// What a peer shall hear, against what it heard: a set reconciler.
///
/// `announce` gives the whole wanted set; the messages that come back are the least that
/// turn the peer's view into it. Nothing is sent without a session; when one begins, the
/// whole set goes out and each family ends with End-of-RIB (RFC 4724 §3). Before the first
/// `announce` nothing is known to be wanted or not, and a peer that keeps routes from before
/// our restart must not be told to drop them: not even End-of-RIB is sent (§4.1).
package struct AdjRIBOut: Sendable {
  private struct Sent: Hashable, Sendable {
    var nextHop: NextHop
    var attributes: PathAttributes
  }

  /// nil: nobody has said yet.
  package private(set) var wanted: [IPPrefix: AnnouncementTerms]?
  /// Wanted, but not sayable on this session: no next hop of a fitting family, the family not agreed on,
  /// or attributes larger than a message.
  package private(set) var unsayable: Set<IPPrefix> = []
  private var sent: [IPPrefix: Sent] = [:]
  private var session: Terms?
  private var owesEndOfRIB = false

  /// What the session's end points and agreement give.
  private struct Terms: Sendable {
    var negotiated: Negotiated
    var localAS: UInt32
    var addresses: SelfAddresses
    var encoder: UpdateEncoder
  }

  package init() {}

  /// What the peer has been told, for reports.
  package var announced: [(prefix: IPPrefix, nextHop: NextHop, attributes: PathAttributes)] {
    sent.sorted { order($0.key, $1.key) }.map { ($0.key, $0.value.nextHop, $0.value.attributes) }
  }

  package func isAnnounced(_ prefix: IPPrefix) -> Bool { sent[prefix] != nil }
  package var count: Int { sent.count }

  /// The set that the peer shall know from now on; the UPDATEs that make it so.
  package mutating func announce(_ prefixes: [IPPrefix: AnnouncementTerms]) -> [[UInt8]] {
    wanted = prefixes
    let messages = reconcile()
    return messages + endOfRIB()
  }

  /// A session is Established: the peer knows nothing yet.
  package mutating func begin(_ negotiated: Negotiated, localAS: UInt32, addresses: SelfAddresses) -> [[UInt8]] {
    session = Terms(
      negotiated: negotiated, localAS: localAS, addresses: addresses, encoder: UpdateEncoder(options: negotiated.codec))
    sent = [:]
    owesEndOfRIB = true
    let messages = reconcile()
    return messages + endOfRIB()
  }

  private mutating func endOfRIB() -> [[UInt8]] {
    guard owesEndOfRIB, wanted != nil, let session else { return [] }
    owesEndOfRIB = false
    return session.negotiated.families.map(UpdateEncoder.endOfRIB)
  }

  /// The session is over, and with it what the peer knew.
  package mutating func end() {
    session = nil
    owesEndOfRIB = false
    sent = [:]
    unsayable = []
  }

  /// ROUTE-REFRESH: everything of the family again, between borders where both know them (RFC 7313 §4).
  package mutating func refresh(_ code: FamilyCode) -> [[UInt8]] {
    guard wanted != nil, let session, let family = code.unicast, session.negotiated.families.contains(family) else {
      return []
    }
    sent = sent.filter { $0.key.address.family != family }
    let messages = reconcile()
    guard session.negotiated.enhancedRouteRefresh else { return messages }
    return [RouteRefresh(code, .begin).encode()] + messages + [RouteRefresh(code, .end).encode()]
  }

  private mutating func reconcile() -> [[UInt8]] {
    guard let session, let wanted else { return [] }
    var goal: [IPPrefix: Sent] = [:]
    goal.reserveCapacity(wanted.count)
    unsayable = []
    var attributes: [AnnouncementTerms: PathAttributes] = [:]
    for (prefix, terms) in wanted {
      let family = prefix.address.family
      let hop = session.addresses.nextHop(
        family, given: terms.nextHop, extended: session.negotiated.extendedNextHop)
      guard let hop, session.encoder.carries(family, hop) else {
        unsayable.insert(prefix)
        continue
      }
      let exported =
        attributes[terms] ?? terms.attributes(localAS: session.localAS, isInternal: session.negotiated.isInternal)
      attributes[terms] = exported
      goal[prefix] = Sent(nextHop: hop, attributes: exported)
    }

    // New and changed routes first, grouped by what is said of them.
    var groups: [Group: [IPPrefix]] = [:]
    for (prefix, route) in goal where sent[prefix] != route {
      groups[Group(family: prefix.address.family, route: route), default: []].append(prefix)
    }
    var announcing: [[UInt8]] = []
    for (group, prefixes) in groups.map({ ($0.key, $0.value.sorted(by: order)) }).sorted(by: { order($0.1[0], $1.1[0]) }
    ) {
      let messages = session.encoder.announce(
        prefixes, nextHop: group.route.nextHop, attributes: group.route.attributes)
      if let messages {
        announcing += messages
      } else {
        // What was said before under other terms no longer holds: it is withdrawn below.
        unsayable.formUnion(prefixes)
        for prefix in prefixes { goal[prefix] = nil }
      }
    }

    var withdrawing: [[UInt8]] = []
    for family in [IPAddress.Family.v4, .v6] {
      let gone = sent.keys.filter { $0.address.family == family && goal[$0] == nil }
      withdrawing += session.encoder.withdraw(gone.sorted(by: order))
    }
    sent = goal
    // A withdrawal is what an outage waits for: it goes first.
    return withdrawing + announcing
  }

  private struct Group: Hashable {
    var family: IPAddress.Family
    var route: Sent
  }
}

/// By address, then length: so that the same set gives the same bytes.
func order(_ left: IPPrefix, _ right: IPPrefix) -> Bool {
  left.address != right.address ? left.address < right.address : left.length < right.length
}
