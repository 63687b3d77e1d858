package import Model
import Wire

/// UPDATE (RFC 4271 §4.3) with the two families of RFC 4760 folded in.
///
///     withdrawn length, 2 | withdrawn | attributes length, 2 | attributes | NLRI
package struct Update: Hashable, Sendable {
  /// Prefixes that share a next hop.
  package struct Reachable: Hashable, Sendable {
    package var nextHop: NextHop
    package var prefixes: [IPPrefix]
    package init(_ nextHop: NextHop, _ prefixes: [IPPrefix]) {
      self.nextHop = nextHop
      self.prefixes = prefixes
    }
  }

  /// Of either family; with treat-as-withdraw, also what the message tried to announce.
  package var withdrawn: [IPPrefix]
  package var announced: [Reachable]
  package var attributes: PathAttributes
  /// End-of-RIB of a family (RFC 4724 §2).
  package var endOfRIB: FamilyCode?
  /// What was wrong and survived: attributes that were dropped, routes taken as withdrawn.
  package var issues: [AttributeIssue]

  package init(
    withdrawn: [IPPrefix] = [], announced: [Reachable] = [], attributes: PathAttributes = PathAttributes(),
    endOfRIB: FamilyCode? = nil, issues: [AttributeIssue] = []
  ) {
    self.withdrawn = withdrawn
    self.announced = announced
    self.attributes = attributes
    self.endOfRIB = endOfRIB
    self.issues = issues
  }

  /// The reaction to the worst of `issues`.
  package var severity: AttributeIssue.Reaction? { issues.map(\.reaction).max() }

  static func decode(_ body: Span<UInt8>, options: CodecOptions) throws(Notification) -> Update {
    var reader = ByteReader(body)
    guard let withdrawnLength = reader.u16(), let withdrawnBytes = reader.take(Int(withdrawnLength)),
      let attributesLength = reader.u16(), let attributeBytes = reader.take(Int(attributesLength)),
      let announcedBytes = reader.take(reader.remaining)
    else { throw .malformedAttributeList }
    // RFC 7606 §5.3: prefixes that cannot be read leave nothing that could be taken as withdrawn.
    guard let withdrawn = Prefixes.decode(withdrawnBytes, family: .v4),
      let announced = Prefixes.decode(announcedBytes, family: .v4)
    else { throw .invalidNetworkField }

    var found = AttributeDecoder(options: options)
    try found.decode(attributeBytes)
    var update = Update(withdrawn: withdrawn + found.unreachable, attributes: found.attributes)
    if !announced.isEmpty {
      if found.nextHop == nil, !found.hasIssue(.nextHop) { found.missing(.nextHop) }
      if let nextHop = found.nextHop { update.announced.append(Reachable(nextHop, announced)) }
    }
    if let reach = found.reachable { update.announced.append(reach) }
    let reaches = !announced.isEmpty || found.hasReach
    if reaches { found.requireMandatory() }
    update.issues = found.issues

    if update.severity == .withdraw {
      // RFC 7606 §5.2: attributes without a reachable prefix: perhaps the prefixes were what broke.
      guard reaches else { throw found.worst?.notification ?? .malformedAttributeList }
      update.withdrawn += announced + (found.reachable?.prefixes ?? [])
      update.announced = []
    }
    if withdrawnBytes.isEmpty, announcedBytes.isEmpty {
      if attributeBytes.isEmpty { update.endOfRIB = .v4 } else { update.endOfRIB = found.endOfRIB }
    }
    return update
  }
}

/// One mistake in an UPDATE and what is done about it (RFC 7606 §2).
package struct AttributeIssue: Hashable, Sendable {
  /// The ladder, mildest first. A session reset is thrown, not recorded.
  package enum Reaction: Int, Comparable, Sendable {
    /// The attribute is dropped, the routes stand.
    case discard
    /// The routes are taken as withdrawn.
    case withdraw

    package static func < (left: Reaction, right: Reaction) -> Bool { left.rawValue < right.rawValue }
  }

  package var type: UInt8
  package var reaction: Reaction
  /// What RFC 4271 would have sent.
  package var notification: Notification

  package init(type: UInt8, reaction: Reaction, notification: Notification) {
    self.type = type
    self.reaction = reaction
    self.notification = notification
  }
}
