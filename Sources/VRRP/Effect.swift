package import Model

/// What shall happen, in this order, after an event.
package enum Effect: Hashable, Sendable {
  /// To each of the configuration's destinations, from the primary address, with hop limit 255.
  case send(Advertisement)
  /// Of this router's addresses exactly these are on the link; empty: none. Said again after each start and on
  /// `reassert`, so that what a crash or a hand left is repaired.
  case hold(AddressOrder)
  /// `count` gratuitous ARPs (request and reply) or unsolicited Neighbour Advertisements for each.
  case announce([IPAddress], count: Int)
  /// Ask the link who has these, and answer with `.verified`.
  case verifyAlone([IPAddress])
  case report(Report)
}

package struct AddressOrder: Hashable, Sendable {
  /// Sorted.
  package var addresses: [IPAddress]
  /// Whether packets to them are for this node (Accept_Mode), or only forwarded.
  package var accepts: Bool
}

/// What is worth telling an operator.
package enum Report: Hashable, Sendable {
  case changed(from: RouterState, to: RouterState, Reason)
  case priority(from: UInt8, to: UInt8)
  /// The Active router advertises other addresses: the configurations differ. Once per sender.
  case otherAddresses(from: IPAddress)
  /// The Active router advertises at another interval, which is taken over (version 3). Once per change.
  case learntInterval(AdvertInterval, from: IPAddress)
  /// Another Active router is heard, of lower standing.
  case dualActiveBegan(rival: IPAddress)
  case dualActiveEnded(rival: IPAddress, lasted: Duration)
  /// After a dual-active interval nobody else answers for the addresses.
  case ownsAlone
  /// Somebody else still answers for these.
  case answeredElsewhere([IPAddress], attempt: Int)
  /// The owner of permanent addresses cannot hand them over.
  case handoverRefused
}

/// Why a state changed.
package enum Reason: Hashable, Sendable {
  case started
  case shutdown
  /// This node owns the addresses.
  case owner
  /// Nothing was heard for Active_Down_Interval; from whom it was heard last.
  case silence(of: IPAddress?, for: Duration)
  case resignation(of: IPAddress)
  case outranked(by: IPAddress, priority: UInt8)
  case fault([String])
  case recovered
  case handover
  /// The sync group decided.
  case group
}

/// RFC 9568 §6.4. Initialize is also where a router with a fault waits.
package enum RouterState: String, Hashable, Sendable, CaseIterable {
  case initialize
  case backup
  case active
}
