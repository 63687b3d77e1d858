internal import OctaviaModel

// What the operator offers: flavors, availability zones, providers, quotas.
extension API {
  private static let profile: [Kind: (kind: Kind, key: String)] = [
    .flavor: (.flavorProfile, "flavor_profile_id"), .zone: (.zoneProfile, "availability_zone_profile_id"),
  ]
  private static let data: [Kind: (field: String, known: [(String, String)])] = [
    .flavorProfile: ("flavor_data", Provider.flavorCapabilities),
    .zoneProfile: ("availability_zone_data", Provider.zoneCapabilities),
  ]

  func catalogue(
    _ request: APIRequest, _ kind: Kind, _ path: [String], _ identity: Identity
  ) async throws -> APIResponse {
    // Flavors and zones are for everybody to see; what is behind them is not.
    let isOpen = kind == .flavor || kind == .zone
    if !(isOpen && request.method == "GET") { try identity.check(.administer, project: nil) }
    switch (path.count, request.method) {
    case (0, "GET"):
      let query = try ListQuery(request.query, kind)
      return try list(try await store.read { try $0.records(kind).map { $0.view() } }, kind, query, request)
    case (0, "POST"):
      let body = try RequestBody.parse(try document(request), kind, .create)
      let record = kind.record(body, id: makeID(), project: .null, now: now())
      let view = try await store.write { rows in
        try check(record, rows)
        if kind == .zone, try rows.record(kind, record.text("name")) != nil {
          throw APIError.duplicateName("availability zone", record.text("name"))
        }
        if kind == .flavor, try rows.records(kind).contains(where: { $0["name"] == record["name"] }) {
          throw APIError.duplicateName("flavor", record.text("name"))
        }
        var stored = record
        if kind == .zone { stored["id"] = record["name"] }
        try rows.put(stored)
        return stored.view()
      }
      return one(view, kind, request, status: 201)
    case (1, "GET"):
      guard let record = try await store.read({ try $0.record(kind, path[0]) }) else {
        throw APIError.notFound(kind.title, path[0])
      }
      return one(record.view(), kind, request)
    case (1, "PUT"):
      let body = try RequestBody.parse(try document(request), kind, .update)
      let view = try await store.write { rows in
        guard var record = try rows.record(kind, path[0]) else {
          throw APIError.notFound(Self.writeTitle(kind), path[0])
        }
        if Self.profile[kind] == nil, body.keys.contains(where: { $0 != "name" }), try isUsed(kind, path[0], rows) {
          throw APIError.inUse(Self.writeTitle(kind), path[0])
        }
        for member in body.members {
          record[member.key] = member.value.isNull ? kind.reset(member.key, deployment) : member.value
        }
        if body["enabled"]?.isNull == true { record["enabled"] = true }
        try check(record, rows)
        try rows.put(record)
        return record.view()
      }
      return one(view, kind, request)
    case (1, "DELETE"):
      try await store.write { rows in
        guard try rows.record(kind, path[0]) != nil else { throw APIError.notFound(Self.writeTitle(kind), path[0]) }
        if try isUsed(kind, path[0], rows) { throw APIError.inUse(Self.writeTitle(kind), path[0]) }
        try rows.remove(path[0])
      }
      return APIResponse(204)
    case (0, _): try allow(request, "GET", "POST")
    case (1, _): try allow(request, "GET", "PUT", "DELETE")
    default: break
    }
    throw APIError.noRoute()
  }

  private static func writeTitle(_ kind: Kind) -> String {
    switch kind {
    case .flavorProfile: "Flavor profile"
    case .zoneProfile: "Availability Zone Profile"
    default: kind.title
    }
  }

  private func check(_ record: Record, _ rows: Rows) throws {
    if let profile = Self.profile[record.kind] {
      let id = record.text(profile.key)
      if try rows.record(profile.kind, id) == nil { throw APIError.validation("Invalid \(profile.key).") }
    }
    guard let (field, known) = Self.data[record.kind] else { return }
    let name = record.text("provider_name")
    guard let provider = Provider(rawValue: name) else { throw APIError(400, "Provider '\(name)' is not enabled.") }
    guard case .object(let data)? = try? JSON(parsing: record.text(field)) else {
      throw APIError.invalidOption(record.text(field), field)
    }
    try provider.validate(data, known)
  }

