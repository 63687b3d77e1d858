import Model

extension WorldDiff {
  mutating func vips(_ old: [VIP], _ new: [VIP]) {
    compare(old, new, name: \.name, subject: "vip ") { before, after in
      var details: [String] = []
      note("interface", before.interface, after.interface, &details) { $0 }
      note("addresses", before.addresses, after.addresses, &details) { $0.map(\.text).joined(separator: " ") }
      note("companions", before.companions, after.companions, &details) { $0.map(\.text).joined(separator: " ") }
      note("router-id", before.virtualRouter, after.virtualRouter, &details) { "\($0)" }
      note("version", before.version, after.version, &details) { "\($0.rawValue)" }
      note("priority", before.priority, after.priority, &details) { "\($0)" }
      note("interval", before.interval, after.interval, &details) { "\($0.milliseconds)ms" }
      note("preempt", before.preempts, after.preempts, &details) { "\($0)" }
      note("peers", before.peers, after.peers, &details) { $0.map { "\($0)" }.joined(separator: " ") }
      note("virtual-mac", before.usesVirtualMAC, after.usesVirtualMAC, &details) { "\($0)" }
      note("group", before.group, after.group, &details) { $0 ?? "none" }
      note("track", before.tracks, after.tracks, &details)
      if details.isEmpty { details.append("options") }
      // What cannot change under a running router.
      if before.addresses != after.addresses || before.companions != after.companions
        || before.virtualRouter != after.virtualRouter || before.version != after.version
        || before.interface != after.interface || before.usesVirtualMAC != after.usesVirtualMAC
        || before.group != after.group
      {
        details.append("it resigns and starts anew")
      }
      return details
    }
  }
}

extension VIPAddress {
  fileprivate var text: String { prefixLength == address.width ? "\(address)" : "\(address)/\(prefixLength)" }
}
