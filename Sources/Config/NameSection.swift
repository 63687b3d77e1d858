import DNS
import Model

/// Reads `dns`: the service, and the pools that watch addresses which no other pool names.
struct NameReader {
  private(set) var service = NameService()
  private(set) var watching: [Pool] = []
  let reader: Reader
  let pools: [Pool]
  /// Names of sites, which `from` may mean.
  private var sites: Set<String> = []
  /// Zones that are right, and where the configuration has them.
  private var readings: [(reading: ZoneReading, place: Place, isInline: Bool)] = []

  init(reader: Reader, pools: [Pool], fields: Fields) {
    self.reader = reader
    self.pools = pools
    read(fields)
  }

  private mutating func read(_ fields: Fields) {
    service.binds = fields.list("listen", .nameEndpoint) ?? []
    if fields.lacks("listen") { reader.error(fields.place, "`dns`: expected `listen`: addresses such as 0.0.0.0:53") }
    for (index, bind) in service.binds.enumerated() {
      let place = fields["listen"]?.oneOrMany[index].place ?? fields.place
      reader.boundAddresses.append((.ip(bind), true, place))
      reader.boundAddresses.append((.ip(bind), false, place))
    }
    fields.read("workers", .integer(1...1024), into: &service.workers)
    fields.read("version", .characterString, into: &service.version)
    fields.read("nsid", .characterString, into: &service.serverID)
    fields.read("cookies", .boolean, into: &service.cookies)
    fields.read("edns-buffer", .integer(512...4096), into: &service.udpLimit)
    service.databases = (fields.list("geo", .nonEmpty) ?? []).map { reader.database($0) }
    fields.read("resolver", .nameEndpoint, into: &service.resolver)
    fields.with("tcp", .nameStreams) { tcp in
      tcp.read("idle", .duration(), into: &service.tcp.idle)
      tcp.read("connections", .integer(1...1_000_000), into: &service.tcp.connections)
    }
    fields.with("tls", .nameTLS) { secure($0) }
    fields.with("rate-limit", .responseRate) { rate in
      var limit = ResponseRate()
      rate.read("responses", .integer(1...1_000_000), into: &limit.responses)
      rate.read("slip", .integer(0...100), into: &limit.slip)
      rate.read("window", .duration(atLeast: .seconds(1)), into: &limit.window)
      rate.read("prefix-v4", .integer(1...32), into: &limit.prefixV4)
      rate.read("prefix-v6", .integer(1...128), into: &limit.prefixV6)
      service.rateLimit = limit
    }
    for entry in fields.names("keys") { key(entry) }
    let siteEntries = fields.names("sites")
    sites = Set(siteEntries.map(\.key))
    for entry in siteEntries { site(entry) }
    for entry in fields.names("names") { name(entry) }
    zones(fields)
  }

  private mutating func secure(_ fields: Fields) {
    let binds = fields.list("listen", .nameEndpoint) ?? []
    if fields.lacks("listen") {
      reader.error(fields.place, "`tls`: expected `listen`: addresses such as 0.0.0.0:\(SecureNames.port)")
    }
    for (index, bind) in binds.enumerated() {
      let place = fields["listen"]?.oneOrMany[index].place ?? fields.place
      reader.boundAddresses.append((.ip(bind), false, place))
    }
    guard var tls = reader.serverTLS(fields) else { return }
    tls.protocols = [SecureNames.protocolName]
    service.secure = SecureNames(binds: binds, tls: tls)
  }

  // MARK: Keys and sites

  private mutating func key(_ entry: Node.Entry) {
    guard Name(entry.key) != nil else {
      return reader.error(entry.keyPlace, "`keys`: expected a domain name, found `\(entry.key.shortened)`")
    }
    guard let fields = Fields(entry.value, .transactionKey, reader, label: entry.key) else { return }
    var algorithm = TransactionKey.Algorithm.sha256
    fields.read("algorithm", .word, into: &algorithm)
    guard let text = reader.secret(fields, "secret") else {
      if fields.lacks("secret") { reader.error(fields.place, "`\(entry.key)`: expected `secret`, in base64") }
      return
    }
    guard let secret = Base64.decode(Array(text.utf8)), !secret.isEmpty else {
      return fields.error(at: "secret", "`secret`: expected base64")
    }
    service.keys.append(TransactionKey(name: entry.key, algorithm: algorithm, secret: secret))
  }

