import Model
import Wire

/// RFC 1034 §4.3.2 over the zones, with RFC 4592 wildcards, RFC 6672 DNAME and RFC 2308 negative answers.
extension Responder {
  private enum Step {
    case done(ResponseCode)
    /// `name` was replaced by an alias's target, which stands at this offset of the message.
    case next(owner: Int?)
  }

  mutating func resolve(
    _ zones: borrowing Zones, _ view: borrowing DynamicView, _ client: Client, _ places: some PlaceSource,
    _ writer: inout MessageWriter
  ) -> ResponseCode {
    var owner = 12
    var hops = 0
    var seen = [16 of UInt64](repeating: 0)
    var code = ResponseCode.noError
    while true {
      guard var (zone, label) = zones.find(name) else {
        response.isFixed = false
        if hops == 0 {
          // RFC 8914 §4.21: not authoritative.
          response.extendedError = 20
          code = .refused
        }
        break
      }
      // RFC 4035 §3.1.4.1: DS belongs to the parent's side of a cut.
      if query.type == .ds, label == 0, name.labels > 0, let above = zones.find(name, from: 1) { (zone, label) = above }
      if hops == 0 {
        response.isAuthoritative = true
        response.subject = name.hashes[0]
      }
      let step = look(zones, zone, label, owner, view, client, places, &writer)
      if case .done(let result) = step {
        code = result
        break
      }
      guard case .next(let target) = step, let target, hops < min(settings.maximumChain, 16) else { break }
      // A loop of aliases ends where it meets itself; what was found so far is the answer.
      var isLoop = false
      for index in 0..<hops where seen[index] == name.hashes[0] { isLoop = true }
      if isLoop || name.hashes[0] == response.subject { break }
      seen[hops] = name.hashes[0]
      owner = target
      hops += 1
    }
    additional(zones, &writer)
    return code
  }

  private mutating func look(
    _ zones: borrowing Zones, _ index: Int, _ label: Int, _ owner: Int, _ view: borrowing DynamicView, _ client: Client,
    _ places: some PlaceSource, _ writer: inout MessageWriter
  ) -> Step {
    let type = query.type
    var node = zones.list[index].find(name, 0)
    if node >= 0 {
      let cut = Int(zones.list[index].nodes[node].cut)
      if cut >= 0, !(type == .ds && cut == node) { return referral(zones, index, cut, owner, &writer) }
    } else {
      // The closest encloser; the apex at the latest.
      var above = 1
      while above <= label {
        node = zones.list[index].find(name, above)
        if node >= 0 { break }
        above += 1
      }
      guard node >= 0 else { return .done(.serverFailure) }
      let encloser = zones.list[index].nodes[node]
      if encloser.cut >= 0 { return referral(zones, index, Int(encloser.cut), owner, &writer) }
      if encloser.hasDNAME { return substitute(zones, index, node, above, owner, &writer) }
      guard encloser.wildcard >= 0 else {
        negative(zones, index, &writer)
        return .done(.nameError)
      }
      node = Int(encloser.wildcard)
    }
    return data(zones, index, node, owner, view, client, places, &writer)
  }

