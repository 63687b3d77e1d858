// The fields of every resource of the v2 API, in their order of declaration.

extension Kind {
  package var schema: Schema { Schemas.all[self]! }
}

private let protocols = ["HTTP", "HTTPS", "PROMETHEUS", "SCTP", "TCP", "TERMINATED_HTTPS", "UDP"]
private let milliseconds = FieldType.int(min: 0, max: 2_073_600_000)
private let text = FieldType.text(max: 255)
private let anyText = FieldType.text(max: .max)
private let quotaLimit = FieldType.int(min: -1, max: 2_000_000_000)

private let statuses = [Field("provisioning_status", anyText, "r"), Field("operating_status", anyText, "r")]
private let dates = [Field("created_at", .date, "r"), Field("updated_at", .date, "r")]
private let named = [Field("id", .uuid, "r"), Field("name", text, "rcun")]
private let described = named + [Field("description", text, "rcun")]
private let enabled = Field("admin_state_up", .bool, "rcun", true)
private let tags = Field("tags", .list(text), "rcun")
private let project = Field("project_id", .text(max: 36), "rc")
private let tenant = Field("tenant_id", .text(max: 36), "c")

private enum Schemas {
  static let all: [Kind: Schema] = [
    .loadBalancer: loadBalancer, .listener: listener, .pool: pool, .member: member, .healthMonitor: healthMonitor,
    .policy: policy, .rule: rule, .amphora: amphora, .flavor: flavor, .flavorProfile: flavorProfile, .zone: zone,
    .zoneProfile: zoneProfile, .quota: quota,
  ]

  static let loadBalancer = Schema(
    fields: described + statuses + [enabled, project, tenant] + dates + [
      Field("vip_address", .address, "rc"), Field("vip_port_id", .uuid, "rc"), Field("vip_subnet_id", .uuid, "rc"),
      Field("vip_network_id", .uuid, "rc"), Field("vip_sg_ids", .list(.uuid), "rcu"),
      Field("additional_vips", .list(.part(additionalVIP)), "rc", []),
      Field("listeners", .list(.nested(.listener)), "rc", []), Field("pools", .list(.nested(.pool)), "rc", []),
      Field("provider", .text(max: 64), "rc"), Field("flavor_id", .uuid, "rc"),
      Field("vip_qos_policy_id", .uuid, "rcu"),
      tags, Field("availability_zone", text, "rc"), Field("vip_vnic_type", anyText, "r"),
    ])

  static let additionalVIP = Schema(fields: [
    Field("subnet_id", .uuid, "rc!"), Field("ip_address", .address, "rc"), Field("port_id", .uuid, "rc"),
  ])

  static let listener = Schema(
    fields: described + statuses + [
      enabled, Field("protocol", .choice(protocols), "rc!n"), Field("protocol_port", .int(min: 1, max: 65_535), "rc!n"),
      Field("connection_limit", .int(min: -1), "rcun", -1), Field("default_tls_container_ref", text, "rcun"),
      Field("sni_container_refs", .list(text), "rcun"), project, tenant, Field("default_pool_id", .uuid, "rcun"),
      Field("l7policies", .list(.nested(.policy)), "rcn", []), Field("insert_headers", .map(text), "rcun"),
    ] + dates + [
      Field("loadbalancers", .list(.nested(.loadBalancer)), "r"), Field("timeout_client_data", milliseconds, "rcun"),
      Field("timeout_member_connect", milliseconds, "rcun"), Field("timeout_member_data", milliseconds, "rcun"),
      Field("timeout_tcp_inspect", milliseconds, "rcun"), tags, Field("client_ca_tls_container_ref", text, "rcun"),
      Field("client_authentication", .choice(["MANDATORY", "NONE", "OPTIONAL"]), "rcun", "NONE"),
      Field("client_crl_container_ref", text, "rcun"), Field("allowed_cidrs", .list(.cidr), "rcun"),
      Field("tls_ciphers", .text(max: 2048), "rcun"), Field("tls_versions", .list(.text(max: 32)), "rcun"),
      Field("alpn_protocols", .list(.alpn), "rcun"), Field("hsts_max_age", .int(min: 0), "rcun"),
      Field("hsts_include_subdomains", .bool, "rcun", false), Field("hsts_preload", .bool, "rcun", false),
      Field("default_pool", .nested(.pool), "cn"), Field("loadbalancer_id", .uuid, "c!"),
    ])

