// What a field is when a request leaves it out, or sets it to null.

extension Kind {
  /// The record of a new resource: what the request said, and a value for everything that is shown.
  package func record(_ body: JSONObject, id: String, project: JSON, now: Timestamp) -> Record {
    var fields = JSONObject([("id", .string(id))])
    for field in schema.fields where field.places.contains(.shown) && field.name != "id" {
      if isComputed(field) { continue }
      fields[field.name] = body[field.name].flatMap { $0.isNull ? nil : $0 } ?? initial(field)
    }
    if schema.accepts("project_id", in: .shown) != nil { fields["project_id"] = project }
    if schema.accepts("created_at", in: .shown) != nil {
      fields["created_at"] = .string(now.text)
      fields["updated_at"] = .null
    }
    if isChild || self == .loadBalancer {
      fields["provisioning_status"] = .string(Provisioning.pendingCreate.rawValue)
      fields["operating_status"] = .string(Operating.offline.rawValue)
    }
    return Record(self, fields)
  }

  /// Lists of other resources are not kept in the record: the tree knows them.
  private func isComputed(_ field: Field) -> Bool {
    switch field.type {
    case .nested, .list(.nested): true
    default: field.name == "healthmonitor_id"
    }
  }

  private func initial(_ field: Field) -> JSON {
    switch (field.name, field.type) {
    case ("name", _), ("description", _): ""
    case ("tags", _), ("sni_container_refs", _), ("vip_sg_ids", _): []
    case ("insert_headers", _): .object(JSONObject())
    case ("vip_vnic_type", _), ("vnic_type", _): "normal"
    default: field.byDefault ?? .null
    }
  }

  /// What null means in an update.
  package func reset(_ name: String, _ deployment: Deployment) -> JSON {
    switch (self, name) {
    case (_, "name"), (_, "description"): ""
    case (_, "admin_state_up"): false
    case (_, "tags"), (.listener, "sni_container_refs"), (.loadBalancer, "vip_sg_ids"): []
    case (.listener, "connection_limit"): -1
    case (.listener, "insert_headers"): .object(JSONObject())
    case (.listener, "client_authentication"): "NONE"
    case (.listener, "timeout_client_data"): .int(deployment.timeoutClientData)
    case (.listener, "timeout_member_connect"): .int(deployment.timeoutMemberConnect)
    case (.listener, "timeout_member_data"): .int(deployment.timeoutMemberData)
    case (.listener, "timeout_tcp_inspect"): .int(deployment.timeoutTCPInspect)
    case (.listener, "hsts_include_subdomains"), (.listener, "hsts_preload"), (.pool, "tls_enabled"): false
    case (.member, "weight"): 1
    case (.member, "backup"), (.rule, "invert"): false
    case (.healthMonitor, "http_method"): "GET"
    case (.healthMonitor, "url_path"): "/"
    case (.healthMonitor, "expected_codes"): "200"
    case (.healthMonitor, "max_retries_down"): 3
    default: .null
    }
  }
}

/// What a TLS listener or pool offers when nobody said.
enum TLSDefaults {
  static let ciphers =
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:DHE-RSA-AES256-GCM-SHA384:"
    + "DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-SHA256:"
    + "DHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256"
  static let versions: JSON = ["TLSv1.2", "TLSv1.3"]
  static let alpn: JSON = ["h2", "http/1.1", "http/1.0"]

  static func fill(_ record: inout Record) {
    if record["tls_ciphers"].isNull { record["tls_ciphers"] = .string(ciphers) }
    if record["tls_versions"].isNull { record["tls_versions"] = versions }
    if record["alpn_protocols"].isNull { record["alpn_protocols"] = alpn }
  }
}