  private mutating func data(
    _ zones: borrowing Zones, _ index: Int, _ node: Int, _ owner: Int, _ view: borrowing DynamicView, _ client: Client,
    _ places: some PlaceSource, _ writer: inout MessageWriter
  ) -> Step {
    let type = query.type
    let found = zones.list[index].set(type, at: node)
    if found >= 0 {
      if answerSet(zones, index, found, owner, &writer), type.additionalName != nil {
        response.pending = (index, found, -1)
      }
      return .done(.noError)
    }
    let alias = zones.list[index].set(.cname, at: node)
    if alias >= 0, type != .any {
      guard answerSet(zones, index, alias, owner, &writer) else { return .done(.noError) }
      let start = Int(zones.list[index].sets[alias].start) &+ 10
      guard name.load(zones.list[index].pool, at: start) != nil else { return .done(.serverFailure) }
      return .next(owner: writer.lastName)
    }
    let dynamic = Int(zones.list[index].nodes[node].dynamic)
    if dynamic >= 0, type == .a || type == .aaaa || type == .any {
      return .done(made(zones, index, zones.dynamicStarts[index] + dynamic, owner, view, client, places, &writer))
    }
    if type == .any, zones.list[index].nodes[node].setCount > 0 {
      // RFC 8482 §4.1: one of the sets.
      let first = Int(zones.list[index].nodes[node].setStart)
      if answerSet(zones, index, first, owner, &writer) { response.pending = nil }
      return .done(.noError)
    }
    negative(zones, index, &writer)
    return .done(.noError)
  }

  // MARK: Sections

  /// Writes a set into the answer section, whole or not at all; false when it did not fit.
  private mutating func answerSet(
    _ zones: borrowing Zones, _ zone: Int, _ set: Int, _ owner: Int, _ writer: inout MessageWriter
  ) -> Bool {
    let written = write(zones.list[zone].sets[set], zones.list[zone].pool, owner, &writer)
    guard written >= 0 else {
      response.isTruncated = true
      return false
    }
    response.answers &+= UInt16(truncatingIfNeeded: written)
    return true
  }

  /// The number of records, or -1 (and nothing written) when they do not fit.
  private func write(
    _ set: Zone.RecordSet, _ pool: [UInt8], _ owner: Int, _ writer: inout MessageWriter, ttl: UInt32? = nil
  ) -> Int {
    let mark = writer.mark
    var position = Int(set.start)
    let end = Int(set.end)
    var count = 0
    while position < end {
      let length = Int(pool[position &+ 8]) << 8 | Int(pool[position &+ 9])
      writer.record(pool, at: position, length: length, type: set.type, owner: owner, ttl: ttl)
      position &+= 10 &+ length
      count &+= 1
    }
    guard writer.overflowed else { return count }
    writer.rollBack(to: mark)
    return -1
  }

  /// The SOA of the zone in the authority section, with the TTL of negative answers.
  private mutating func negative(_ zones: borrowing Zones, _ zone: Int, _ writer: inout MessageWriter) {
    response.kind = .negative
    response.subject = zones.list[zone].apexHash
    let mark = writer.mark
    writer.name(zones.list[zone].apex.wire, at: 0)
    let set = zones.list[zone].authority
    writer.body(
      zones.list[zone].pool, at: Int(set.start), length: Int(set.end &- set.start) &- 10, type: .soa,
      ttl: zones.list[zone].negativeTTL)
    guard !writer.overflowed else {
      writer.rollBack(to: mark)
      response.isTruncated = true
      return
    }
    response.authorities &+= 1
  }

  private mutating func referral(
    _ zones: borrowing Zones, _ zone: Int, _ cut: Int, _ owner: Int, _ writer: inout MessageWriter
  ) -> Step {
    // After an alias the answer stays authoritative: it speaks of the first name (RFC 1034 §4.3.2).
    if response.answers == 0 { response.isAuthoritative = false }
    response.kind = .referral
    response.subject = zones.list[zone].nodes[cut].hash
    let set = zones.list[zone].set(.ns, at: cut)
    guard set >= 0 else { return .done(.serverFailure) }
    let mark = writer.mark
    let start = Int(zones.list[zone].nodes[cut].nameStart)
    let count = named(zones.list[zone].sets[set], zones.list[zone].pool, zones.list[zone].names, start, &writer)
    guard count >= 0 else {
      writer.rollBack(to: mark)
      response.isTruncated = true
      return .done(.noError)
    }
    response.authorities &+= UInt16(truncatingIfNeeded: count)
    response.pending = (zone, set, cut)
    return .done(.noError)
  }

