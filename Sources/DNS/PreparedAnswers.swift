import Model

/// Answers written out when the zone is built, so that a static one costs a search and a copy.
///
/// Behind the question a message depends on the query in two ways only: whether it fits, and where names that are
/// pointed to stand. When the name asked for is longer than the one that the answer was prepared for, by labels in
/// front, everything that is pointed to moves by the same distance, which is added to each pointer.
struct PreparedAnswers: Sendable {
  struct Answer: Sendable, BitwiseCopyable {
    /// In `bytes`.
    var start: UInt32
    var length: UInt16
    var answers: UInt16
    var authorities: UInt16
    var additionals: UInt16
    /// In `pointers`: where pointers stand, from `start`.
    var firstPointer: UInt32
    var pointers: UInt16
  }

  var list: [Answer] = []
  var bytes: [UInt8] = []
  var pointers: [UInt16] = []
  /// The SOA of negative answers, prepared for the apex.
  var negative: Int32 = -1

  /// Puts an answer at `start` of a message, whose name is `distance` bytes longer than the one that it was prepared for.
  @inline(__always) func copy(
    _ answer: Answer, movedBy distance: Int, to message: inout MutableSpan<UInt8>, at start: Int
  ) {
    Octets.copy(bytes, at: Int(answer.start), count: Int(answer.length), to: &message, at: start)
    guard distance > 0 else { return }
    var index = Int(answer.firstPointer)
    let end = index &+ Int(answer.pointers)
    while index < end {
      let place = start &+ Int(pointers[index])
      let moved =
        (UInt16(message[place]) &<< 8 | UInt16(message[place &+ 1])) &+ UInt16(truncatingIfNeeded: distance)
      message[place] = UInt8(truncatingIfNeeded: moved &>> 8)
      message[place &+ 1] = UInt8(truncatingIfNeeded: moved)
      index &+= 1
    }
  }
}

extension Zone {
  /// Longer ones are rare and go the long way.
  static let longestPrepared = 4096

  /// Bytes: what offsets of 32 bits reach. What comes behind goes the long way.
  static let mostPrepared = 1 << 31

  /// Writes out what can be: each set at its own name, referrals, the negative answer.
  mutating func prepare() {
    // Noted aside: while the zone is asked, its tables have a second owner and would be copied to be changed.
    var found = [Int32](repeating: -1, count: sets.count)
    var referrals: [(node: Int, answer: Int32)] = []
    prepared = answers(sets: &found, &referrals)
    for index in sets.indices { sets[index].prepared = found[index] }
    for referral in referrals { nodes[referral.node].referral = referral.answer }
  }

  /// What a query for data of a node that stands in no other zone is answered with, if that was written out or can be
  /// picked.
  enum ShortAnswer: BitwiseCopyable {
    case none
    /// In `prepared.list`; negative ones are for the apex.
    case prepared(Int, isNegative: Bool)
    /// From this one of the zone's dynamic owners.
    case made(Int)
  }

  @inline(__always) func shortAnswer(_ type: RecordType, at node: Int) -> ShortAnswer {
    guard nodes[node].cut < 0 else { return .none }
    let set = set(type, at: node)
    if set >= 0 { return sets[set].prepared >= 0 ? .prepared(Int(sets[set].prepared), isNegative: false) : .none }
    guard !nodes[node].hasAlias else { return .none }
    let dynamic = nodes[node].dynamic
    if dynamic >= 0 { return type == .a || type == .aaaa ? .made(Int(dynamic)) : .none }
    return prepared.negative >= 0 ? .prepared(Int(prepared.negative), isNegative: true) : .none
  }

  private func answers(
    sets found: inout [Int32], _ referrals: inout [(node: Int, answer: Int32)]
  ) -> PreparedAnswers {
    let zones = Zones([self])
    var responder = Responder(.init(), seed: 0)
    var writer = MessageWriter()
    var result = PreparedAnswers()
    // A type that nobody has: the apex answers with its SOA.
    result.negative = responder.prepare(RecordType(rawValue: 65_280), of: apex, zones, &writer, into: &result)
    for index in nodes.indices where result.bytes.count < Zone.mostPrepared {
      let node = nodes[index]
      if node.cut >= 0 {
        guard Int(node.cut) == index else { continue }
        referrals.append((index, responder.prepare(.a, of: name(of: index), zones, &writer, into: &result)))
        continue
      }
      // A wildcard's own name can be asked for, but its answers are for names that it stands for.
      for set in Int(node.setStart)..<(Int(node.setStart) + Int(node.setCount)) where sets[set].type != .dname {
        found[set] =
          plain(sets[set], into: &result)
          ?? responder.prepare(sets[set].type, of: name(of: index), zones, &writer, into: &result)
      }
    }
    return result
  }

