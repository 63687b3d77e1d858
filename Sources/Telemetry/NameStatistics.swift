/// What the DNS server has done since it started.
package struct NameStatistics: Hashable, Sendable {
  /// Queries over UDP, over TCP, and over TLS.
  package var datagrams: UInt64 = 0
  package var streams: UInt64 = 0
  package var secured: UInt64 = 0
  package var answered: UInt64 = 0
  /// Answers by response code.
  package var noError: UInt64 = 0
  package var nameError: UInt64 = 0
  package var refused: UInt64 = 0
  package var serverFailure: UInt64 = 0
  package var formatError: UInt64 = 0
  package var notImplemented: UInt64 = 0
  package var otherCode: UInt64 = 0
  /// Answers with TC set.
  package var truncated: UInt64 = 0
  /// Messages that were not answered: no queries, or longer than any query is.
  package var dropped: UInt64 = 0
  /// Answers that rate limiting kept back.
  package var limited: UInt64 = 0
  /// Queries that could not be read, answered by FORMERR or not at all.
  package var malformed: UInt64 = 0
  package var tls = HandshakeStatistics()
  /// TCP connections, those of TLS too, and those that were closed to make room.
  package var accepted: UInt64 = 0
  package var evicted: UInt64 = 0
  package var transfers: UInt64 = 0
  /// Signatures made.
  package var signed: UInt64 = 0

  package init() {}
}
