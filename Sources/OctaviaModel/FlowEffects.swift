// What the steps of a flow change in the load balancer's rows, once their work outside is done.

extension Flow {
  /// What was learnt while a step was done: an amphora's addresses, the end of its certificate.
  package typealias Findings = JSONObject

  package func apply(_ order: Order, _ findings: Findings, to tree: inout Tree, _ source: Source) {
    switch order {
    case .perform(let step), .undo(let step): apply(step, findings, &tree, source)
    case .finish(.done): break
    case .finish(.failed(let reason, let whole)): end(reason, whole: whole, &tree)
    }
  }

  private func apply(_ step: Step, _ findings: Findings, _ tree: inout Tree, _ source: Source) {
    let amphora = step.amphora ?? ""
    switch step.verb {
    case .allocate:
      guard let birth = births.first(where: { $0.amphora == amphora }) else { return }
      let old = tree[.amphora, amphora]
      // Done before, unless it is a spare one, which has a machine and no place yet.
      guard old.map({ $0.text("status") == AmphoraStatus.ready.rawValue }) ?? true else { return }
      var new = row(birth, tree, source)
      for key in ["compute_id", "lb_network_ip", "cert_expiration", "created_at"] { if let old { new[key] = old[key] } }
      tree.put(new)
    case .boot, .await, .plug:
      tree.update(amphora) { record in
        record.fields.merge(findings)
        record["updated_at"] = .string(source.now.text)
        if step.verb == .plug { record["status"] = .string(AmphoraStatus.allocated.rawValue) }
      }
    case .condemn: tree.update(amphora) { $0["status"] = .string(AmphoraStatus.pendingDelete.rawValue) }
    case .forget: tree.remove(amphora)
    case .settle: tree.settle(source: source)
    case .remove: for record in tree.records { tree.remove(record.id) }
    case .configure, .reconfigure, .elect, .handover, .destroy, .release, .adjust: break
    }
  }

  private func row(_ birth: Birth, _ tree: Tree, _ source: Source) -> Record {
    var record = Record(amphora: birth.amphora, source)
    record["loadbalancer_id"] = .string(tree.id)
    record["load_balancer_id"] = .string(tree.id)
    record["role"] = .string(birth.role.rawValue)
    record["vrrp_id"] = 1
    record["vrrp_priority"] = birth.role == .standalone ? .null : .int(birth.role.priority)
    record["ha_ip"] = tree.loadBalancer["vip_address"]
    record["ha_port_id"] = tree.loadBalancer["vip_port_id"]
    return record
  }

  private func end(_ reason: String, whole: Bool, _ tree: inout Tree) {
    tree.fail(whole: whole)
    tree.update(tree.id) { $0["failure"] = .string(reason) }
    // A failed failover leaves the old amphora as it was: it is tried again.
    for id in survivors(in: tree) { tree.update(id) { $0["status"] = .string(AmphoraStatus.allocated.rawValue) } }
  }
}

extension Record {
  /// A new amphora that belongs to nothing yet.
  package init(amphora id: String, _ source: Source) {
    self.init(.amphora, JSONObject())
    for field in Kind.amphora.schema.fields { self[field.name] = .null }
    self["id"] = .string(id)
    self["status"] = .string(AmphoraStatus.booting.rawValue)
    self["cert_busy"] = false
    self["created_at"] = .string(source.now.text)
  }
}