  private mutating func site(_ entry: Node.Entry) {
    let name = entry.key
    let scalar = Node(place: entry.keyPlace, content: .scalar(Scalar(text: name, isQuoted: true)))
    _ = reader.scalar(scalar, .name, label: "site")
    guard let fields = Fields(entry.value, .site, reader, label: name) else { return }
    let places = fields.list("addresses", .nameAddress) ?? []
    if places.isEmpty, fields.lacks("addresses") {
      reader.error(fields.place, "site `\(name.shortened)`: expected `addresses`")
    }
    var site = Site(name: name, addresses: places.map(\.address))
    site.nodes = fields.list("nodes", .name) ?? []
    fields.read("quorum", .integer(1...1000), into: &site.quorum)
    fields.read("stale-after", .duration(), into: &site.staleAfter)
    fields.read("when-stale", .word, into: &site.whenStale)
    fields.read("up-after", .duration(atLeast: .zero), into: &site.upAfter)
    if pools.contains(where: { $0.name == name }) {
      reader.error(entry.keyPlace, "`\(name.shortened)` is a pool too, so that `from` could mean both")
    }
    service.sites.append(site)
    watch(places, fields["probe"], pool: site.pool, fields)
  }

  /// A pool whose probes watch these addresses, in the order of reading.
  private mutating func watch(_ places: [NamePlace], _ probe: Node?, pool name: String, _ fields: Fields) {
    guard !places.isEmpty else { return }
    let probe = probe.flatMap(reader.probe)
    var seen: Set<IPAddress> = []
    var backends: [Backend] = []
    for place in places where seen.insert(place.address).inserted {
      if probe?.kind.needsPort == true, place.port == nil {
        fields.error(at: "probe", "`probe`: \(place.address) needs a port to be probed, as in \(place.example)")
        return
      }
      var backend = Backend(
        name: place.address.description, address: .ip(Endpoint(place.address, place.port ?? 1)))
      backend.weight = 100
      backends.append(backend)
    }
    var pool = Pool(name: name, backends: backends)
    pool.probe = probe
    watching.append(pool)
  }

  // MARK: Names

  private mutating func name(_ entry: Node.Entry) {
    guard let parsed = Name(entry.key), !entry.key.isEmpty else {
      return reader.error(entry.keyPlace, "`names`: expected a domain name, found `\(entry.key.shortened)`")
    }
    guard let fields = Fields(entry.value, .balancedName, reader, label: entry.key) else { return }
    let text = parsed.lowercased.description
    var own: [NamePlace] = []
    let root = group(fields, text, &own)
    var result = BalancedName(name: text, root: root)
    fields.read("answers", .integer(1...16), into: &result.answers)
    fields.read("shuffle", .boolean, into: &result.shuffle)
    fields.read("panic-threshold", .share(), into: &result.panicThreshold)
    fields.read("fallback", .word, into: &result.fallback)
    fields.read("settle", .duration(atLeast: .zero), into: &result.settle)
    fields.read("prefix-v4", .integer(0...32), into: &result.prefixV4)
    fields.read("prefix-v6", .integer(0...128), into: &result.prefixV6)
    fields.with("ttl", .nameTTL) { ttl in
      var (least, most) = (Duration.seconds(result.shortestTTL), Duration.seconds(result.longestTTL))
      ttl.read("min", .duration(atLeast: .zero), into: &least)
      ttl.read("max", .duration(atLeast: .zero), into: &most)
      result.shortestTTL = Int(least.components.seconds)
      result.longestTTL = Int(most.components.seconds)
      if least > most { ttl.error(at: "min", "`min`: longer than `max` (\(Units.text(most)))") }
    }
    if service.names.contains(where: { $0.name == text }) {
      reader.error(entry.keyPlace, "the name `\(text)` is given twice")
    }
    service.names.append(result)
    if fields.has("probe") { watch(own, fields["probe"], pool: BalancedName.pool(of: text), fields) }
  }

  private mutating func group(_ fields: Fields, _ name: String, _ own: inout [NamePlace]) -> NameGroup {
    var policy = NameGroup.Policy.roundRobin
    fields.read("balance", .word, into: &policy)
    guard let node = fields["from"] else {
      if fields.lacks("from") {
        reader.error(fields.place, "expected `from`: a list of pools, sites, addresses or further choices")
      }
      return NameGroup(policy, [])
    }
    var choices: [NameChoice] = []
    for item in node.oneOrMany { if let choice = choice(item, policy, name, &own) { choices.append(choice) } }
    if node.oneOrMany.isEmpty { reader.error(node.place, "`from`: expected at least one choice, found an empty list") }
    return NameGroup(policy, choices)
  }

