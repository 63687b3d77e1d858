package import Model

/// What routing looks at, in place: spans of the buffers that the request was read into.
package struct RouteRequest: ~Escapable, Copyable {
  /// Without port; any case, with or without a trailing dot. Empty matches only routes for every host.
  package let host: Span<UInt8>
  /// Normalised by the caller: dot segments removed, no query.
  package let path: Span<UInt8>
  package let method: Span<UInt8>
  /// Without "?"; compared as it was sent, before percent-decoding.
  package let query: Span<UInt8>
  /// What the ranges of `FieldLookup` index.
  package let head: Span<UInt8>
  package let source: IPAddress

  @_lifetime(copy host, copy path, copy method, copy query, copy head)
  @inlinable package init(
    host: Span<UInt8>, path: Span<UInt8>, method: Span<UInt8>, query: Span<UInt8>, head: Span<UInt8>, source: IPAddress
  ) {
    self.host = host
    self.path = path
    self.method = method
    self.query = query
    self.head = head
    self.source = source.unmapped
  }

  /// A connection or datagram, of which only the source is known.
  @_lifetime(immortal)
  @inlinable package init(source: IPAddress) {
    self.init(host: Span(), path: Span(), method: Span(), query: Span(), head: Span(), source: source)
  }
}

/// A request's header fields as their parser keeps them.
package protocol FieldLookup: ~Copyable, ~Escapable {
  /// Where in `RouteRequest.head` the value of the next field line named `name` (lower case)
  /// lies, trimmed of white space. Starts at line `cursor` (0 at first) and moves it behind
  /// the line found; nil when there is none left.
  borrowing func value(of name: Span<UInt8>, from cursor: inout Int) -> Range<Int>?
}

/// For listeners without header fields.
package struct NoFields: FieldLookup {
  @inlinable package init() {}
  @inlinable package func value(of name: Span<UInt8>, from cursor: inout Int) -> Range<Int>? { nil }
}

/// What matching needs to write to: one per thread, made once.
package struct MatchScratch: ~Copyable {
  package var regex: RegexScratch
  /// The last `match` stopped at a route whose regex cost too much, and found no route for
  /// that reason: skipping the rule could skip a refusal.
  package internal(set) var exhausted = false
  /// Of the connection that the next match is for, where the table `asksForFacts`; nil: it is in clear.
  package var facts: ConnectionFacts?

  package init() { regex = RegexScratch() }
}
