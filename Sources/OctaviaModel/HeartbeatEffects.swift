// From what an amphora reports to the operating status of everything in its load balancer.

extension Tree {
  /// Whether the amphora carries every listener that it should. One that does not is not refreshed, and so becomes
  /// stale: an amphora without its HAProxy is as good as dead.
  package func isComplete(_ heartbeat: Heartbeat) -> Bool {
    if loadBalancer.provisioning.isPending || !loadBalancer.isEnabled { return true }
    let wanted = all(.listener).filter { $0.isEnabled && $0.provisioning == .active && $0.text("protocol") != "SCTP" }
    return wanted.allSatisfy { heartbeat.listeners[$0.id] != nil }
  }

  /// Writes statuses that changed.
  package mutating func observe(_ heartbeat: Heartbeat) {
    var whole = loadBalancer.isEnabled ? Operating.online : .offline
    func lower(_ to: Operating) {
      if whole == .offline { return }
      if to == .error || whole == .online { whole = to }
    }
    for listener in all(.listener) {
      let status: Operating
      if let report = heartbeat.listeners[listener.id] {
        status = report.isFull ? .degraded : .online
        if report.isFull { lower(.degraded) }
      } else {
        // Nothing carries SCTP: no amphora is to blame.
        let isExpected = listener.isEnabled && listener.text("protocol") != "SCTP"
        status = isExpected && loadBalancer.provisioning == .active ? .error : .offline
        if status == .error { lower(.error) }
      }
      update(listener.id) { $0.operating = status }
    }
    for pool in all(.pool) {
      var status = Operating.offline
      let report = heartbeat.pools[pool.id]
      if let report {
        status = report.isUp ? .online : .error
        if !report.isUp { lower(.error) }
      }
      for member in all(.member, "pool_id", pool.id) {
        let (next, degrades) = Self.status(of: member, report?.members[member.id])
        if degrades {
          if status == .online { status = .degraded }
          lower(.degraded)
        }
        if let next { update(member.id) { $0.operating = next } }
      }
      update(pool.id) { $0.operating = status }
    }
    update(id) { $0.operating = whole }
  }

  /// nil: it stays as it is.
  private static func status(of member: Record, _ word: String?) -> (Operating?, degrades: Bool) {
    guard let word else { return (member.operating == .noMonitor ? nil : .offline, false) }
    if word.hasPrefix("UP") { return (.online, false) }
    if word.hasPrefix("DOWN") { return (.error, true) }
    return switch word {
    case "DRAIN": (.draining, false)
    case "MAINT": (.offline, false)
    case "no check": (.noMonitor, false)
    default: (nil, false)
    }
  }
}