  /// Writes a set whose owner is a name of the zone; -1 when it does not fit.
  private func named(
    _ set: Zone.RecordSet, _ pool: [UInt8], _ names: [UInt8], _ start: Int, _ writer: inout MessageWriter
  ) -> Int {
    let mark = writer.mark
    var position = Int(set.start)
    var count = 0
    while position < Int(set.end) {
      let length = Int(pool[position &+ 8]) << 8 | Int(pool[position &+ 9])
      writer.name(names, at: start)
      writer.body(pool, at: position, length: length, type: set.type)
      position &+= 10 &+ length
      count &+= 1
    }
    guard writer.overflowed else { return count }
    writer.rollBack(to: mark)
    return -1
  }

  /// RFC 6672 §3.2: the DNAME, and the CNAME that it means for this name.
  private mutating func substitute(
    _ zones: borrowing Zones, _ zone: Int, _ node: Int, _ label: Int, _ owner: Int, _ writer: inout MessageWriter
  ) -> Step {
    let index = zones.list[zone].set(.dname, at: node)
    guard index >= 0 else { return .done(.serverFailure) }
    let set = zones.list[zone].sets[index]
    let start = Int(zones.list[zone].nodes[node].nameStart)
    let mark = writer.mark
    guard named(set, zones.list[zone].pool, zones.list[zone].names, start, &writer) == 1 else {
      writer.rollBack(to: mark)
      response.isTruncated = true
      return .done(.noError)
    }
    response.answers &+= 1
    // The DNAME's own target must not be compressed (§2.5), but others may point to it.
    if other.load(zones.list[zone].pool, at: Int(set.start) + 10) != nil {
      writer.remember(other, at: writer.count - other.length)
    }
    // Off the static path: this name is put together anew.
    let prefix = Int(name.offsets[label])
    var wire = (0..<prefix).map { name.bytes[$0] }
    wire += zones.list[zone].pool[(Int(set.start) + 10)..<Int(set.end)]
    guard wire.count <= Name.maximumLength else { return .done(.nameExists) }
    let alias = writer.mark
    writer.pointer(owner)
    writer.u16(RecordType.cname.rawValue)
    writer.u16(RecordClass.internet.rawValue)
    writer.u32(set.ttl)
    let length = writer.count
    writer.u16(0)
    let target = writer.name(wire, at: 0)
    guard !writer.overflowed, name.load(wire, at: 0) != nil else {
      writer.rollBack(to: alias)
      response.isTruncated = true
      return .done(.noError)
    }
    writer.patch16(at: length, UInt16(truncatingIfNeeded: writer.count - length - 2))
    response.answers &+= 1
    return query.type == .cname ? .done(.noError) : .next(owner: target)
  }

  // MARK: Made answers

  /// The addresses of a balanced set or an alias.
  mutating func made(
    _ zones: borrowing Zones, _ zone: Int, _ index: Int, _ owner: Int, _ view: borrowing DynamicView, _ client: Client,
    _ places: some PlaceSource, _ writer: inout MessageWriter
  ) -> ResponseCode {
    response.isFixed = false
    guard index < view.sets.count, view.sets[index].isKnown else { return .serverFailure }
    var asker = Asker(client.address)
    // RFC 7871 §7.1.2: a source length of 0 asks not to be placed at all.
    if let subnet = query.extensions?.subnet { asker = Asker(subnet.address, length: Int(subnet.source)) }
    let family: IPAddress.Family = query.type == .aaaa ? .v6 : .v4
    let picks = view.sets[index].pick(
      family, for: asker, places: places, turns: &turns, turn: view.turnStarts[index], random: &random)
    if query.extensions?.subnet != nil { response.scope = max(response.scope, picks.scope) }
    let ttl = min(view.sets[index].ttl, zones.dynamicLimits[index])
    guard picks.count > 0 else {
      if owner == 12, writer.knowsNoName { writer.remember(name, at: 12) }
      negative(zones, zone, &writer)
      return .noError
    }
    let mark = writer.mark
    for place in 0..<picks.count {
      let address = view.sets[index].address(picks[place])
      writer.pointer(owner)
      writer.u16((family == .v4 ? RecordType.a : RecordType.aaaa).rawValue)
      writer.u16(RecordClass.internet.rawValue)
      writer.u32(ttl)
      writer.u16(family == .v4 ? 4 : 16)
      if family == .v6 {
        writer.u64(address.high)
        writer.u64(address.low)
      } else {
        writer.u32(UInt32(truncatingIfNeeded: address.low))
      }
    }
    guard !writer.overflowed else {
      writer.rollBack(to: mark)
      response.isTruncated = true
      return .noError
    }
    response.answers &+= UInt16(picks.count)
    return .noError
  }