  static let pool = Schema(
    fields: described + statuses + [
      enabled, Field("protocol", .choice(["HTTP", "HTTPS", "PROXY", "PROXYV2", "SCTP", "TCP", "UDP"]), "rc!n"),
      Field("lb_algorithm", .choice(["LEAST_CONNECTIONS", "ROUND_ROBIN", "SOURCE_IP", "SOURCE_IP_PORT"]), "rc!un"),
      Field("session_persistence", .part(persistence), "rcun"), project, tenant,
      Field("loadbalancers", .list(.nested(.loadBalancer)), "r"), Field("listeners", .list(.nested(.listener)), "r"),
    ] + dates + [
      Field("healthmonitor_id", .uuid, "r"), Field("members", .list(.nested(.member)), "rcn"), tags,
      Field("tls_container_ref", text, "rcun"), Field("ca_tls_container_ref", text, "rcun"),
      Field("crl_container_ref", text, "rcun"), Field("tls_enabled", .bool, "rcun", false),
      Field("tls_ciphers", .text(max: 2048), "rcun"), Field("tls_versions", .list(.text(max: 32)), "rcun"),
      Field("alpn_protocols", .list(.alpn), "rcun"), Field("listener_id", .uuid, "c"),
      Field("loadbalancer_id", .uuid, "c"),
      Field("healthmonitor", .nested(.healthMonitor), "cn"),
    ])

  static let persistence = Schema(fields: [
    Field("type", .choice(["APP_COOKIE", "HTTP_COOKIE", "SOURCE_IP"]), "rc!u"),
    Field("cookie_name", .text(max: 255, pattern: .cookieName), "rcu", .null),
    Field("persistence_timeout", .int(), "rcu", .null), Field("persistence_granularity", .address, "rcu", .null),
  ])

  static let member = Schema(
    fields: named + [
      Field("operating_status", anyText, "r"), Field("provisioning_status", anyText, "r"), enabled,
      Field("address", .address, "rc!n"), Field("protocol_port", .int(min: 1, max: 65_535), "rc!n"),
      Field("weight", .int(min: 0, max: 256), "rcun", 1), Field("backup", .bool, "rcun", false),
      Field("subnet_id", .uuid, "rcn"), project, tenant,
    ] + dates + [
      Field("monitor_address", .address, "rcun", .null),
      Field("monitor_port", .int(min: 1, max: 65_535), "rcun", .null),
      tags, Field("vnic_type", anyText, "r"), Field("request_sriov", .bool, "cn", false),
    ])

