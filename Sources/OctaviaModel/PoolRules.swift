enum PoolRules {
  static func check(_ pool: Record, provider: String, _ deployment: Deployment) throws(APIError) {
    let name = pool.text("protocol")
    let persistence = pool["session_persistence"]
    if ["UDP", "SCTP"].contains(name) {
      try checkDatagrams(persistence)
    } else if persistence["persistence_timeout"].int ?? 0 != 0 || !persistence["persistence_granularity"].isNull {
      throw .validation("persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools.")
    }
    try checkPersistence(persistence)
    if pool.text("lb_algorithm") == "SOURCE_IP_PORT" {
      throw .unsupported(
        provider, "The \(provider) provider does not support the SOURCE_IP_PORT algorithm.")
    }
    if !pool["crl_container_ref"].isNull && pool["ca_tls_container_ref"].isNull {
      throw .validation("A CA certificate reference is required to specify a revocation list.")
    }
    let references = ["tls_container_ref", "ca_tls_container_ref", "crl_container_ref"].compactMap { pool[$0].string }
    let missing = references.filter { !deployment.hasCertificate($0) }
    if !missing.isEmpty { throw APIError(400, "Could not retrieve certificate: \(JSON.strings(missing).pythonText)") }
    try ListenerRules.checkCiphers(pool["tls_ciphers"])
  }

  private static func checkDatagrams(_ persistence: JSON) throws(APIError) {
    guard !persistence.isNull else { return }
    if persistence.object?["cookie_name"]?.isNull == false {
      throw .validation(
        persistence["type"] == "SOURCE_IP"
          ? "session_persistence SOURCE_IP type for UDP and SCTP protocols only accepts: type, persistence_timeout, persistence_granularity."
          : "Cookie names are not supported for UDP/SCTP pools.")
    }
    if let type = persistence["type"].string, type != "SOURCE_IP" {
      throw .validation("Session persistence of type \(type) is not supported for UDP/SCTP protocol pools.")
    }
  }

  static func checkPersistence(_ persistence: JSON) throws(APIError) {
    guard !persistence.isNull else { return }
    let type = persistence["type"].string
    if let name = persistence["cookie_name"].string {
      if type != "APP_COOKIE" {
        throw .validation(#"Field "cookie_name" can only be specified with session persistence of type "APP_COOKIE"."#)
      }
      // RFC 6265 section 4.1.1: a token, so no separators.
      if name.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f || "\"(),/:;<=>?@[\\]{}".utf8.contains($0) }) {
        throw .validation(#"Supplied "cookie_name" is invalid."#)
      }
    } else if type == "APP_COOKIE" {
      throw .validation(
        #"Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type."#)
    }
  }
}

enum HealthMonitorRules {
  private static let httpFields = ["http_method", "url_path", "expected_codes"]

  private static func isHTTP(_ monitor: Record) -> Bool { ["HTTP", "HTTPS"].contains(monitor.text("type")) }

  /// Fields of HTTP have defaults for HTTP only.
  static func fill(_ monitor: inout Record) throws(APIError) {
    for name in ["delay", "timeout", "max_retries"] where monitor[name].isNull { throw .invalidOption("None", name) }
    for name in httpFields {
      if isHTTP(monitor) {
        if monitor[name].isNull { monitor[name] = name == "http_method" ? "GET" : name == "url_path" ? "/" : "200" }
      } else if !monitor[name].isNull {
        throw .invalidOption(name, "health monitors of type \(monitor.text("type"))")
      }
    }
  }

  static func check(_ monitor: Record, pool: String, _ deployment: Deployment) throws(APIError) {
    let type = monitor.text("type")
    if ["UDP", "SCTP"].contains(pool) {
      guard ["UDP-CONNECT", "SCTP", "TCP", "HTTP"].contains(type) else {
        throw .validation(
          "The associated pool protocol is \(pool), so only a UDP-CONNECT/SCTP/TCP/HTTP health monitor is supported.")
      }
      if type == "UDP-CONNECT", monitor.number("delay") < deployment.minimumUDPDelay {
        throw .validation(
          "The request delay value \(monitor.number("delay")) should be larger than \(deployment.minimumUDPDelay) for UDP-CONNECT health monitor type."
        )
      }
    } else if ["UDP-CONNECT", "SCTP"].contains(type) {
      throw .validation("The \(type) type is only supported for pools of type UDP/SCTP.")
    }
    if !monitor["domain_name"].isNull {
      guard case .double(let version) = monitor["http_version"] else {
        throw .validation("'http_version' must be specified when 'domain_name' is provided.")
      }
      if version < 1.1 {
        throw .invalidOption("http_version \(version)", "health monitors HTTP 1.1 domain name health check")
      }
    }
  }
}
