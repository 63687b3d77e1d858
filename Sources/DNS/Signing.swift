import Model
import Wire

/// Signs an answer that is written already, for clients that ask for it (RFC 4035 §3.1).
///
/// What a wildcard or a policy made up is signed as if it stood in the zone under the name that was asked for, so it
/// needs no proof that nothing closer exists. Off the static path: this takes the message apart, and allocates.
extension Responder {
  /// - Returns: the response code, which compact denial changes.
  mutating func sign(
    _ code: ResponseCode, _ zones: borrowing Zones, at moment: Moment, into writer: inout MessageWriter
  ) -> ResponseCode {
    guard zones.isSigned, let body = response.body, !response.isTruncated, code == .noError || code == .nameError
    else { return code }
    writer.header(query.id, 0, 1, response.answers, response.authorities, response.additionals)
    guard let message = try? Message(writer.message) else { return code }
    var answers: [Record] = []
    var authorities: [Record] = []
    var result = code
    var isSigned = false

    for set in Responder.sets(message.answers) {
      answers += set
      // RFC 6672 §5.3.1: what a DNAME means is not signed, the DNAME is.
      if set[0].type == .cname, message.answers.contains(where: { $0.type == .dname && set[0].name.isBelow($0.name) }) {
        continue
      }
      if let signature = signature(of: set, zones, moment) {
        answers.append(signature)
        isSigned = true
      }
    }
    for set in Responder.sets(message.authorities) {
      authorities += set
      switch set[0].type {
      case .soa:
        guard let zone = index(of: set[0].name, zones), zones.signers[zone] != nil else { break }
        isSigned = true
        let proofs = denial(of: zones, zone, &result, moment)
        if query.type == .nsec, result == .noError, proofs.first?.name == name.suffix(0) {
          // It was asked for, and would deny itself.
          authorities.removeLast(set.count)
          answers += proofs
          break
        }
        if let signature = signature(of: set, zones, moment) { authorities.append(signature) }
        authorities += proofs
      case .ns:
        guard let zone = index(of: set[0].name, zones, above: true), zones.signers[zone] != nil else { break }
        isSigned = true
        authorities += delegation(set[0].name, zones, zone, moment)
      default: if let signature = signature(of: set, zones, moment) { authorities.append(signature) }
      }
    }
    guard isSigned else { return code }

    writer.rollBack(to: body)
    response.empty()
    writer.remember(name: message.questions.first?.name)
    for record in answers + authorities { writer.record(record) }
    guard !writer.overflowed else {
      writer.rollBack(to: body)
      response.isTruncated = true
      return result
    }
    response.answers = UInt16(clamping: answers.count)
    response.authorities = UInt16(clamping: authorities.count)
    let isReferral = answers.isEmpty && authorities.contains { $0.type == .ns }
    for record in message.additionals {
      let mark = writer.mark
      writer.record(record)
      guard writer.overflowed else {
        response.additionals &+= 1
        continue
      }
      writer.rollBack(to: mark)
      // RFC 9471: glue is not optional.
      if isReferral { response.isTruncated = true }
      break
    }
    return result
  }

  /// Neighbours of one owner and type.
  private static func sets(_ records: [Record]) -> [[Record]] {
    var sets: [[Record]] = []
    for record in records {
      if let last = sets.last?.first, last.name == record.name, last.type == record.type {
        sets[sets.count - 1].append(record)
      } else {
        sets.append([record])
      }
    }
    return sets
  }

  /// The zone that holds a name; with `above`, the one that delegates it.
  private mutating func index(of owner: Name, _ zones: borrowing Zones, above: Bool = false) -> Int? {
    guard other.load(owner.wire, at: 0) != nil else { return nil }
    return zones.find(other, from: above && other.labels > 0 ? 1 : 0)?.zone
  }

  private mutating func signature(of set: [Record], _ zones: borrowing Zones, _ moment: Moment) -> Record? {
    guard let zone = index(of: set[0].name, zones, above: set[0].type == .ds), let signer = zones.signers[zone] else {
      return nil
    }
    return signer.signature(of: set, zone: zones.list[zone].apex, at: moment.unixSeconds, &signatures)
  }

  // MARK: What is not there

  /// The proof that `name` does not exist or does not have the type.
  private mutating func denial(
    of zones: borrowing Zones, _ zone: Int, _ code: inout ResponseCode, _ moment: Moment
  ) -> [Record] {
    guard let signer = zones.signers[zone] else { return [] }
    let ttl = zones.list[zone].negativeTTL
    let asked = name.suffix(0)
    var node = zones.list[zone].find(name, 0)
    var isWildcard = false
    if node < 0, code == .noError {
      var label = 1
      while label <= name.labels, node < 0 {
        let above = zones.list[zone].find(name, label)
        if above >= 0 {
          node = Int(zones.list[zone].nodes[above].wildcard)
          break
        }
        label += 1
      }
      isWildcard = true
    }
    var proofs: [Record] = []
    switch signer.denial {
    case .compact:
      if code == .nameError {
        // RFC 9824 §3.1: the name is said to exist, with NXNAME alone. With CO the code may still be NXDOMAIN (§5.1).
        proofs.append(Record.nsec(asked, next: asked.after, types: [.rrsig, .nsec, .nxname], ttl: ttl))
        if !(query.extensions?.compactOK ?? false) { code = .noError }
      } else {
        proofs.append(
          Record.nsec(asked, next: asked.after, types: types(zones, zone, node) + [.rrsig, .nsec], ttl: ttl))
      }
    case .nsec:
      if isWildcard, node >= 0 {
        proofs.append(
          Record.nsec(asked, next: asked.after, types: types(zones, zone, node) + [.rrsig, .nsec], ttl: ttl))
      } else {
        var names = [asked]
        if code == .nameError {
          // RFC 4035 §3.1.3.2: and no wildcard either, at the closest encloser.
          var label = 1
          while label < name.labels, zones.list[zone].find(name, label) < 0 { label += 1 }
          if let wildcard = Name.wildcard.appending(name.suffix(label)) { names.append(wildcard) }
        }
        for name in names {
          let proof = link(zones, zone, name, ttl)
          if !proofs.contains(proof) { proofs.append(proof) }
        }
      }
    }
    var result: [Record] = []
    for proof in proofs {
      result.append(proof)
      if let signature = signer.signature(
        of: [proof], zone: zones.list[zone].apex, at: moment.unixSeconds, &signatures)
      {
        result.append(signature)
      }
    }
    return result
  }

