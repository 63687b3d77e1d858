import Model

/// A VIP and the places that later checks point at.
struct ReadVIP {
  var vip: VIP
  var place: Place
  var fields: Fields
  /// Where each track stands, in the VIP's order.
  var trackPlaces: [Place]
}

extension Reader {
  func vip(_ entry: Node.Entry) -> ReadVIP? {
    let name = entry.key
    _ = scalar(Node(place: entry.keyPlace, content: .scalar(Scalar(text: name, isQuoted: true))), .name, label: "vip")
    guard let fields = Fields(entry.value, .vip, self, label: name) else { return nil }
    for key in ["interface", "addresses", "router-id"] where fields.lacks(key) {
      error(entry.keyPlace, "vip `\(name.shortened)`: expected `\(key)`")
    }
    var result = VIP(
      name: name, interface: fields.value("interface", .interface) ?? "",
      addresses: fields.list("addresses", .vipAddress) ?? [],
      virtualRouter: fields.value("router-id", .integer(1...255)) ?? 1)
    result.companions = fields.list("companions", .vipAddress) ?? []
    fields.read("version", .choice([("2", VIP.Version.v2), ("3", .v3)]), into: &result.version)
    fields.read("priority", .integer(1...255), into: &result.priority)
    fields.read("interval", .duration(atLeast: .milliseconds(10)), into: &result.interval)
    fields.read("preempt", .boolean, into: &result.preempts)
    fields.read("preempt-delay", .duration(atLeast: .zero), into: &result.preemptDelay)
    result.peers = fields.list("peers", .address) ?? []
    result.source = fields.value("source", .address)
    fields.read("hop-limit", .integer(1...255), into: &result.minimumHopLimit)
    fields.read("checksum", .choice([("pseudo-header", true), ("plain", false)]), into: &result.sumsPseudoHeader)
    result.password = fields.value("password", .simplePassword)
    result.keys = keys(fields)
    fields.read("virtual-mac", .boolean, into: &result.usesVirtualMAC)
    result.group = fields.value("group", .nonEmpty)
    fields.with("announce", .announce) { announce in
      announce.read("count", .integer(1...100), into: &result.announcing.count)
      announce.read("delay", .durationOrNever, into: &result.announcing.delay)
      announce.read("refresh", .durationOrNever, into: &result.announcing.refresh)
    }
    let tracks = tracks(fields)
    result.tracks = tracks.map(\.track)
    if fields.has("addresses"), fields.has("interface") { contradictions(result, fields) }
    return ReadVIP(vip: result, place: entry.keyPlace, fields: fields, trackPlaces: tracks.map(\.place))
  }

  private func keys(_ fields: Fields) -> [AdvertKey] {
    guard let node = fields["keys"] else { return [] }
    guard case .list(let items) = node.content, !items.isEmpty else {
      error(node.place, "`keys`: expected a list of { id, secret }, found \(node.found)")
      return []
    }
    var result: [AdvertKey] = []
    for item in items {
      guard let key = Fields(item, .advertKey, self, label: "keys") else { continue }
      for needed in ["id", "secret"] where key.lacks(needed) { error(item.place, "`keys`: expected `\(needed)`") }
      guard let id = key.value("id", .integer(0...255)), let secret = secret(key, "secret") else { continue }
      if result.contains(where: { $0.id == id }) { key.error(at: "id", "`id`: the key \(id) is given twice") }
      result.append(AdvertKey(id: id, secret: secret))
    }
    return result
  }

  private func tracks(_ fields: Fields) -> [(track: VIPTrack, place: Place)] {
    guard let node = fields["track"] else { return [] }
    guard case .list(let items) = node.content else {
      error(node.place, "`track`: expected a list of mappings, found \(node.found)")
      return []
    }
    return items.compactMap { item in
      guard let fields = Fields(item, .track, self, label: "track"),
        let kind = fields.exactlyOne(of: ["pool", "interface", "listener", "script"], label: "track")
      else { return nil }
      if kind != "script" {
        for key in ["every", "timeout", "rise", "fall"] where fields.has(key) {
          error(fields.keyPlace(key), "`\(key)`: only a `script` is run by a timer")
        }
      }
      let weight = fields.value("weight", .trackWeight)
      guard let subject = subject(kind, fields) else { return nil }
      return (VIPTrack(subject, weight.map { .weight($0) } ?? .fault), item.place)
    }
  }

  private func subject(_ kind: String, _ fields: Fields) -> VIPTrack.Subject? {
    switch kind {
    case "pool": return fields.value(kind, .nonEmpty).map { .pool($0) }
    case "interface": return fields.value(kind, .interface).map { .interface($0) }
    case "listener": return fields.value(kind, .nonEmpty).map { .listener($0) }
    default:
      guard let node = fields[kind], let program = exec(node, label: "script") else { return nil }
      var probe = Probe(kind: program)
      fields.read("every", .duration(atLeast: .milliseconds(100)), into: &probe.every)
      fields.read("timeout", .duration(), into: &probe.timeout)
      fields.read("rise", .integer(1...1_000), into: &probe.rise)
      fields.read("fall", .integer(1...1_000), into: &probe.fall)
      return .script(probe)
    }
  }