  /// A set without names that could be pointed to or have addresses: pointers to the question, and the records as they are.
  /// nil: another set. No set's answer is moved, so its pointers need not be noted.
  ///
  /// PERF: most of a large zone: with all answers resolved, 18% of the time from exec to the first answer went here.
  private func plain(_ set: RecordSet, into result: inout PreparedAnswers) -> Int32? {
    let length = Int(set.end - set.start) + 2 * Int(set.count)
    guard set.type.compressible == nil, set.type.additionalName == nil, length <= Zone.longestPrepared else {
      return nil
    }
    let start = result.bytes.count
    var position = Int(set.start)
    while position < Int(set.end) {
      let end = position + 10 + (Int(pool[position + 8]) << 8 | Int(pool[position + 9]))
      result.bytes.append(0xc0)
      result.bytes.append(12)
      result.bytes += pool[position..<end]
      position = end
    }
    result.list.append(
      .init(
        start: UInt32(start), length: UInt16(length), answers: set.count, authorities: 0, additionals: 0,
        firstPointer: UInt32(result.pointers.count), pointers: 0))
    return Int32(result.list.count - 1)
  }
}

extension Responder {
  fileprivate mutating func prepare(
    _ type: RecordType, of owner: Name, _ zones: borrowing Zones, _ writer: inout MessageWriter,
    into result: inout PreparedAnswers
  ) -> Int32 {
    guard let end = name.load(owner.wire.span, at: 0) else { return -1 }
    query = Query()
    query.type = type
    response = ResponseState()
    writer.reset(limit: 65_535)
    writer.copy([UInt8](repeating: 0, count: 12))
    writer.copy(owner.wire)
    writer.copy([0, 0, 0, 1])
    writer.remember(name, at: 12)
    writer.notesPointers = true
    defer { writer.notesPointers = false }
    let code = resolve(zones, DynamicView(), Client(.anyV4, .tcp), NoPlaces(), &writer)
    let start = 12 + end + 4
    // A set that no message can hold is not answered as if it were empty.
    guard code == .noError, response.isFixed, !response.isTruncated, !writer.overflowed,
      writer.count - start <= Zone.longestPrepared
    else { return -1 }
    result.list.append(
      .init(
        start: UInt32(result.bytes.count), length: UInt16(writer.count - start), answers: response.answers,
        authorities: response.authorities, additionals: response.additionals,
        firstPointer: UInt32(result.pointers.count), pointers: UInt16(writer.pointers.count)))
    result.bytes += writer.bytes[start..<writer.count]
    result.pointers += writer.pointers.map { UInt16($0 - start) }
    return Int32(result.list.count - 1)
  }

  /// Answers from what is prepared; nil (and nothing written) when this query needs the long way.
  mutating func quick(
    _ zones: borrowing Zones, _ view: borrowing DynamicView, _ client: Client, _ places: some PlaceSource,
    _ writer: inout MessageWriter
  ) -> ResponseCode? {
    let type = query.type
    guard type != .ds, !type.isMeta, let (zone, label) = zones.find(name) else { return nil }
    var node = zones.list[zone].find(name, 0)
    var code = ResponseCode.noError
    var prepared: Int32 = -1
    // The label of the name that the answer was prepared for.
    var base = 0
    var isReferral = false
    if node < 0 {
      var above = 1
      while above <= label {
        node = zones.list[zone].find(name, above)
        if node >= 0 { break }
        above &+= 1
      }
      guard node >= 0 else { return nil }
      code = .nameError
    }
    let found = zones.list[zone].nodes[node]
    if found.cut >= 0 {
      let cut = zones.list[zone].nodes[Int(found.cut)]
      prepared = cut.referral
      base = name.labels &- Int(cut.labels)
      code = .noError
      isReferral = true
    } else if code == .nameError {
      guard found.wildcard < 0, !found.hasDNAME else { return nil }
      prepared = zones.list[zone].prepared.negative
      base = label
    } else {
      switch zones.list[zone].shortAnswer(type, at: node) {
      case .none: return nil
      case .prepared(let place, let isNegative):
        prepared = Int32(truncatingIfNeeded: place)
        if isNegative { base = label }
      case .made(let dynamic):
        response.isAuthoritative = true
        response.subject = name.hashes[0]
        return made(zones, zone, zones.dynamicStarts[zone] &+ dynamic, 12, view, client, places, &writer)
      }
    }
    guard prepared >= 0 else { return nil }
    let answer = zones.list[zone].prepared.list[Int(prepared)]
    guard writer.count &+ Int(answer.length) <= writer.limit else { return nil }
    writer.copy(answer, of: zones.list[zone].prepared, movedBy: Int(name.offsets[base]))
    response.answers = answer.answers
    response.authorities = answer.authorities
    response.additionals = answer.additionals
    response.isAuthoritative = !isReferral
    if isReferral {
      response.kind = .referral
      response.subject = zones.list[zone].nodes[Int(found.cut)].hash
    } else if answer.answers == 0 {
      response.kind = .negative
      response.subject = zones.list[zone].apexHash
    } else {
      response.subject = name.hashes[0]
    }
    return code
  }
}
