/// A list request's query: filters, order, page and projection.
package struct ListQuery: Sendable {
  package static let pageLimit = 1000
  private static let auxiliary: Set<String> = [
    "limit", "marker", "sort", "sort_key", "sort_dir", "fields", "page_reverse", "project_id", "tenant_id",
  ]

  private var limit: Int?
  private var marker: String?
  private var reverse: Bool
  private var order: [(key: String, ascending: Bool)] = []
  private var sortText: [(String, String)] = []
  private var filters: [(String, String)] = []
  private var tags: [(String, [String])] = []
  package private(set) var fields: [String]
  package private(set) var project: String?

  /// - Parameter parameters: decoded names and values in the order of the query.
  package init(_ parameters: [(String, String)], _ kind: Kind) throws(APIError) {
    func last(_ name: String) -> String? { parameters.last { $0.0 == name }?.1 }
    fields = parameters.filter { $0.0 == "fields" }.map(\.1)
    project = last("project_id") ?? last("tenant_id")
    marker = last("marker")
    reverse = last("page_reverse")?.lowercased() == "true"
    let text = last("limit") ?? String(Self.pageLimit)
    if text == "infinite" {
      limit = nil
    } else {
      guard let number = Int(text) else {
        throw APIError(400, title: "Bad Request", description: "Supplied pagination limit '\(text)' is not valid.")
      }
      limit = number < 1 ? nil : min(number, Self.pageLimit)
    }
    try readOrder(last("sort"), last("sort_key"), last("sort_dir"))
    for (name, value) in parameters where !Self.auxiliary.contains(name) {
      if ["tags", "tags-any", "not-tags", "not-tags-any"].contains(name) {
        tags.append((name, value.split(separator: ",").map(String.init)))
        continue
      }
      guard kind.filters(name) else { throw APIError(400, "One or more arguments are either duplicate or invalid") }
      filters.append((name, value))
    }
    for entry in order where !kind.filters(entry.key) {
      throw APIError(400, "Supplied sort key '\(entry.key)' is not valid.")
    }
  }

  private mutating func readOrder(_ sort: String?, _ keys: String?, _ directions: String?) throws(APIError) {
    func ascending(_ text: some StringProtocol) throws(APIError) -> Bool {
      switch text.lowercased() {
      case "asc": return true
      case "desc": return false
      default:
        throw APIError(
          400, title: "Bad Request", description: "Supplied sort direction '\(text.lowercased())' is not valid.")
      }
    }
    if let sort, !sort.isEmpty {
      sortText.append(("sort", sort))
      for entry in sort.split(separator: ",") {
        let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2 else {
          throw APIError(
            400, title: "Bad Request",
            description: "Supplied sort key '\(JSON.strings(parts.map(String.init)).pythonText)' is not valid.")
        }
        order.append((String(parts[0]), parts.count == 2 ? try ascending(parts[1]) : true))
      }
    } else if let keys, !keys.isEmpty {
      let directions = (directions ?? "").split(separator: ",")
      for (index, key) in keys.split(separator: ",").enumerated() {
        order.append((String(key), index < directions.count ? try ascending(directions[index]) : true))
      }
    }
    if let keys { sortText.append(("sort_key", keys)) }
  }

  /// One page of `views`, and the links to its neighbours.
  ///
  /// - Parameter url: the address that the request was sent to, without its query.
  package func page(_ views: [JSONObject], url: String) throws(APIError) -> (items: [JSONObject], links: [JSON]) {
    var rows = views.filter { view in
      filters.allSatisfy { Self.matches(view, $0.0, $0.1) } && tags.allSatisfy { Self.matchesTags(view, $0.0, $0.1) }
    }
    var keys = order
    for key in ["created_at", "id"] where !keys.contains(where: { $0.key == key }) { keys.append((key, true)) }
    // What has no id is known by its name.
    keys.append(("name", true))
    rows.sort { left, right in
      for key in keys {
        let order = Self.compare(left[key.key] ?? .null, right[key.key] ?? .null)
        if order != 0 { return (order < 0) == key.ascending }
      }
      return false
    }
    if let marker {
      guard let place = rows.firstIndex(where: { Self.identifier($0) == marker }) else {
        throw APIError(400, "Supplied pagination marker '\(marker)' is not valid.")
      }
      rows = reverse ? Array(rows[..<place]) : Array(rows[(place + 1)...])
    }
    if let limit { rows = reverse ? rows.suffix(limit) : Array(rows.prefix(limit)) }
    return (rows.map { project($0) }, links(rows, url: url))
  }

  private func links(_ rows: [JSONObject], url: String) -> [JSON] {
    guard let first = rows.first, let last = rows.last else { return [] }
    let common = (["limit=\(limit.map(String.init) ?? "None")"] + sortText.map { "\($0.0)=\($0.1)" }).joined(
      separator: "&")
    var links: [JSON] = []
    func add(_ relation: String, _ query: String) {
      links.append(.object(["href": .string("\(url)?\(common)&\(query)"), "rel": .string(relation)]))
    }
    if marker != nil { add("previous", "marker=\(Self.identifier(first))&page_reverse=True") }
    if limit == nil || rows.count >= limit! { add("next", "marker=\(Self.identifier(last))") }
    return links
  }

  /// Only the fields that were asked for.
  package func project(_ view: JSONObject) -> JSONObject {
    if fields.isEmpty { return view }
    return JSONObject(view.members.filter { fields.contains($0.key) }.map { ($0.key, $0.value) })
  }

  private static func identifier(_ view: JSONObject) -> String { view["id"]?.string ?? view["name"]?.string ?? "" }

  private static func matches(_ view: JSONObject, _ name: String, _ wanted: String) -> Bool {
    let plural = [
      "loadbalancer_id": "loadbalancers", "load_balancer_id": "loadbalancers", "listener_id": "listeners",
      "pool_id": "pools",
    ][name]
    if view[name] == nil, let plural { return matches(view, plural, wanted) }
    return switch view[name] ?? .null {
    case .string(let text): text == wanted
    case .int(let number): String(number) == wanted
    case .double(let number): String(number) == wanted
    case .bool(let flag): ["true", "1", "t", "yes", "on"].contains(wanted.lowercased()) == flag
    case .array(let list): list.contains { $0["id"].string == wanted || $0.string == wanted }
    case .null: wanted.isEmpty || wanted == "None"
    case .object: false
    }
  }

  private static func matchesTags(_ view: JSONObject, _ name: String, _ wanted: [String]) -> Bool {
    let has = Set((view["tags"] ?? .null).strings)
    return switch name {
    case "tags": wanted.allSatisfy(has.contains)
    case "tags-any": wanted.contains(where: has.contains)
    case "not-tags": !wanted.allSatisfy(has.contains)
    default: !wanted.contains(where: has.contains)
    }
  }

  private static func compare(_ left: JSON, _ right: JSON) -> Int {
    switch (left, right) {
    case (.int(let left), .int(let right)): left < right ? -1 : left > right ? 1 : 0
    case (.bool(let left), .bool(let right)): left == right ? 0 : right ? -1 : 1
    case (.string(let left), .string(let right)): left < right ? -1 : left > right ? 1 : 0
    case (.null, .null): 0
    // Databases sort NULL first.
    case (.null, _): -1
    case (_, .null): 1
    default: 0
    }
  }
}

extension Kind {
  /// Whether lists can be filtered and sorted by a field.
  func filters(_ name: String) -> Bool {
    if schema.accepts(name, in: .shown) != nil || name == "tenant_id" { return true }
    return switch self {
    case .listener: ["loadbalancer_id", "load_balancer_id"].contains(name)
    case .pool: ["loadbalancer_id", "load_balancer_id", "listener_id"].contains(name)
    case .healthMonitor, .member: name == "pool_id"
    case .amphora: name == "load_balancer_id"
    default: false
    }
  }
}