  /// What the protocol cannot say.
  private func contradictions(_ vip: VIP, _ fields: Fields) {
    let families = Set(vip.addresses.map(\.address.family))
    func refuse(_ isWrong: Bool, _ key: String, _ text: String) {
      if isWrong { fields.error(at: key, "`\(key)`: \(text)") }
    }
    refuse(families.count > 1, "addresses", "one advert holds one family; the other one's go to `companions`")
    refuse(vip.addresses.count > 255, "addresses", "one advert holds 255; the rest goes to `companions`")
    let all = (vip.addresses + vip.companions).map(\.address)
    refuse(Set(all).count != all.count, "addresses", "an address is given twice")
    refuse(vip.source.map { all.contains($0) } ?? false, "source", "it moves, and adverts need an address that stays")
    refuse(vip.peers.contains { $0.family != vip.family }, "peers", "a peer of another family than the addresses")
    refuse(vip.source.map { $0.family != vip.family } ?? false, "source", "of another family than the addresses")
    refuse(vip.peers.isEmpty && vip.minimumHopLimit != 255, "hop-limit", "less than 255 is for unicast `peers` only")
    refuse(vip.usesVirtualMAC && !vip.peers.isEmpty, "virtual-mac", "unicast peers tell switches nothing of it")
    refuse(vip.priority == 255 && !vip.preempts, "preempt", "priority 255, the owner, always preempts (RFC 9568 6.1)")
    let milliseconds = vip.interval.milliseconds
    switch vip.version {
    case .v2:
      refuse(vip.family == .v6, "version", "2 knows IPv4 only")
      refuse(
        milliseconds % 1000 != 0 || milliseconds > 255_000, "interval", "version 2 counts whole seconds, up to 255s")
      refuse(!vip.keys.isEmpty, "keys", "signed adverts are version 3's; version 2 has `password`")
    case .v3:
      refuse(
        milliseconds % 10 != 0 || milliseconds > 40_950, "interval", "version 3 counts in steps of 10ms, up to 40950ms")
      refuse(vip.password != nil, "password", "version 3 has none; Sluice nodes can sign with `keys`")
    }
  }

  /// Names that point nowhere, and virtual routers that would be one on the wire.
  func checkVIPs(_ vips: [ReadVIP], listeners: [String], pools: [String]) {
    struct Wire: Hashable { var interface: String, family: IPAddress.Family, router: Int }
    struct Owned: Hashable { var interface: String, address: IPAddress }
    var routers: [Wire: Place] = [:]
    var owned: [Owned: Place] = [:]
    for read in vips {
      let vip = read.vip
      for (track, place) in zip(vip.tracks, read.trackPlaces) {
        switch track.subject {
        case .pool(let name): unknown(name, "pool", pools, place)
        case .listener(let name): unknown(name, "listener", listeners, place)
        default: break
        }
      }
      guard !vip.interface.isEmpty else { continue }
      let wire = Wire(interface: vip.interface, family: vip.family, router: vip.virtualRouter)
      if let first = routers.updateValue(read.place, forKey: wire) {
        read.fields.error(
          at: "router-id", "`router-id`: \(vip.virtualRouter) is taken on \(vip.interface) by another vip",
          notes: [.init(place: first, message: "the other one")])
      }
      for address in (vip.addresses + vip.companions).map(\.address) {
        if let first = owned.updateValue(read.place, forKey: Owned(interface: vip.interface, address: address)) {
          error(
            read.place, "\(address) belongs to another vip of \(vip.interface)",
            notes: [.init(place: first, message: "the other one")])
        }
      }
    }
  }

  private func unknown(_ name: String, _ what: String, _ known: [String], _ place: Place) {
    guard !known.contains(name) else { return }
    let meant = Nearest.word(to: name, among: known).map { "; did you mean `\($0)`?" } ?? ""
    error(place, "no \(what) `\(name.shortened)`\(meant)")
  }
}

extension Kind<String> {
  /// A network interface's name: at most 15 bytes.
  static var interface: Kind {
    Kind("an interface's name of at most 15 bytes") { text in
      (1...15).contains(text.utf8.count)
        && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") } ? text : nil
    }
  }

  /// RFC 2338: eight bytes in the clear.
  static var simplePassword: Kind {
    Kind("text of 1 to 8 bytes") { scalar in
      !scalar.isNothing && (1...8).contains(scalar.text.utf8.count) ? .value(scalar.text) : .wrong()
    }
  }
}

extension Kind<VIPAddress> {
  static var vipAddress: Kind {
    Kind("an address such as 192.0.2.10, 192.0.2.10/24 or 2001:db8::10") { text in
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard let address = IPAddress(String(parts[0])), address.isHost, parts.count <= 2 else { return nil }
      guard parts.count == 2 else { return VIPAddress(address) }
      guard let length = Units.number(parts[1]), (1...Int64(address.width)).contains(length) else { return nil }
      return VIPAddress(address, prefixLength: Int(length))
    }
  }
}

extension Kind<Int> {
  static var trackWeight: Kind {
    Kind("a whole number from -254 to 254 that is not 0") { scalar in
      guard !scalar.isQuoted, let value = Int(scalar.text), (-254...254).contains(value), value != 0,
        scalar.text.first != "+"
      else { return .wrong() }
      return .value(value)
    }
  }
}

extension Kind<Duration?> {
  static var durationOrNever: Kind {
    Kind("a duration of at least 100ms such as 5s, or never") { scalar in
      if scalar.text == "never" { return .value(nil) }
      guard let value = Units.duration(scalar.text), value >= .milliseconds(100) else { return .wrong() }
      return .value(value)
    }
  }
}

extension Topology {
  /// A listener on a VIP's address listens wherever the VIP is now.
  mutating func markMovingBinds() {
    let moving = Set(vips.flatMap { ($0.addresses + $0.companions).map(\.address) })
    guard !moving.isEmpty else { return }
    for listener in listeners.indices {
      for bind in listeners[listener].binds.indices {
        guard case .ip(let endpoint) = listeners[listener].binds[bind].address else { continue }
        listeners[listener].binds[bind].isMoving = moving.contains(endpoint.address)
      }
    }
  }
}