  /// The NSEC record of the chain that is at a name or covers it.
  private func link(_ zones: borrowing Zones, _ number: Int, _ name: Name, _ ttl: UInt32) -> Record {
    let zone = zones.list[number]
    let key = name.canonicalKey
    // The last node that is not behind the name; nodes are in canonical order.
    var (low, high) = (0, zone.nodes.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if key.lexicographicallyPrecedes(zone.name(of: middle).canonicalKey) { high = middle } else { low = middle }
    }
    while low > 0, !zone.isInChain(low) { low -= 1 }
    var next = low + 1
    while next < zone.nodes.count, !zone.isInChain(next) { next += 1 }
    // One that covers the name must not deny what its own owner has.
    let isOwner = zone.name(of: low) == name
    return Record.nsec(
      zone.name(of: low), next: next < zone.nodes.count ? zone.name(of: next) : zone.apex,
      types: (isOwner ? types(zones, number, low) : zone.types(at: low)) + [.rrsig, .nsec], ttl: ttl)
  }

  /// What stands at a node, but for the type that is denied just now: a made-up name may have it at other times.
  private func types(_ zones: borrowing Zones, _ zone: Int, _ node: Int) -> [RecordType] {
    guard node >= 0 else { return [] }
    let denied = query.type
    return zones.list[zone].types(at: node).filter { $0 != denied }
  }

  /// The DS records of a delegation, or the proof that it has none (RFC 4035 §3.1.4).
  private mutating func delegation(
    _ owner: Name, _ zones: borrowing Zones, _ zone: Int, _ moment: Moment
  ) -> [Record] {
    guard let signer = zones.signers[zone], other.load(owner.wire, at: 0) != nil else { return [] }
    let node = zones.list[zone].find(other, 0)
    guard node >= 0 else { return [] }
    let found = zones.list[zone].set(.ds, at: node)
    let ttl = zones.list[zone].negativeTTL
    let set: [Record]
    if found >= 0 {
      set = zones.list[zone].records(of: zones.list[zone].sets[found], owner: owner)
    } else if signer.denial == .nsec {
      set = [link(zones, zone, owner, ttl)]
    } else {
      set = [Record.nsec(owner, next: owner.after, types: [.ns, .rrsig, .nsec], ttl: ttl)]
    }
    let signature = signer.signature(of: set, zone: zones.list[zone].apex, at: moment.unixSeconds, &signatures)
    return set + (signature.map { [$0] } ?? [])
  }
}

extension Zone {
  /// Whether a node has an NSEC record: authoritative data or a delegation, not glue and not an empty non-terminal.
  fileprivate func isInChain(_ node: Int) -> Bool {
    let found = nodes[node]
    return (found.setCount > 0 || found.dynamic >= 0) && (found.cut < 0 || Int(found.cut) == node)
  }

  /// The types at a node that its NSEC lists, without those of DNSSEC.
  fileprivate func types(at node: Int) -> [RecordType] {
    let found = nodes[node]
    var types = sets[Int(found.setStart)..<(Int(found.setStart) + Int(found.setCount))].map(\.type)
    if Int(found.cut) == node { types = types.filter { $0 == .ns || $0 == .ds } }
    if found.dynamic >= 0 { types += [.a, .aaaa] }
    return types
  }
}

extension Record {
  /// RFC 4034 §4.1, with its bitmap of types.
  fileprivate static func nsec(_ owner: Name, next: Name, types: [RecordType], ttl: UInt32) -> Record {
    var windows: [UInt8: [UInt8]] = [:]
    for type in Set(types) {
      let low = Int(type.rawValue & 255)
      var map = windows[UInt8(type.rawValue >> 8)] ?? []
      while map.count <= low / 8 { map.append(0) }
      map[low / 8] |= 0x80 >> UInt8(low % 8)
      windows[UInt8(type.rawValue >> 8)] = map
    }
    var data = next.wire
    for (window, map) in windows.sorted(by: { $0.key < $1.key }) { data += [window, UInt8(map.count)] + map }
    return Record(owner, .nsec, ttl: ttl, data: data)
  }
}

extension Name {
  static let wildcard = Name(unchecked: [1, UInt8(ascii: "*"), 0])

  /// The next name in canonical order: a lowest child, so that nothing lies between. The name itself when it is full.
  fileprivate var after: Name { Name(unchecked: [1, 0, 0]).appending(self) ?? self }

  fileprivate func isBelow(_ other: Name) -> Bool { self != other && isWithin(other) }
}