  private mutating func choice(
    _ node: Node, _ policy: NameGroup.Policy, _ name: String, _ own: inout [NamePlace]
  ) -> NameChoice? {
    guard case .map = node.content else {
      guard let text = node.scalar?.text, !text.isEmpty else {
        reader.error(node.place, "`from`: expected a pool, a site, an address or a mapping, found \(node.found)")
        return nil
      }
      return NameChoice(target(text, node, name, &own))
    }
    guard let fields = Fields(node, .nameChoice, reader, label: "from") else { return nil }
    guard let kind = fields.exactlyOne(of: ["address", "pool", "site", "from"], label: "from") else { return nil }
    let target: NameChoice.Target?
    switch kind {
    case "from": target = .group(group(fields, name, &own))
    case "pool":
      target = fields.value(kind, .nonEmpty).map { pool in
        reader.namedPools.append((pool, fields[kind]?.place ?? fields.place))
        return .pool(pool)
      }
    case "site":
      target = fields.value(kind, .nonEmpty).flatMap { site in
        if sites.contains(site) { return .site(site) }
        let meant = Nearest.word(to: site, among: Array(sites)).map { "; did you mean `\($0)`?" } ?? ""
        fields.error(at: kind, "no site `\(site.shortened)`\(meant)")
        return nil
      }
    default:
      target = fields.value(kind, .nameAddress).map { place in address(place, name, &own) }
    }
    guard let target else { return nil }
    var result = NameChoice(target)
    fields.read("weight", .integer(1...65_535), into: &result.weight)
    matches(fields, policy, &result)
    return result
  }

  private mutating func target(
    _ text: String, _ node: Node, _ name: String, _ own: inout [NamePlace]
  ) -> NameChoice.Target {
    if let place = NamePlace(text) { return address(place, name, &own) }
    if sites.contains(text) { return .site(text) }
    reader.namedPools.append((text, node.place))
    return .pool(text)
  }

  /// An address is watched by the name's own probe, else by the first pool that names it.
  private func address(_ place: NamePlace, _ name: String, _ own: inout [NamePlace]) -> NameChoice.Target {
    own.append(place)
    return .address(place.address, BackendKey(pool: BalancedName.pool(of: name), backend: "\(place.address)"))
  }

  private func matches(_ fields: Fields, _ policy: NameGroup.Policy, _ choice: inout NameChoice) {
    for country in fields.list("country", .twoLetters) ?? [] { choice.matches.append(.country(country)) }
    for continent in fields.list("continent", .twoLetters) ?? [] { choice.matches.append(.continent(continent)) }
    for system in fields.list("asn", .integer(1...4_294_967_295)) ?? [] {
      choice.matches.append(.system(UInt32(clamping: system)))
    }
    if fields.has("near") {
      let near = fields.list("near", .degrees) ?? []
      if near.count == 2 {
        choice.matches.append(.near(near[0], near[1]))
      } else if case .list = fields["near"]?.content {
        fields.error(at: "near", "`near`: expected two numbers: latitude and longitude in degrees")
      }
    }
    for network in fields.list("network", .prefix) ?? [] { choice.matches.append(.network(network)) }
    for key in ["country", "continent", "asn", "near"] where fields.has(key) && policy != .geo {
      fields.error(at: key, "`\(key)`: decides only in a group with `balance: geo`, not \(policy.rawValue)")
    }
    if fields.has("network"), policy != .latency {
      fields.error(
        at: "network", "`network`: decides only in a group with `balance: prefix-map`, not \(policy.rawValue)")
    }
  }
}

// MARK: Zones

extension NameReader {
  fileprivate mutating func zones(_ fields: Fields) {
    let entries = fields.names("zones")
    if entries.isEmpty, fields.lacks("zones") { reader.error(fields.place, "`dns`: expected `zones`") }
    let apexes = entries.compactMap { Name($0.key) }
    var owners: [Name: [String: String]] = [:]
    for balanced in service.names {
      guard let owner = Name(balanced.name) else { continue }
      let holder = apexes.filter { owner.isWithin($0) }.max { $0.labelCount < $1.labelCount }
      if let holder {
        owners[holder, default: [:]][balanced.name] = balanced.name
      } else if !entries.isEmpty {
        let place = fields.names("names").first { Name($0.key) == owner }?.keyPlace
        reader.error(place ?? fields.place, "no zone here holds the name `\(balanced.name)`")
      }
    }
    for entry in entries {
      guard let apex = Name(entry.key), !entry.key.isEmpty else {
        reader.error(entry.keyPlace, "`zones`: expected a domain name, found `\(entry.key.shortened)`")
        continue
      }
      guard !service.zones.contains(where: { Name($0.name) == apex }) else {
        reader.error(entry.keyPlace, "the zone `\(apex)` is given twice")
        continue
      }
      if let zone = zone(entry, apex, owners[apex] ?? [:]) { service.zones.append(zone) }
    }
    // Within a zone its own checks see them.
    for circle in ZoneDeparture.circles(readings.map(\.reading)) {
      report(circle.warning, readings[circle.zone].place, isInline: readings[circle.zone].isInline)
    }
    readings = []
  }