  // MARK: Additional

  /// Addresses of the names that the last set points to, and where clients of a service look on; glue for referrals.
  private mutating func additional(_ zones: borrowing Zones, _ writer: inout MessageWriter) {
    guard let (zone, index, cut) = response.pending, !response.isTruncated else { return }
    let set = zones.list[zone].sets[index]
    guard let skip = set.type.additionalName else { return }
    var done = [16 of Int32](repeating: -1)
    var count = 0
    var position = Int(set.start)
    while position < Int(set.end) {
      let length = Int(zones.list[zone].pool[position + 8]) << 8 | Int(zones.list[zone].pool[position + 9])
      let start = position + 10 + skip
      position += 10 + length
      guard other.load(zones.list[zone].pool, at: start) != nil else { continue }
      // RFC 9460 §2.5.2: a target "." means the owner itself, which is `name`.
      if other.length == 1, set.type == .svcb || set.type == .https { other.load(name) }
      let node = target(zones, zone)
      guard node >= 0 else { continue }
      var isDone = false
      for place in 0..<count where done[place] == Int32(node) { isDone = true }
      if isDone { continue }
      if count < 16 {
        done[count] = Int32(node)
        count += 1
      }
      // RFC 9471 §3.1: a referral without its glue is truncated, not just shorter.
      let isGlue = cut >= 0 && zones.list[zone].nodes[node].cut == Int32(cut)
      add(.a, zones, zone, node, start, isGlue, &writer)
      add(.aaaa, zones, zone, node, start, isGlue, &writer)
      // RFC 9460 §4.1: the target's own SVCB records, too, unless they are the answer.
      if set.type == .svcb || set.type == .https, zones.list[zone].set(set.type, at: node) != index {
        add(set.type, zones, zone, node, start, false, &writer)
      }
    }
  }

  /// The node that answers for `other` in a zone, perhaps a wildcard; -1 when there is none.
  private func target(_ zones: borrowing Zones, _ zone: Int) -> Int {
    var label = 0
    while label <= other.labels {
      let node = zones.list[zone].find(other, label)
      if node >= 0 { return label == 0 ? node : Int(zones.list[zone].nodes[node].wildcard) }
      label += 1
    }
    return -1
  }

  private mutating func add(
    _ type: RecordType, _ zones: borrowing Zones, _ zone: Int, _ node: Int, _ name: Int, _ isGlue: Bool,
    _ writer: inout MessageWriter
  ) {
    let index = zones.list[zone].set(type, at: node)
    guard index >= 0 else { return }
    let set = zones.list[zone].sets[index]
    // The target's own text is the owner; for "." that is the name asked for.
    let isSelf = zones.list[zone].pool[name] == 0
    let written =
      isSelf
      ? write(set, zones.list[zone].pool, 12, &writer)
      : named(set, zones.list[zone].pool, zones.list[zone].pool, name, &writer)
    guard written >= 0 else {
      if isGlue { response.isTruncated = true }
      return
    }
    response.additionals &+= UInt16(truncatingIfNeeded: written)
  }
}
