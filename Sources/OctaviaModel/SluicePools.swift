internal import Model

extension SluiceConfig {
  static func pool(_ pool: Record, _ listener: Record, _ tree: Tree, _ place: Place) throws(Unsupported) -> JSON {
    let isHTTP = isHTTP(listener)
    let isUDP = listener.text("protocol") == "UDP"
    let members = tree.all(.member, "pool_id", pool.id).filter { !$0.isDeleted && $0.provisioning != .error }
    guard !members.isEmpty else { return .object(["backends": .array([absent])]) }
    let balance = ["ROUND_ROBIN": "round-robin", "LEAST_CONNECTIONS": "least-connections", "SOURCE_IP": "source"]
    var out = JSONObject([("balance", .string(balance[pool.text("lb_algorithm")] ?? "round-robin"))])
    out["persistence"] = persistence(pool["session_persistence"], isHTTP: isHTTP)
    let monitor = tree.healthMonitor(of: pool.id).flatMap { $0.isEnabled && !$0.isDeleted ? $0 : nil }
    if let monitor { out["probe"] = try probe(monitor, pool) }
    if !isUDP {
      out["timeouts"] = .object([
        "connect": milliseconds(listener.number("timeout_member_connect")),
        "response": milliseconds(listener.number("timeout_member_data")),
      ])
    }
    if pool.text("protocol") == "PROXY" { out["send-proxy"] = "v1" }
    if pool.text("protocol") == "PROXYV2" { out["send-proxy"] = "v2" }
    if pool.flag("tls_enabled") { out["tls"] = encryption(pool, place) }
    var backends: [JSON] = []
    for member in members { backends.append(try backend(member, monitor)) }
    out["backends"] = .array(backends)
    return .object(out)
  }

  private static func backend(_ member: Record, _ monitor: Record?) throws(Unsupported) -> JSON {
    var backend = JSONObject([
      ("name", .string(member.id)), ("address", socket(member.text("address"), member.number("protocol_port"))),
      ("weight", member["weight"]),
    ])
    if !member.isEnabled { backend["state"] = "maintenance" }
    if member.flag("backup") { backend["backup"] = true }
    if monitor != nil {
      if let address = member["monitor_address"].string, address != member.text("address") {
        throw Unsupported("a monitor_address beside the member's own (\(address))")
      }
      if let port = member["monitor_port"].int { backend["probe-port"] = .int(port) }
    }
    return .object(backend)
  }

  private static func persistence(_ wanted: JSON, isHTTP: Bool) -> JSON? {
    switch wanted["type"].string {
    case "SOURCE_IP":
      var source = JSONObject()
      if let seconds = wanted["persistence_timeout"].int, seconds > 0 { source["idle"] = .string("\(seconds)s") }
      if let mask = wanted["persistence_granularity"].string.flatMap({ IPAddress($0) }) {
        // A netmask is a run of ones from the left.
        if mask.family == .v4 {
          let ones = (~UInt32(truncatingIfNeeded: mask.low)).leadingZeroBitCount
          if ones > 0 { source["prefix-v4"] = .int(ones) }
        } else {
          let high = (~mask.high).leadingZeroBitCount
          let ones = high + (high == 64 ? (~mask.low).leadingZeroBitCount : 0)
          if ones > 0 { source["prefix-v6"] = .int(ones) }
        }
      }
      return .object(["source": .object(source)])
    case "HTTP_COOKIE" where isHTTP: return .object(["cookie": .object(["name": "SRV"])])
    // A client that keeps the application's cookie keeps this one beside it, from the same answer on.
    case "APP_COOKIE" where isHTTP: return .object(["cookie": .object(["name": "SLUICE"])])
    default: return nil
    }
  }

  private static func encryption(_ pool: Record, _ place: Place) -> JSON {
    func file(_ key: String) -> JSON? {
      pool[key].string.map { .string("\(place.certificates)/\(CertificateReference($0).fileName)") }
    }
    var tls = JSONObject()
    tls["certificate"] = file("tls_container_ref")
    if let authority = file("ca_tls_container_ref") {
      tls["ca"] = authority
      tls["crl"] = file("crl_container_ref")
    } else {
      tls["verify"] = "off"
    }
    return .object(tls)
  }

  private static func probe(_ monitor: Record, _ pool: Record) throws(Unsupported) -> JSON {
    var out = JSONObject()
    switch monitor.text("type") {
    case "HTTP": out["http"] = http(monitor)
    // With TLS towards the members the probe has it, too; where Sluice passes TLS on, it looks at the port only.
    case "HTTPS": if pool.flag("tls_enabled") { out["http"] = http(monitor) } else { out["tcp"] = .object([:]) }
    case "PING":
      let script = "a=${SLUICE_ADDRESS%:*}; a=${a#[}; exec ping -n -c 1 -W \(max(monitor.number("timeout"), 1)) ${a%]}"
      out["exec"] = .strings(["/bin/sh", "-c", script])
    case "UDP-CONNECT": out["udp"] = .object(["send": "\n"])
    case "SCTP": throw Unsupported("a health monitor of the type SCTP")
    default: out["tcp"] = .object([:])
    }
    out["every"] = .string("\(max(monitor.number("delay"), 1))s")
    out["timeout"] = .string("\(max(monitor.number("timeout"), 1))s")
    out["rise"] = monitor["max_retries"]
    out["fall"] = monitor["max_retries_down"]
    out["initial"] = "up"
    return .object(out)
  }

  private static func http(_ monitor: Record) -> JSON {
    var http = JSONObject([
      ("method", monitor["http_method"]), ("path", .string(String(monitor.text("url_path").prefix { $0 != "#" }))),
    ])
    http["expect"] = .array((StatusCodes(monitor.text("expected_codes"))?.codes ?? [200]).map { .int($0) })
    if let host = monitor["domain_name"].string { http["host"] = .string(host) }
    return .object(http)
  }
}
