/// One row: a resource with the fields that it is shown with, and those that tie it to others.
package struct Record: Hashable, Sendable {
  package let kind: Kind
  package var fields: JSONObject

  package init(_ kind: Kind, _ fields: JSONObject) {
    self.kind = kind
    self.fields = fields
  }

  package var id: String { fields["id"]?.string ?? fields["name"]?.string ?? "" }

  package subscript(_ key: String) -> JSON {
    get { fields[key] ?? .null }
    set { fields[key] = newValue }
  }

  package func text(_ key: String) -> String { self[key].string ?? "" }
  package func flag(_ key: String) -> Bool { self[key].bool ?? false }
  package func number(_ key: String) -> Int { self[key].int ?? 0 }

  package var provisioning: Provisioning {
    get { Provisioning(rawValue: text("provisioning_status")) ?? .error }
    set { self["provisioning_status"] = .string(newValue.rawValue) }
  }
  package var operating: Operating {
    get { Operating(rawValue: text("operating_status")) ?? .offline }
    set { self["operating_status"] = .string(newValue.rawValue) }
  }
  package var isEnabled: Bool { flag("admin_state_up") }
  package var isDeleted: Bool { provisioning == .pendingDelete }
}

/// Where a resource is between what was asked for and what amphorae do.
package enum Provisioning: String, Hashable, Sendable, CaseIterable {
  case pendingCreate = "PENDING_CREATE"
  case pendingUpdate = "PENDING_UPDATE"
  case pendingDelete = "PENDING_DELETE"
  case active = "ACTIVE"
  case error = "ERROR"

  package var isPending: Bool { self != .active && self != .error }
}

/// What amphorae report of a resource.
package enum Operating: String, Hashable, Sendable, CaseIterable {
  case online = "ONLINE"
  case offline = "OFFLINE"
  case degraded = "DEGRADED"
  case error = "ERROR"
  case draining = "DRAINING"
  case noMonitor = "NO_MONITOR"
}

package enum AmphoraStatus: String, Hashable, Sendable {
  case booting = "BOOTING"
  case allocated = "ALLOCATED"
  case ready = "READY"
  case pendingDelete = "PENDING_DELETE"
  case error = "ERROR"
  case stopped = "FAILOVER_STOPPED"
}

package enum AmphoraRole: String, Hashable, Sendable {
  case master = "MASTER"
  case backup = "BACKUP"
  case standalone = "STANDALONE"

  package var priority: Int { self == .backup ? 90 : 100 }
}
