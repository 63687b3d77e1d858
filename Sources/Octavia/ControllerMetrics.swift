internal import GRDB
internal import OctaviaModel

/// `GET /metrics` of a controller: how many there are of everything, by state. Read from the database that controllers share,
/// so that each of them says the same.
struct ControllerMetrics: Sendable {
  let store: Store
  let heartbeat: HealthSettings
  let now: @Sendable () -> Timestamp

  func answer() async -> APIResponse {
    do {
      let limit = now() - heartbeat.timeout
      let text = try await store.read { try Self.text($0, silentSince: limit) }
      var response = APIResponse(200)
      response.metrics = text
      return response
    } catch {
      return APIResponse(APIError(500, "\(error)"))
    }
  }

  private static func text(_ rows: Rows, silentSince limit: Timestamp) throws -> String {
    var text = ""
    func family(_ name: String, _ help: String, _ samples: [(labels: [(String, String)], count: Int)]) {
      text += "# HELP sluice_octavia_\(name) \(help)\n# TYPE sluice_octavia_\(name) gauge\n"
      for sample in samples {
        // Words of this program: nothing in them is to be escaped.
        let labels = sample.labels.map { "\($0)=\"\($1)\"" }.joined(separator: ",")
        text += "sluice_octavia_\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(sample.count)\n"
      }
    }
    family(
      "load_balancers", "Load balancers by their two states.",
      try rows.counts(.loadBalancer, "provisioning_status", "operating_status"))
    family("amphorae", "Amphorae by role and state.", try rows.counts(.amphora, "role", "status"))
    family("members", "Members of pools by their operating status.", try rows.counts(.member, "operating_status"))
    family("flows", "Changes that wait or are being made.", [([], try rows.flowCount())])
    family(
      "amphorae_silent", "Amphorae whose heartbeats are late: they are about to be replaced.",
      [([], try rows.silentCount(since: limit))])
    let hosts = try rows.hosts()
    family(
      "hosts_quarantined", "Existing hosts that wait for an operator's look.",
      [([], hosts.filter { $0.amphora == nil }.count)])
    return text
  }
}

extension Rows {
  /// How many resources of a kind have the same values in these fields.
  fileprivate func counts(_ kind: Kind, _ fields: String...) throws -> [(labels: [(String, String)], count: Int)] {
    let columns = fields.map { "json_extract(document, '$.\($0)') AS \($0)" }.joined(separator: ", ")
    let group = fields.joined(separator: ", ")
    return try Row.fetchAll(
      db, sql: "SELECT \(columns), count(*) AS number FROM resource WHERE kind = ? GROUP BY \(group) ORDER BY \(group)",
      arguments: [kind.rawValue]
    ).map { row in
      (labels: fields.map { ($0, row[$0] as String? ?? "") }, count: row["number"])
    }
  }

  fileprivate func flowCount() throws -> Int { try Int.fetchOne(db, sql: "SELECT count(*) FROM flow") ?? 0 }
}
