/// The keys of each kind of mapping: the schema's shape in one place. What the values mean is
/// said where they are read; a test holds this list to the documentation and to the reference file.
struct Section: Sendable {
  let name: String
  let keys: [String]

  private init(_ name: String, _ keys: String...) {
    self.name = name
    self.keys = keys
  }

  static let root = Section(
    "the file", "workers", "drain-timeout", "secret", "access-log", "admin", "node", "peers", "state", "listeners",
    "pools", "dns", "bgp", "vips", "vip-realtime", "floating-ips", "tls", "tracing")
  static let tracing = Section("tracing", "sample", "otlp", "service", "queue", "every")
  static let secret = Section("secret", "file")
  static let accessLog = Section("access-log", "to", "format", "facility")
  static let admin = Section("admin", "socket", "bind", "token", "read-token", "metrics")

  static let node = Section("node", "name", "site")
  static let peers = Section("peers", "key", "previous-key", "bind", "heartbeat", "timeout", "nodes")

  static let listener = Section(
    "listener", "bind", "protocol", "accept-proxy-from", "access", "limits", "timeouts", "http", "udp", "tls", "pool",
    "http2", "affinity",
    "routes"
  )
  static let bind = Section("bind", "address", "mode")
  static let access = Section("access", "allow", "deny")
  static let limits = Section(
    "limits", "connections", "connection-rate", "request-rate", "head", "uri", "headers", "body")
  static let listenerTimeouts = Section("timeouts", "head", "idle", "keep-alive", "tunnel", "half-closed")
  static let http = Section(
    "http", "x-forwarded", "forwarded", "via", "request-id", "trust-request-id", "allow-connect", "max-requests")
  static let http2 = Section("http2", "enabled", "max-streams", "stream-window", "connection-window", "limits")
  static let http2Limits = Section("limits", "resets", "settings", "pings", "idle-frames", "continuations")
  static let affinity = Section("affinity", "cookie", "forward")
  static let udp = Section("udp", "balance", "idle", "max-sessions", "replies")

  static let tickets = Section("tls", "ticket-keys", "ticket-rotation")
  static let listenerTLS = Section(
    "tls", "certificate", "key", "ocsp", "certificates", "policy", "min-version", "max-version", "ciphers",
    "cipher-suites", "groups", "alpn", "client-auth", "strict-sni", "tickets", "handshake-timeout", "handshakes",
    "handshake-rate")
  static let certificate = Section("certificate", "certificate", "key", "ocsp")
  static let clientAuth = Section("client-auth", "mode", "ca", "crl")
  static let poolTLS = Section(
    "tls", "verify", "ca", "crl", "name", "certificate", "key", "policy", "min-version", "max-version", "ciphers",
    "cipher-suites", "groups", "alpn", "resume")
  static let clientCertificate = Section("client-cert", "present", "subject", "fingerprint")

  static let route = Section(
    "route", "name", "match", "pool", "split", "redirect", "respond", "rewrite", "request-headers", "response-headers",
    "timeouts", "retry", "mirror")
  static let mirror = Section("mirror", "pool", "share", "body", "in-flight", "timeout")
  static let match = Section(
    "match", "host", "path", "method", "header", "query", "cookie", "source", "sni", "alpn",
    "client-cert")
  static let path = Section("path", "exact", "prefix", "regex")
  static let field = Section("condition", "present", "exact", "prefix", "regex")
  static let redirect = Section("redirect", "status", "scheme", "host", "path", "keep-query")
  static let respond = Section("respond", "status", "content-type", "body")
  static let rewrite = Section("rewrite", "prefix", "path")
  static let headers = Section("headers", "set", "add", "remove")
  static let routeTimeouts = Section("timeouts", "request", "per-try")
  static let retry = Section("retry", "attempts", "on-reset", "on-status", "on-unavailable", "budget")

  static let pool = Section(
    "pool", "balance", "probe", "agent", "outlier", "persistence", "retry", "timeouts", "queue", "slow-start",
    "panic-threshold", "priority-threshold", "send-proxy", "idle-connections", "tls", "backends", "protocol",
    "versions",
    "drift")
  static let drift = Section("drift", "watch", "weight", "every")
  static let versions = Section("versions", "serve", "header", "cookie", "sticky")
  static let backend = Section(
    "backend", "name", "address", "weight", "state", "priority", "backup", "max-connections", "probe-port",
    "version")
  static let poolTimeouts = Section("timeouts", "connect", "response", "keep-alive", "drain")
  static let queue = Section("queue", "length", "timeout")
  static let balance = Section("balance", "maglev", "bounded-load")
  static let boundedLoad = Section("bounded-load", "key", "factor")
  static let hashKey = Section("key", "header", "cookie")

