import BGP
import Model

/// `bgp`: the node's speakers and announcements.
extension Reader {
  func bgp(_ fields: Fields, _ topology: Topology) -> BGPTopology? {
    let localAS = required(fields, "as", .autonomousSystem)
    let identifier = required(fields, "router-id", .routerID)
    var result = BGPTopology(localAS: localAS ?? 1, identifier: identifier ?? 1)
    fields.read("port", .port, into: &result.port)
    if let listen = fields.list("listen", .address) { result.listen = listen }
    if let device = fields.value("device", .device) { result.device = device == "none" ? nil : device }
    fields.read("graceful-restart", .wholeSeconds(1...4095), into: &result.gracefulRestart)
    fields.with("drain", .bgpDrain) { drain in
      drain.read("prepend", .integer(0...64), into: &result.drain.prepend)
      drain.read("graceful-shutdown", .boolean, into: &result.drain.gracefulShutdown)
      drain.read("finish", .duration(atLeast: .zero), into: &result.drain.finish)
      drain.read("convergence", .duration(atLeast: .zero), into: &result.drain.convergence)
      drain.read("settle", .duration(atLeast: .zero), into: &result.drain.settle)
    }
    let templates = fields.names("templates")
    // Read alone, so that a template that nobody uses is checked too.
    for template in templates {
      var ignored = BGPSpeaker(name: "", peer: .address(.anyV4, interface: nil), peerAS: .external)
      if let inner = Fields(template.value, .speaker, self, label: template.key) {
        speaker(inner, into: &ignored)
        for key in ["address", "range", "template"] where inner.has(key) {
          inner.error(at: key, "`\(key)`: belongs to a speaker, not to a template")
        }
      }
    }
    for entry in fields.names("speakers") {
      if let speaker = speaker(entry, templates) { result.speakers.append(speaker) }
    }
    checkSpeakers(fields, result)
    for entry in fields.names("announcements") {
      if let announcement = announcement(entry, result, topology) { result.announcements.append(announcement) }
    }
    checkPrefixes(fields, result)
    return localAS == nil || identifier == nil ? nil : result
  }

  private func required<Value>(_ fields: Fields, _ key: String, _ kind: Kind<Value>) -> Value? {
    if fields.lacks(key) { error(fields.place, "`\(fields.section.name)`: expected `\(key)`: \(kind.expected)") }
    return fields.value(key, kind)
  }

  // MARK: Speakers

  private func speaker(_ entry: Node.Entry, _ templates: [Node.Entry]) -> BGPSpeaker? {
    _ = scalar(
      Node(place: entry.keyPlace, content: .scalar(Scalar(text: entry.key, isQuoted: true))), .name, label: "speaker")
    guard let fields = Fields(entry.value, .speaker, self, label: entry.key) else { return nil }
    var layers = [fields]
    if let name = fields.value("template", .nonEmpty) {
      if let template = templates.first(where: { $0.key == name }) {
        // Its errors are told where it is read alone.
        let quiet = Reader(file: file, baseDirectory: baseDirectory, secretFile: secretFile)
        if let inner = Fields(template.value, .speaker, quiet, label: name) { layers.insert(inner, at: 0) }
      } else {
        let meant = Nearest.word(to: name, among: templates.map(\.key)).map { "; did you mean `\($0)`?" } ?? ""
        fields.error(at: "template", "no template `\(name.shortened)`\(meant)")
      }
    }
    var result = BGPSpeaker(name: entry.key, peer: .address(.anyV4, interface: nil), peerAS: .external)
    for layer in layers { speaker(layer, into: &result) }
    if !layers.contains(where: { $0.has("as") }), fields.lacks("as") {
      error(entry.keyPlace, "speaker `\(entry.key.shortened)`: expected `as`: a number, `external` or `internal`")
    }
    guard let kind = fields.exactlyOne(of: ["address", "range"], label: entry.key) else { return nil }
    if kind == "address" {
      guard let address = fields.value("address", .address) else { return nil }
      let interface = layers.compactMap { $0.value("interface", .device) }.last
      if address.isLinkLocal, interface == nil {
        fields.error(at: "address", "`address`: a link-local address needs an `interface`")
      }
      result.peer = .address(address, interface: address.isLinkLocal ? interface : nil)
    } else {
      guard let range = fields.value("range", .prefix) else { return nil }
      var limit = 100
      for layer in layers { layer.read("limit", .integer(1...10_000), into: &limit) }
      result.peer = .range(range, limit: limit)
    }
    return result
  }

