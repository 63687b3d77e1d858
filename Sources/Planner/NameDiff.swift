import Model

extension WorldDiff {
  /// What the name server is asked to do. Pools that watch its addresses are compared as pools.
  mutating func service(_ old: NameService?, _ new: NameService?) {
    let (before, after) = (old ?? NameService(), new ?? NameService())
    var details: [String] = []
    note("listen", before.binds, after.binds, &details) { $0.map { "\($0)" }.joined(separator: " ") }
    note("tls", before.secure, after.secure, &details)
    note("tcp", before.tcp, after.tcp, &details)
    note("workers (at the next start)", before.workers, after.workers, &details) { $0.map { "\($0)" } ?? "the node's" }
    note("rate-limit", before.rateLimit, after.rateLimit, &details)
    note("keys", before.keys, after.keys, &details)
    note("geo", before.databases, after.databases, &details)
    note("resolver", before.resolver, after.resolver, &details) { $0.map { "\($0)" } ?? "none" }
    note("cookies", before.cookies, after.cookies, &details) { "\($0)" }
    note("nsid", before.serverID, after.serverID, &details) { $0 ?? "none" }
    note("version", before.version, after.version, &details) { $0 ?? "none" }
    note("edns-buffer", before.udpLimit, after.udpLimit, &details) { "\($0)" }
    if old == nil || new == nil {
      if old != nil || new != nil { add(old == nil ? .added : .removed, "dns") }
    } else if !details.isEmpty {
      add(.changed, "dns", details)
    }
    compare(before.zones, after.zones, name: \.name, subject: "zone ") { before, after in
      var details: [String] = []
      note("file", before.file, after.file, &details) { $0 }
      note("records", before.texts, after.texts, &details)
      note("names", before.balanced, after.balanced, &details)
      note("transfer", before.transfer, after.transfer, &details)
      note("dnssec", before.signing, after.signing, &details)
      return details
    }
    compare(before.sites, after.sites, name: \.name, subject: "site ") { before, after in
      var details: [String] = []
      note("addresses", before.addresses, after.addresses, &details) { $0.map { "\($0)" }.joined(separator: " ") }
      note("nodes", before.nodes, after.nodes, &details) { $0.joined(separator: " ") }
      note("quorum", before.quorum, after.quorum, &details) { $0.map { "\($0)" } ?? "more than half" }
      note("stale-after", before.staleAfter, after.staleAfter, &details) { "\($0.milliseconds)ms" }
      note("when-stale", before.whenStale, after.whenStale, &details, \.rawValue)
      note("up-after", before.upAfter, after.upAfter, &details) { "\($0.milliseconds)ms" }
      return details
    }
    compare(before.names, after.names, name: \.name, subject: "name ") { before, after in
      var details: [String] = []
      note("balance", before.root.policy, after.root.policy, &details, \.rawValue)
      note("from", before.root.choices, after.root.choices, &details)
      note("answers", before.answers, after.answers, &details) { "\($0)" }
      note("shortest ttl", before.shortestTTL, after.shortestTTL, &details) { "\($0)s" }
      note("longest ttl", before.longestTTL, after.longestTTL, &details) { "\($0)s" }
      if details.isEmpty { details.append("options") }
      return details
    }
  }
}