  static let probe = Section(
    "probe", "tcp", "http", "udp", "exec", "every", "timeout", "rise", "fall", "jitter", "fast", "initial", "tls",
    "grpc")
  static let exchange = Section("probe", "send", "expect")
  static let httpProbe = Section("probe", "method", "path", "host", "headers", "expect", "body")
  static let grpcProbe = Section("probe", "service", "authority")
  static let agent = Section("agent", "port", "send", "every", "timeout")
  static let outlier = Section(
    "outlier", "consecutive-failures", "server-errors", "base-ejection", "max-ejection", "max-ejected")

  static let persistence = Section("persistence", "cookie", "source", "header")
  static let cookie = Section("cookie", "name", "max-age", "same-site", "secure")
  static let sourcePersistence = Section("source", "prefix-v4", "prefix-v6", "idle", "max-entries")
  static let headerPersistence = Section("header", "name", "idle", "max-entries")

  static let dns = Section(
    "dns", "listen", "workers", "zones", "names", "sites", "keys", "tcp", "rate-limit", "cookies", "nsid", "version",
    "edns-buffer", "geo", "resolver", "tls")
  static let nameTLS = Section(
    "tls", "listen", "certificate", "key", "ocsp", "certificates", "policy", "min-version", "max-version", "ciphers",
    "cipher-suites", "groups", "client-auth", "strict-sni", "tickets", "handshake-timeout", "handshakes")
  static let nameStreams = Section("tcp", "idle", "connections")
  static let responseRate = Section("rate-limit", "responses", "slip", "window", "prefix-v4", "prefix-v6")
  static let transactionKey = Section("key", "algorithm", "secret")
  static let zone = Section("zone", "file", "records", "transfer", "dnssec")
  static let transfer = Section("transfer", "allow", "keys", "notify", "tls-only")
  static let signing = Section("dnssec", "key", "denial", "validity")
  static let balancedName = Section(
    "name", "balance", "from", "answers", "shuffle", "ttl", "settle", "panic-threshold", "fallback", "probe",
    "prefix-v4",
    "prefix-v6")
  static let nameTTL = Section("ttl", "min", "max")
  static let nameChoice = Section(
    "choice", "address", "pool", "site", "balance", "from", "weight", "country", "continent", "asn", "near", "network")
  static let site = Section("site", "addresses", "probe", "nodes", "quorum", "stale-after", "when-stale", "up-after")
  static let bgp = Section(
    "bgp", "as", "router-id", "port", "listen", "device", "graceful-restart", "drain", "templates", "speakers",
    "announcements")
  static let bgpDrain = Section("drain", "prepend", "graceful-shutdown", "finish", "convergence", "settle")
  static let speaker = Section(
    "speaker", "template", "address", "interface", "range", "limit", "as", "local-as", "local-address", "port",
    "ttl-security", "multihop", "passive", "hold-time", "connect-retry", "delay-open", "families",
    "extended-next-hop", "password", "prefix-limit", "bfd")
  static let bfd = Section("bfd", "transmit", "receive", "multiplier", "passive")
  static let announcement = Section(
    "announcement", "prefixes", "while", "degrade", "up-after", "down-after", "speakers", "last-site", "next-hop",
    "origin", "prepend", "med", "local-preference", "communities", "extended-communities", "large-communities")
  static let degrade = Section(
    "degrade", "while", "next-hop", "origin", "prepend", "med", "local-preference", "communities",
    "extended-communities", "large-communities")
  static let condition = Section("condition", "pool", "listener", "vip", "healthy")
  static let floating = Section("floating-ips", "pools", "failover")
  static let floatingPool = Section("pool", "addresses", "device", "vip")
  static let floatingFailover = Section("failover", "address", "pool", "servers", "return")
  static let vip = Section(
    "vip", "interface", "addresses", "companions", "router-id", "version", "priority", "interval", "preempt",
    "preempt-delay", "peers", "source", "hop-limit", "checksum", "password", "keys", "virtual-mac", "group", "announce",
    "track")
  static let advertKey = Section("keys", "id", "secret")
  static let announce = Section("announce", "count", "delay", "refresh")
  static let track = Section(
    "track", "pool", "interface", "listener", "script", "weight", "every", "timeout", "rise", "fall")

  static let all = [
    root, secret, accessLog, admin, node, peers, listener, bind, access, limits, listenerTimeouts, http, udp, affinity,
    mirror,
    route,
    match,
    path, field, tickets, listenerTLS, certificate, clientAuth, poolTLS, clientCertificate, http2, http2Limits,
    redirect, respond, rewrite, headers, routeTimeouts, retry, pool, backend, poolTimeouts, queue, balance,
    boundedLoad, hashKey, probe, exchange, httpProbe, grpcProbe, agent, outlier, persistence, cookie,
    sourcePersistence, headerPersistence, dns, nameTLS, nameStreams, responseRate, transactionKey, zone, transfer,
    signing,
    balancedName, nameTTL, nameChoice, site, bgp, bgpDrain, speaker, bfd, announcement, degrade, condition, vip,
    advertKey, announce, track, versions, tracing, drift,
    floating, floatingPool, floatingFailover,
  ]
}