  static let healthMonitor = Schema(
    fields: named + [
      Field("type", .choice(["HTTP", "HTTPS", "PING", "SCTP", "TCP", "TLS-HELLO", "UDP-CONNECT"]), "rc!n"),
      Field("delay", .int(min: 0), "rc!un"), Field("timeout", .int(min: 0), "rc!un"),
      Field("max_retries", .int(min: 1, max: 10), "rc!un"), Field("max_retries_down", .int(min: 1, max: 10), "rcun", 3),
      Field(
        "http_method", .choice(["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]), "rcun"
      ),
      Field("url_path", .path, "rcun"), Field("expected_codes", .text(max: .max, pattern: .expectedCodes), "rcun"),
      enabled,
      project, tenant, Field("pools", .list(.nested(.pool)), "r"),
    ] + statuses + dates + [
      tags, Field("http_version", .decimal([1.0, 1.1]), "rcun"),
      Field("domain_name", .text(max: 255, min: 1, pattern: .domainName), "rcun"), Field("pool_id", .uuid, "c!"),
    ])

  static let policy = Schema(
    fields: described + statuses + [
      enabled, project, tenant,
      Field("action", .choice(["REDIRECT_PREFIX", "REDIRECT_TO_POOL", "REDIRECT_TO_URL", "REJECT"]), "rc!un"),
      Field("listener_id", .uuid, "rc!"), Field("redirect_pool_id", .uuid, "rcu"), Field("redirect_url", .url, "rcun"),
      Field("redirect_prefix", .url, "rcun"),
      Field("position", .int(min: 1, max: .lastPosition), "rcun", .int(.lastPosition)),
      Field("rules", .list(.nested(.rule)), "rcn"),
    ] + dates + [
      tags, Field("redirect_http_code", .number([301, 302, 303, 307, 308]), "rcun"),
      Field("redirect_pool", .nested(.pool), "n"),
    ])

  static let rule = Schema(
    fields: [
      Field("id", .uuid, "r"),
      Field(
        "type",
        .choice([
          "COOKIE", "FILE_TYPE", "HEADER", "HOST_NAME", "PATH", "SSL_CONN_HAS_CERT", "SSL_DN_FIELD",
          "SSL_VERIFY_RESULT",
        ]),
        "rc!un"),
      Field("compare_type", .choice(["CONTAINS", "ENDS_WITH", "EQUAL_TO", "REGEX", "STARTS_WITH"]), "rc!un"),
      Field("key", .text(max: 255, pattern: .oneLine), "rcun"),
      Field("value", .text(max: 255, pattern: .oneLine), "rc!un"),
      Field("invert", .bool, "rcun", false),
    ] + statuses + dates + [project, tenant, enabled, tags])

  static let amphora = Schema(fields: [
    Field("id", .uuid, "r"), Field("loadbalancer_id", .uuid, "r"), Field("compute_id", .uuid, "r"),
    Field("lb_network_ip", .address, "r"), Field("vrrp_ip", .address, "r"), Field("ha_ip", .address, "r"),
    Field("vrrp_port_id", .uuid, "r"), Field("ha_port_id", .uuid, "r"), Field("cert_expiration", .date, "r"),
    Field("cert_busy", .bool, "r"), Field("role", anyText, "r"), Field("status", anyText, "r"),
    Field("vrrp_interface", anyText, "r"), Field("vrrp_id", .int(), "r"), Field("vrrp_priority", .int(), "r"),
    Field("cached_zone", anyText, "r"), Field("created_at", .date, "r"), Field("updated_at", .date, "r"),
    Field("image_id", .uuid, "r"), Field("compute_flavor", anyText, "r"),
  ])

  static let flavor = Schema(fields: [
    Field("id", .uuid, "r"), Field("name", text, "rc!u"), Field("description", text, "rcu"),
    Field("enabled", .bool, "rcu", true), Field("flavor_profile_id", .uuid, "rc!"),
  ])

  static let flavorProfile = Schema(fields: [
    Field("id", .uuid, "r"), Field("name", text, "rc!u"), Field("provider_name", text, "rc!u"),
    Field("flavor_data", .text(max: 4096), "rc!u"),
  ])

  static let zone = Schema(fields: [
    Field("name", text, "rc!"), Field("description", text, "rcu"), Field("enabled", .bool, "rcu", true),
    Field("availability_zone_profile_id", .uuid, "rc!"),
  ])

  static let zoneProfile = Schema(fields: [
    Field("id", .uuid, "r"), Field("name", text, "rc!u"), Field("provider_name", text, "rc!u"),
    Field("availability_zone_data", .text(max: 4096), "rc!u"),
  ])

  static let quota = Schema(
    fields: [
      "loadbalancer", "load_balancer", "listener", "member", "pool", "healthmonitor", "health_monitor", "l7policy",
      "l7rule",
    ]
    .map { Field($0, quotaLimit, "ru") })
}

extension Int {
  /// A position that means "after all others".
  package static let lastPosition = 2_147_483_647
}