  private func speaker(_ fields: Fields, into result: inout BGPSpeaker) {
    fields.read("as", .peerAS, into: &result.peerAS)
    fields.read("local-as", .autonomousSystem, into: &result.localAS)
    fields.read("local-address", .address, into: &result.localAddress)
    fields.read("port", .port, into: &result.port)
    if let hops = fields.value("ttl-security", .integer(1...254)) { result.distance = .secured(hops: hops) }
    if let hops = fields.value("multihop", .integer(2...255)) { result.distance = .multihop(hops) }
    if fields.has("ttl-security"), fields.has("multihop") {
      fields.error(at: "multihop", "`multihop`: `ttl-security` already says how far away the peer may be")
    }
    fields.read("passive", .boolean, into: &result.passive)
    if let hold = fields.value("hold-time", .holdTime) { result.holdTime = hold }
    fields.read("connect-retry", .duration(atLeast: .milliseconds(100)), into: &result.connectRetry)
    fields.read("delay-open", .duration(atLeast: .zero), into: &result.delayOpen)
    if let families = fields.list("families", .choice([("ipv4", IPAddress.Family.v4), ("ipv6", .v6)])) {
      result.families = [IPAddress.Family.v4, .v6].filter(families.contains)
      if result.families.isEmpty { fields.error(at: "families", "`families`: expected ipv4, ipv6 or both") }
    }
    fields.read("extended-next-hop", .boolean, into: &result.extendedNextHop)
    if fields.has("password"), let password = password(fields) { result.password = password }
    fields.read("prefix-limit", .integer(0...10_000_000), into: &result.prefixLimit)
    fields.with("bfd", .bfd) { inner in
      var bfd = result.bfd ?? BFDOptions()
      inner.read("transmit", .duration(atLeast: .milliseconds(5)), into: &bfd.transmit)
      inner.read("receive", .duration(atLeast: .milliseconds(5)), into: &bfd.receive)
      inner.read("multiplier", .integer(1...50), into: &bfd.multiplier)
      inner.read("passive", .boolean, into: &bfd.passive)
      result.bfd = bfd
    }
  }

  /// In place, or in a file. Its value is never repeated in a message.
  private func password(_ fields: Fields) -> String? {
    guard let node = fields["password"] else { return nil }
    var text = node.scalar.flatMap { $0.isNothing ? nil : $0.text }
    if case .map = node.content, let inner = Fields(node, .secret, self, label: "password"),
      let path = inner.value("file", .nonEmpty)
    {
      do {
        text = try secretFile(absolute(path))
      } catch let reason {
        inner.error(at: "file", "`file`: \(absolute(path).shortened) cannot be read: \(reason.reason)")
        return nil
      }
    }
    guard let text, (1...80).contains(text.utf8.count) else {
      fields.error(at: "password", "`password`: expected 1 to 80 bytes, or { file: /path }")
      return nil
    }
    return text
  }

  private func checkSpeakers(_ fields: Fields, _ bgp: BGPTopology) {
    if bgp.speakers.isEmpty, !bgp.announcements.isEmpty { error(fields.place, "`bgp`: expected `speakers`") }
    var seen: Set<BGPSpeaker.Peer> = []
    for speaker in bgp.speakers where !seen.insert(speaker.peer).inserted {
      error(fields.keyPlace("speakers"), "speaker `\(speaker.name)`: another one has the same peer")
    }
    for speaker in bgp.speakers {
      if case .address(let address, _) = speaker.peer, let local = speaker.localAddress,
        local.family != address.family
      {
        error(
          fields.keyPlace("speakers"),
          "speaker `\(speaker.name)`: `local-address` \(local) is not of the family of \(address)")
      }
      if case .secured = speaker.distance, speaker.isInternal(bgp.localAS) {
        // Allowed, but it is a statement about the path, and internal peers are often further than they look.
        continue
      }
    }
  }

  // MARK: Announcements