  private func isUsed(_ kind: Kind, _ id: String, _ rows: Rows) throws -> Bool {
    switch kind {
    case .flavorProfile: try rows.records(.flavor).contains { $0["flavor_profile_id"] == .string(id) }
    case .zoneProfile: try rows.records(.zone).contains { $0["availability_zone_profile_id"] == .string(id) }
    case .flavor: try rows.records(.loadBalancer).contains { $0["flavor_id"] == .string(id) }
    default: try rows.records(.loadBalancer).contains { $0["availability_zone"] == .string(id) }
    }
  }

  // MARK: providers

  func providers(_ request: APIRequest, _ path: [String], _ identity: Identity) async throws -> APIResponse {
    try allow(request, "GET")
    func list(_ pairs: [(String, String)], _ root: String) throws -> APIResponse {
      let views = pairs.map { JSONObject([("name", .string($0.0)), ("description", .string($0.1))]) }
      let wanted = request.query.last { $0.0 == "name" }?.1
      let fields = request.query.filter { $0.0 == "fields" }.map(\.1)
      let shown = views.filter { wanted == nil || $0["name"] == .string(wanted!) }.map { view in
        fields.isEmpty ? view : JSONObject(view.members.filter { fields.contains($0.key) }.map { ($0.key, $0.value) })
      }
      return APIResponse(200, .object([root: .array(shown.map { .object($0) })]))
    }
    if path.isEmpty { return try list(Provider.allCases.map { ($0.rawValue, $0.description) }, "providers") }
    try identity.check(.administer, project: nil)
    guard Provider(rawValue: path[0]) != nil else { throw APIError(400, "Provider '\(path[0])' is not enabled.") }
    switch path.dropFirst() {
    case ["flavor_capabilities"]: return try list(Provider.flavorCapabilities, "flavor_capabilities")
    case ["availability_zone_capabilities"]:
      return try list(Provider.zoneCapabilities, "availability_zone_capabilities")
    default: throw APIError.noRoute()
    }
  }

  // MARK: quotas

  private static let quotaAliases = ["load_balancer": "loadbalancer", "health_monitor": "healthmonitor"]

  private func quotaView(_ record: Record?, project: String? = nil) -> JSONObject {
    func value(_ name: String) -> JSON { record?[Self.quotaAliases[name] ?? name].int.map { .int($0) } ?? -1 }
    var view = JSONObject(Kind.quota.schema.fields.map { ($0.name, value($0.name)) })
    if let project { view["project_id"] = .string(project) }
    return view
  }

  func quotas(_ request: APIRequest, _ path: [String], _ identity: Identity) async throws -> APIResponse {
    switch (path.count, request.method) {
    case (0, "GET"):
      if !identity.seesEverything { try identity.check(.read, project: identity.project) }
      let views = try await store.read { try $0.records(.quota) }
        .filter { identity.seesEverything || $0["project_id"].string == identity.project }
        .map { quotaView($0, project: $0.text("project_id")) }
      return APIResponse(200, .object(["quotas": .array(views.map { .object($0) }), "quotas_links": []]))
    case (1, "GET"), (2, "GET"):
      try identity.check(.read, project: path[0])
      if path.count == 2, path[1] != "default" { throw APIError.noRoute() }
      let record = path.count == 2 ? nil : try await store.read { try $0.record(.quota, path[0]) }
      return APIResponse(200, .object(["quota": .object(quotaView(record))]))
    case (1, "PUT"):
      try identity.check(.administer, project: nil)
      guard case .object(let root) = try document(request), let value = root["quota"] else {
        throw APIError(400, "Missing argument: \"quotas\"")
      }
      let body = try RequestBody.parse(
        value: value, root: "quota", argument: "quotas", schema: Kind.quota.schema, .update)
      let view = try await store.write { rows in
        var record = try rows.record(.quota, path[0]) ?? Record(.quota, JSONObject([("project_id", .string(path[0]))]))
        for member in body.members { record[Self.quotaAliases[member.key] ?? member.key] = member.value }
        try rows.put(record)
        return quotaView(record)
      }
      return APIResponse(202, .object(["quota": .object(view)]))
    case (1, "DELETE"):
      try identity.check(.administer, project: nil)
      try await store.write { rows in
        guard try rows.record(.quota, path[0]) != nil else { throw APIError.notFound("Quotas", path[0]) }
        try rows.remove("quota \(path[0])")
      }
      return APIResponse(202)
    case (0...1, _): try allow(request, "GET", "PUT", "DELETE")
    default: break
    }
    throw APIError.noRoute()
  }
}
