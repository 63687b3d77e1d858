package import Model

/// What is said in one record.
package enum Message: Hashable, Sendable {
  /// First of all, from both sides: who speaks.
  case welcome(Welcome)
  case heartbeat(Heartbeat)
  /// How many messages that are counted were taken in since the session began.
  case acknowledgement(UInt64)
  case reports(ReportBatch)
  case registers([Register])
  case entries(EntryBatch)
  case letter(Letter)
  /// Whether a letter reached the other node's ears.
  case receipt(id: UInt64, isDelivered: Bool)
  /// The node stops, cleanly.
  case farewell
  /// Of a kind that only newer nodes know.
  case other(kind: UInt8)

  package struct Welcome: Hashable, Sendable {
    package var name: String
    package var site: String
    /// Of the program, for people.
    package var version: String
    /// Drawn at the node's start: whether it is still the same.
    package var boot: UInt64
    /// Milliseconds since 1970.
    package var wall: UInt64
    /// Up to where the speaker knows the listener's tables.
    package var position: TablePosition

    package init(name: String, site: String, version: String, boot: UInt64, wall: UInt64, position: TablePosition) {
      self.name = name
      self.site = site
      self.version = version
      self.boot = boot
      self.wall = wall
      self.position = position
    }
  }

  package struct Heartbeat: Hashable, Sendable {
    /// The speaker's clock, in nanoseconds from wherever.
    package var time: UInt64
    /// The `time` of the last one that the speaker heard, and how long ago it did, in microseconds; 0: none yet.
    package var echo: UInt64
    package var held: UInt32

    package init(time: UInt64, echo: UInt64, held: UInt32) {
      self.time = time
      self.echo = echo
      self.held = held
    }
  }

  /// Part of a change of the speaker's reports, which is taken over at its last part.
  package struct ReportBatch: Hashable, Sendable {
    /// The change begins with none at all.
    package var isWhole: Bool
    package var isLast: Bool
    package var reports: [PeerReport]
    package var removed: [PeerReportKey]

    package init(isWhole: Bool, isLast: Bool, reports: [PeerReport], removed: [PeerReportKey]) {
      self.isWhole = isWhole
      self.isLast = isLast
      self.reports = reports
      self.removed = removed
    }
  }

  /// Persistence entries of one pool.
  package struct EntryBatch: Hashable, Sendable {
    /// Everything that changed before this moment of the speaker's clock has now been said; 0: there is more to come.
    package var upTo: UInt64
    package var entries: [PersistenceEntry]

    package init(upTo: UInt64, entries: [PersistenceEntry]) {
      self.upTo = upTo
      self.entries = entries
    }
  }

  package struct Letter: Hashable, Sendable {
    package static let limit = 4_096

    package var id: UInt64
    package var topic: String
    package var body: [UInt8]

    package init(id: UInt64, topic: String, body: [UInt8]) {
      self.id = id
      self.topic = topic
      self.body = body
    }
  }

  /// Whether the listener acknowledges it, and the speaker has few of them under way.
  var isCounted: Bool {
    switch self {
    case .reports, .registers, .entries, .letter: true
    case .other(let kind): kind >= MessageKind.firstCounted
    default: false
    }
  }
}

/// The first byte of a message. Unknown kinds are passed over, and those from `firstCounted` on acknowledged.
enum MessageKind {
  static let welcome: UInt8 = 1
  static let heartbeat: UInt8 = 2
  static let acknowledgement: UInt8 = 3
  static let receipt: UInt8 = 4
  static let farewell: UInt8 = 5
  static let firstCounted: UInt8 = 128
  static let reports: UInt8 = 128
  static let registers: UInt8 = 129
  static let entries: UInt8 = 130
  static let letter: UInt8 = 131
}
