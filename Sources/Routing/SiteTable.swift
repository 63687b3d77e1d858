/// Where a request goes by the site that its client belongs to.
package enum SiteChoice: Hashable, BitwiseCopyable, Sendable {
  /// The listener has no affinity.
  case off
  /// It has no cookie, or one that names no site of ours: it is served here, and bound to this site.
  case newcomer, unknown
  case own
  /// To another site of the table, which is well.
  case forward(UInt8)
  /// Another site of the table, which is not: it is served here, and bound to this site.
  case unwell(UInt8)
  /// Another site has passed it on: it is served here whatever its cookie says, so that it never travels in circles.
  case marked

  @inlinable package var isForward: Bool { if case .forward = self { true } else { false } }

  /// Whether the answer carries this site's cookie.
  @inlinable package var bindsHere: Bool {
    switch self {
    case .newcomer, .unknown, .unwell: true
    case .off, .own, .forward, .marked: false
    }
  }
}

/// The sites that a listener knows, and who of them can be sent to now.
package struct SiteTable: Sendable {
  package struct Other: Sendable {
    package let name: [UInt8]
    package let isWell: Bool

    package init(name: String, isWell: Bool) {
      self.name = Array(name.utf8)
      self.isWell = isWell
    }
  }

  package let own: [UInt8]
  package let others: [Other]

  package init(own: String, others: [Other]) {
    self.own = Array(own.utf8)
    self.others = others
  }

  /// - Parameter cookie: the value of the client's cookie.
  /// - Parameter isMarked: another site has passed the request on. Whoever forges this gets what a client without a
  ///   cookie gets: it is served here.
  package func choose(cookie: Span<UInt8>, isMarked: Bool) -> SiteChoice {
    if isMarked { return .marked }
    if SiteTable.isEqual(cookie, own) { return .own }
    for (index, other) in others.enumerated() where SiteTable.isEqual(cookie, other.name) {
      return other.isWell ? .forward(UInt8(truncatingIfNeeded: index)) : .unwell(UInt8(truncatingIfNeeded: index))
    }
    return .unknown
  }

  private static func isEqual(_ value: Span<UInt8>, _ name: [UInt8]) -> Bool {
    guard value.count == name.count else { return false }
    for index in value.indices where value[index] != name[index] { return false }
    return true
  }
}
