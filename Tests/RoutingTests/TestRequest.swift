import Model
import Routing

/// A request as plain arrays, and the header lookup that a parser would offer.
struct TestRequest: FieldLookup, CustomStringConvertible {
  var host = "", path = "/", method = "GET", query = ""
  var headers: [(name: String, value: String)] = []
  var source = IPAddress(192, 0, 2, 1)

  var head: [UInt8] { headers.flatMap { Array($0.name.utf8) + Array($0.value.utf8) } }

  borrowing func value(of name: Span<UInt8>, from cursor: inout Int) -> Range<Int>? {
    var position = 0
    for (index, field) in headers.enumerated() {
      let start = position + field.name.utf8.count
      position = start + field.value.utf8.count
      guard index >= cursor else { continue }
      let wanted = name.indices.map { name[$0] }
      if field.name.lowercased().utf8.elementsEqual(wanted) {
        cursor = index + 1
        return start..<position
      }
    }
    return nil
  }

  func match(_ table: RouteTable, _ scratch: inout MatchScratch) -> Int? {
    let (host, path, method, query, head) = (
      Array(host.utf8), Array(path.utf8), Array(method.utf8), Array(query.utf8), head
    )
    let request = RouteRequest(
      host: host.span, path: path.span, method: method.span, query: query.span, head: head.span, source: source)
    return table.match(request, fields: self, scratch: &scratch)
  }

  func match(_ table: RouteTable) -> Int? {
    var scratch = MatchScratch()
    return match(table, &scratch)
  }

  var description: String {
    "\(method) \(host) \(path)?\(query) \(headers.map { "\($0.name): \($0.value)" }) from \(source)"
  }
}

/// The rules of `Match` again, said as plainly as possible: what the compiled table must agree with.
struct Oracle {
  let routes: [Route]
  var regexes: [String: Regex] = [:]

  init(_ routes: [Route]) { self.routes = routes }

  mutating func match(_ request: TestRequest) -> Int? {
    for (index, route) in routes.enumerated() where holds(route.match, request) { return index }
    return nil
  }

  private mutating func holds(_ match: Match, _ request: TestRequest) -> Bool {
    var host = request.host.lowercased()
    if host.hasSuffix(".") { host.removeLast() }
    if !match.hosts.isEmpty {
      let any = match.hosts.contains {
        switch $0 {
        case .exact(let name): host == name && !host.isEmpty
        case .wildcard(let suffix): host.hasSuffix("." + suffix) && host.utf8.count > suffix.utf8.count + 1
        }
      }
      if !any { return false }
    }
    switch match.path {
    case nil: break
    case .exact(let path): if request.path != path { return false }
    case .regex(let pattern): if !search(pattern, request.path) { return false }
    case .prefix(var prefix):
      while prefix.hasSuffix("/") { prefix.removeLast() }
      if !prefix.isEmpty, request.path != prefix, !request.path.hasPrefix(prefix + "/") { return false }
    }
    if !match.methods.isEmpty, !match.methods.contains(request.method) { return false }
    if !match.sources.isEmpty, !match.sources.contains(where: { $0.contains(request.source) }) { return false }
    for field in match.headers {
      if !passes(field.test, request.headers.filter { $0.name.lowercased() == field.name }.map(\.value)) {
        return false
      }
    }
    for field in match.query where !passes(field.test, pairs(request.query, "&", field.name)) { return false }
    for field in match.cookies {
      let values = request.headers.filter { $0.name.lowercased() == "cookie" }.flatMap {
        pairs($0.value, ";", field.name)
      }
      if !passes(field.test, values) { return false }
    }
    return true
  }

  private func pairs(_ text: String, _ separator: Character, _ name: String) -> [String] {
    text.split(separator: separator).compactMap { part in
      var part = part.drop { separator == ";" && $0 == " " }
      while separator == ";", part.last == " " { part.removeLast() }
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return pair.first.map(String.init) == name ? (pair.count == 2 ? String(pair[1]) : "") : nil
    }
  }

  private mutating func passes(_ test: Match.Field.Test, _ values: [String]) -> Bool {
    switch test {
    case .present: return !values.isEmpty
    case .absent: return values.isEmpty
    case .exact(let value): return values.contains(value)
    case .prefix(let value): return values.contains { $0.hasPrefix(value) }
    case .regex(let pattern):
      for value in values where search(pattern, value) { return true }
      return false
    }
  }

  private mutating func search(_ pattern: String, _ subject: String) -> Bool {
    var scratch = RegexScratch()
    if regexes[pattern] == nil { regexes[pattern] = try? Regex(pattern) }
    let bytes = Array(subject.utf8)
    return regexes[pattern]?.matches(bytes.span, scratch: &scratch) ?? false
  }
}
