import Model

/// Collects routes into groups, then lays them out flat.
struct RouteTableBuilder {
  /// A group while it grows.
  private struct Draft {
    var open: [UInt32] = []
    var exact: [[UInt8]: [UInt32]] = [:]
    var prefix: [[UInt8]: [UInt32]] = [:]
  }

  private var drafts: [Draft] = [Draft()]
  private var exactHosts: [String: UInt32] = [:]
  private var wildcardHosts: [String: UInt32] = [:]

  private(set) var text = ByteText()
  private(set) var groups: ContiguousArray<RouteTable.Group> = []
  let everyHost = 0
  private(set) var exactNames: [(text: Piece, group: UInt32)] = []
  private(set) var wildcardNames: [(text: Piece, group: UInt32)] = []
  private(set) var paths: [PathIndex.Entry] = []
  private(set) var candidates: ContiguousArray<UInt32> = []
  private(set) var conditions: ContiguousArray<Conditions> = []
  private(set) var fieldTests: ContiguousArray<FieldTest> = []
  private(set) var methods: ContiguousArray<Piece> = []
  private(set) var sources: ContiguousArray<IPPrefix> = []
  private(set) var regexes: ContiguousArray<Regex> = []
  private(set) var connectionTests: ContiguousArray<ConnectionTest> = []
  let cookieName: Piece

  init() { cookieName = text.add("cookie".utf8) }

  mutating func add(_ route: Route, at index: Int) throws(RouteTableError) {
    let match = route.match
    var compiled = Conditions()
    let firstField = fieldTests.count
    for field in match.headers { try add(field, .header, "header", index) }
    for field in match.query { try add(field, .query, "query", index) }
    for field in match.cookies { try add(field, .cookie, "cookie", index) }
    compiled.fields = .from(firstField, to: fieldTests.count)
    let firstMethod = methods.count
    for method in match.methods { methods.append(text.add(method.utf8)) }
    compiled.methods = .from(firstMethod, to: methods.count)
    let firstSource = sources.count
    sources.append(contentsOf: match.sources)
    compiled.sources = .from(firstSource, to: sources.count)
    if case .regex(let pattern) = match.path {
      compiled.pathRegex = Int32(try compile(pattern, "path", index))
    }
    if match.looksAtTLS {
      var subject: Regex?
      if case .regex(let pattern) = match.clientCertificate?.subject {
        subject = regexes[Int(try compile(pattern, "client-cert subject", index))]
      }
      compiled.connection = Int32(connectionTests.count)
      connectionTests.append(ConnectionTest(match, regex: subject))
    }
    conditions.append(compiled)
    for group in groupIndices(match.hosts) { place(UInt32(index), match.path, in: group) }
  }

  private mutating func groupIndices(_ hosts: [Match.Host]) -> [Int] {
    if hosts.isEmpty { return [everyHost] }
    var result: [Int] = []
    for host in hosts {
      let group: UInt32
      switch host {
      case .exact(let name): group = RouteTableBuilder.group(name.asciiLowered, &exactHosts, &drafts)
      case .wildcard(let suffix): group = RouteTableBuilder.group(suffix.asciiLowered, &wildcardHosts, &drafts)
      }
      if !result.contains(Int(group)) { result.append(Int(group)) }
    }
    return result
  }

  private static func group(_ name: String, _ table: inout [String: UInt32], _ drafts: inout [Draft]) -> UInt32 {
    if let known = table[name] { return known }
    let group = UInt32(drafts.count)
    drafts.append(Draft())
    table[name] = group
    return group
  }

  private mutating func place(_ route: UInt32, _ path: Match.Path?, in group: Int) {
    switch path {
    case nil, .regex: drafts[group].open.append(route)
    case .exact(let path): drafts[group].exact[Array(path.utf8), default: []].append(route)
    case .prefix(let path):
      let key = RouteTable.prefixKey(path)
      // "/" is a prefix of every path, "*" of an OPTIONS request included.
      if key.isEmpty {
        drafts[group].open.append(route)
      } else {
        drafts[group].prefix[key, default: []].append(route)
      }
    }
  }

  private mutating func add(_ field: Match.Field, _ place: FieldTest.Place, _ word: String, _ route: Int)
    throws(RouteTableError)
  {
    let name = place == .header ? field.name.asciiLowered : field.name
    var test = FieldTest(place: place, kind: .present, name: text.add(name.utf8))
    switch field.test {
    case .present: break
    case .absent: test.kind = .absent
    case .exact(let value):
      test.kind = .exact
      test.value = text.add(value.utf8)
    case .prefix(let value):
      test.kind = .prefix
      test.value = text.add(value.utf8)
    case .regex(let pattern):
      test.kind = .regex
      test.regex = try compile(pattern, "\(word) \(field.name)", route)
    }
    fieldTests.append(test)
  }

  private mutating func compile(_ pattern: String, _ place: String, _ route: Int) throws(RouteTableError) -> UInt32 {
    do {
      regexes.append(try Regex(pattern))
      return UInt32(regexes.count - 1)
    } catch {
      throw RouteTableError(route: route, place: place, pattern: pattern, reason: error)
    }
  }

  mutating func finish() {
    for (index, draft) in drafts.enumerated() {
      var group = RouteTable.Group()
      group.open = list(draft.open)
      var first = draft.open.first ?? .max
      for path in Set(draft.exact.keys).union(draft.prefix.keys).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
        var entry = PathIndex.Entry(group: UInt32(index), text: text.add(path))
        if let routes = draft.exact[path] {
          entry.exact = list(routes)
          group.longestExact = max(group.longestExact, Int32(path.count))
          first = min(first, routes[0])
        }
        if let routes = draft.prefix[path] {
          entry.prefix = list(routes)
          group.longestPrefix = max(group.longestPrefix, Int32(path.count))
          first = min(first, routes[0])
        }
        paths.append(entry)
      }
      group.first = first
      groups.append(group)
    }
    for (name, group) in exactHosts.sorted(by: { $0.value < $1.value }) {
      exactNames.append((text.add(name.utf8), group))
    }
    for (name, group) in wildcardHosts.sorted(by: { $0.value < $1.value }) {
      wildcardNames.append((text.add(name.utf8), group))
    }
  }

  private mutating func list(_ routes: [UInt32]) -> Piece {
    let start = candidates.count
    candidates.append(contentsOf: routes)
    return .from(start, to: candidates.count)
  }
}

extension RouteTable {
  /// A prefix without its trailing slashes: "/api/" and "/api" are the same rule, "/" is the empty one.
  package static func prefixKey(_ path: String) -> [UInt8] {
    var key = Array(path.utf8)
    while key.last == UInt8(ascii: "/") { key.removeLast() }
    return key
  }
}

extension String {
  var asciiLowered: String { String(decoding: utf8.map(lowered), as: UTF8.self) }
}
