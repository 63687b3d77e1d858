package import Model

/// A listener's routes, compiled: immutable, read without locks.
///
/// Routes are grouped by host, and a group's routes by path. A request looks into the groups
/// of its host (the exact name, the wildcards above it, every host) and, in each, at the
/// routes under its path's prefixes. Each such list is in the routes' order, and a
/// candidate behind the best one so far is never tried, so the first route in order wins
/// without trying them all. Flat arrays of offsets: matching does not allocate.
///
/// PERF: 1,355 instructions a round among 1,000 hosts with 10 prefixes each, 1,309 with one host;
/// callgrind, difference of two run lengths, the benchmark's own loop included.
package final class RouteTable: Sendable {
  /// Routes of one host name.
  struct Group: BitwiseCopyable, Sendable {
    /// Routes without a path, or with a regex.
    var open = Piece()
    /// The lowest route of the group.
    var first: UInt32 = .max
    /// The longest prefix and the longest exact path, in bytes; -1: none.
    var longestPrefix: Int32 = -1
    var longestExact: Int32 = -1
  }

  package let count: Int
  let text: ContiguousArray<UInt8>
  let groups: ContiguousArray<Group>
  /// The group of routes for every host.
  let everyHost: Int
  let hosts: HostIndex
  let paths: PathIndex
  let candidates: ContiguousArray<UInt32>
  let conditions: ContiguousArray<Conditions>
  let fieldTests: ContiguousArray<FieldTest>
  let methods: ContiguousArray<Piece>
  let sources: ContiguousArray<IPPrefix>
  let regexes: ContiguousArray<Regex>
  let connectionTests: ContiguousArray<ConnectionTest>
  let cookieName: Piece

  /// Errors: a regex that does not compile.
  package init(routes: [Route]) throws(RouteTableError) {
    var builder = RouteTableBuilder()
    for (index, route) in routes.enumerated() { try builder.add(route, at: index) }
    builder.finish()
    count = routes.count
    text = builder.text.bytes
    groups = builder.groups
    everyHost = builder.everyHost
    hosts = HostIndex(exact: builder.exactNames, wildcards: builder.wildcardNames, in: builder.text)
    paths = PathIndex(builder.paths, in: builder.text)
    candidates = builder.candidates
    conditions = builder.conditions
    fieldTests = builder.fieldTests
    methods = builder.methods
    sources = builder.sources
    regexes = builder.regexes
    connectionTests = builder.connectionTests
    cookieName = builder.cookieName
  }

  /// Whether a match wants `MatchScratch.facts`.
  package var asksForFacts: Bool { !connectionTests.isEmpty }

  /// The index of the first route that matches; nil when none does, or when a regex was
  /// given up before one did (`scratch.exhausted`).
  package func match<Fields: FieldLookup & ~Copyable & ~Escapable>(
    _ request: borrowing RouteRequest, fields: borrowing Fields, scratch: inout MatchScratch
  ) -> Int? {
    let bytes = self.text
    let text = bytes.span
    var search = Search(best: UInt32.max)
    scratch.exhausted = false
    let exact = hosts.exactGroup(request.host, text)
    if exact != HostIndex.none { visit(Int(exact), request, fields, text, &search, &scratch) }
    if var walk = hosts.walk(request.host) {
      while true {
        let group = hosts.next(&walk, request.host, text)
        if group == HostIndex.none { break }
        visit(Int(group), request, fields, text, &search, &scratch)
      }
    }
    visit(everyHost, request, fields, text, &search, &scratch)
    if search.givenUp < search.best {
      scratch.exhausted = true
      return nil
    }
    return search.best == .max ? nil : Int(search.best)
  }

  /// The best route so far, and the first one that could not be decided.
  struct Search: BitwiseCopyable {
    var best: UInt32
    var givenUp: UInt32 = .max
  }

  private func visit<Fields: FieldLookup & ~Copyable & ~Escapable>(
    _ index: Int, _ request: borrowing RouteRequest, _ fields: borrowing Fields, _ text: borrowing Span<UInt8>,
    _ search: inout Search, _ scratch: inout MatchScratch
  ) {
    let group = groups[index]
    guard group.first < search.best else { return }
    // Paths before open routes: a path's hash costs less than the regexes it may save.
    let path = request.path
    let longest = Int(max(group.longestPrefix, group.longestExact))
    if longest >= 0 {
      var hash = PathIndex.start(UInt32(index))
      var end = 0
      let stop = min(path.count, longest + 1)
      while end < stop {
        let byte = path[end]
        if byte == UInt8(ascii: "/"), end > 0, end <= Int(group.longestPrefix) {
          if let entry = paths.find(hash, UInt32(index), path, end, text) {
            attempt(entry.prefix, request, fields, text, &search, &scratch)
          }
        }
        hash = mix(hash, byte)
        end += 1
      }
      if end == path.count, end <= longest, let entry = paths.find(hash, UInt32(index), path, end, text) {
        attempt(entry.exact, request, fields, text, &search, &scratch)
        attempt(entry.prefix, request, fields, text, &search, &scratch)
      }
    }
    attempt(group.open, request, fields, text, &search, &scratch)
  }

  private func attempt<Fields: FieldLookup & ~Copyable & ~Escapable>(
    _ list: Piece, _ request: borrowing RouteRequest, _ fields: borrowing Fields, _ text: borrowing Span<UInt8>,
    _ search: inout Search, _ scratch: inout MatchScratch
  ) {
    for position in list.range {
      let route = candidates[position]
      guard route < search.best else { return }
      scratch.regex.exhausted = false
      let holds = holds(Int(route), request, fields, text, &scratch)
      if scratch.regex.exhausted { search.givenUp = min(search.givenUp, route) }
      if holds {
        search.best = route
        return
      }
    }
  }
}

/// Why routes cannot be compiled.
package struct RouteTableError: Error, Hashable, Sendable {
  /// The route's index.
  package let route: Int
  /// What holds the pattern: "path", "header x-id", "query page", "cookie beta".
  package let place: String
  package let pattern: String
  package let reason: RegexError
}