  private mutating func zone(_ entry: Node.Entry, _ apex: Name, _ balanced: [String: String]) -> ZoneSource? {
    guard let fields = Fields(entry.value, .zone, reader, label: entry.key),
      let kind = fields.exactlyOne(of: ["file", "records"], label: entry.key)
    else { return nil }
    guard var source = kind == "file" ? file(fields, apex) : inline(fields, apex) else { return nil }
    source.balanced = balanced
    fields.with("transfer", .transfer) { transfer in
      source.transfer.allow = transfer.list("allow", .prefix) ?? []
      source.transfer.keys = transfer.list("keys", .nonEmpty) ?? []
      source.transfer.notify = transfer.list("notify", .nameEndpoint) ?? []
      transfer.read("tls-only", .boolean, into: &source.transfer.secureOnly)
      if source.transfer.secureOnly, service.secure == nil {
        transfer.error(at: "tls-only", "`tls-only`: `dns` has no `tls`, so nobody could have the zone")
      }
      for key in source.transfer.keys where !service.keys.contains(where: { Name($0.name) == Name(key) }) {
        let meant = Nearest.word(to: key, among: service.keys.map(\.name)).map { "; did you mean `\($0)`?" } ?? ""
        transfer.error(at: "keys", "no key `\(key.shortened)`\(meant)")
      }
    }
    fields.with("dnssec", .signing) { source.signing = signing($0) }
    let place = fields[kind]?.place ?? fields.place
    let directory = source.file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
      separator: "/")
    do throws(ZoneErrors) {
      let reading = try Zone.read(&source) { name in
        kind == "file" ? try? reader.zoneFile(name.hasPrefix("/") ? name : "\(directory)/\(name)") : nil
      }
      for warning in reading.warnings { report(warning, place, isInline: kind == "records") }
      readings.append((reading, place, kind == "records"))
    } catch {
      for diagnostic in error.diagnostics { report(diagnostic, place, isInline: kind == "records") }
    }
    return source
  }

  private func report(_ diagnostic: ZoneDiagnostic, _ place: Place, isInline: Bool) {
    let severity: Diagnostic.Severity = diagnostic.severity == .error ? .error : .warning
    guard isInline else {
      return reader.elsewhere(
        diagnostic.place.file, Place(diagnostic.place.line, diagnostic.place.column), severity, diagnostic.text)
    }
    let text = "records, line \(diagnostic.place.line), column \(diagnostic.place.column): \(diagnostic.text)"
    if severity == .error { reader.error(place, text) } else { reader.warning(place, text) }
  }

  private func inline(_ fields: Fields, _ apex: Name) -> ZoneSource? {
    guard let text = fields.value("records", .text) else { return nil }
    return ZoneSource(
      name: apex.description, file: reader.file, texts: [ZoneText(path: reader.file, bytes: Array(text.utf8))])
  }

  private func file(_ fields: Fields, _ apex: Name) -> ZoneSource? {
    guard let given = fields.value("file", .nonEmpty) else { return nil }
    let path = reader.absolute(given)
    let bytes: [UInt8]
    do {
      bytes = try reader.zoneFile(path)
    } catch {
      fields.error(at: "file", "`file`: \(path.shortened) cannot be read: \(error.reason)")
      return nil
    }
    return ZoneSource(name: apex.description, file: path, texts: [ZoneText(path: path, bytes: bytes)])
  }

  private func signing(_ fields: Fields) -> ZoneSigning? {
    guard let path = fields.value("key", .nonEmpty) else {
      if fields.lacks("key") { reader.error(fields.place, "`dnssec`: expected `key`: the private key's file") }
      return nil
    }
    do {
      var signing = ZoneSigning(keyFile: reader.absolute(path), pem: try reader.secretFile(reader.absolute(path)))
      fields.read("denial", .word, into: &signing.denial)
      fields.read("validity", .duration(atLeast: .seconds(3600)), into: &signing.validity)
      return signing
    } catch let reason {
      fields.error(at: "key", "`key`: \(reader.absolute(path).shortened) cannot be read: \(reason.reason)")
      return nil
    }
  }
}