  private func announcement(_ entry: Node.Entry, _ bgp: BGPTopology, _ topology: Topology) -> BGPAnnouncement? {
    _ = scalar(
      Node(place: entry.keyPlace, content: .scalar(Scalar(text: entry.key, isQuoted: true))), .name,
      label: "announcement")
    guard let fields = Fields(entry.value, .announcement, self, label: entry.key) else { return nil }
    guard let prefixes = fields.list("prefixes", .prefix), !prefixes.isEmpty else {
      if fields.lacks("prefixes") {
        error(entry.keyPlace, "announcement `\(entry.key.shortened)`: expected `prefixes` such as 203.0.113.1/32")
      }
      return nil
    }
    var result = BGPAnnouncement(name: entry.key, prefixes: prefixes)
    terms(fields, into: &result.terms)
    if let node = fields["while"] { result.conditions = conditions(node, topology) }
    fields.with("degrade", .degrade) { inner in
      var degrade = BGPAnnouncement.Degrade(conditions: [], terms: result.terms)
      terms(inner, into: &degrade.terms)
      if let node = inner["while"] {
        degrade.conditions = conditions(node, topology)
      } else if inner.lacks("while") {
        error(inner.place, "`degrade`: expected `while`: what still must hold, below which it is withdrawn")
      }
      if degrade.terms == result.terms {
        error(inner.place, "`degrade`: expected something that makes it less preferred, such as `prepend: 3`")
      }
      result.degrade = degrade
    }
    fields.read("up-after", .duration(atLeast: .zero), into: &result.upAfter)
    fields.read("down-after", .duration(atLeast: .zero), into: &result.downAfter)
    if let names = fields.list("speakers", .nonEmpty) {
      result.speakers = names
      for name in names where !bgp.speakers.contains(where: { $0.name == name }) {
        let meant = Nearest.word(to: name, among: bgp.speakers.map(\.name)).map { "; did you mean `\($0)`?" } ?? ""
        fields.error(at: "speakers", "no speaker `\(name.shortened)`\(meant)")
      }
    }
    fields.read(
      "last-site", .choice([("withdraw", BGPAnnouncement.Guard.off), ("keep", .lastSite)]), into: &result.lastSite)
    return result
  }

  private func terms(_ fields: Fields, into terms: inout BGPTerms) {
    if let hops = fields.list("next-hop", .address) { terms.nextHop = hops }
    let origins = BGPTerms.Origin.allCases.map { ("\($0)", $0) }
    fields.read("origin", .choice(origins), into: &terms.origin)
    fields.read("prepend", .integer(0...64), into: &terms.prepend)
    let number = Kind<Int>.integer(0...Int(UInt32.max))
    if let med = fields.value("med", number) { terms.med = UInt32(med) }
    if let preference = fields.value("local-preference", number) { terms.localPreference = UInt32(preference) }
    if let communities = fields.list("communities", .community) { terms.communities = Set(communities) }
    if let communities = fields.list("extended-communities", .extendedCommunity) {
      terms.extendedCommunities = Set(communities)
    }
    if let communities = fields.list("large-communities", .largeCommunity) { terms.largeCommunities = Set(communities) }
  }

  private func conditions(_ node: Node, _ topology: Topology) -> [BGPAnnouncement.Condition] {
    node.oneOrMany.compactMap { item in
      guard let fields = Fields(item, .condition, self, label: "while"),
        let kind = fields.exactlyOne(of: ["pool", "listener", "vip"], label: "while"),
        let name = fields.value(kind, .nonEmpty)
      else { return nil }
      let known =
        switch kind {
        case "pool": topology.pools.map(\.name)
        case "listener": topology.listeners.map(\.name)
        default: topology.vips.map(\.name)
        }
      if !known.contains(name) {
        let meant = Nearest.word(to: name, among: known).map { "; did you mean `\($0)`?" } ?? ""
        fields.error(at: kind, "no \(kind) `\(name.shortened)`\(meant)")
      }
      var amount = BGPAnnouncement.Condition.Amount.count(1)
      fields.read("healthy", .healthy, into: &amount)
      if kind == "pool", case .count(let count) = amount, let pool = topology.pools.first(where: { $0.name == name }),
        count > pool.backends.count
      {
        fields.error(at: "healthy", "`healthy`: the pool has only \(pool.backends.count) backends")
      }
      guard kind != "vip" else {
        if fields.has("healthy") { fields.error(at: "healthy", "`healthy`: a VIP is here or not") }
        return BGPAnnouncement.Condition(.vip(name))
      }
      return BGPAnnouncement.Condition(kind == "pool" ? .pool(name) : .listener(name), healthy: amount)
    }
  }

  private func checkPrefixes(_ fields: Fields, _ bgp: BGPTopology) {
    var owners: [IPPrefix: String] = [:]
    for announcement in bgp.announcements {
      for prefix in announcement.prefixes {
        if let other = owners.updateValue(announcement.name, forKey: prefix) {
          error(
            fields.keyPlace("announcements"),
            "announcement `\(announcement.name)`: \(prefix) is announced by `\(other)` too")
        }
      }
    }
  }
}

extension IPAddress {
  fileprivate var isLinkLocal: Bool { family == .v6 && high >> 54 == 0x3fa }
}
