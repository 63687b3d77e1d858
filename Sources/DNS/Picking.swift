package import Model
package import Wire

/// Who asks, as balancing sees it: the client network if the resolver tells it, else the resolver.
package struct Asker: Sendable, BitwiseCopyable {
  package var address: IPAddress
  /// How many of its bits are known.
  package var length: Int

  package init(_ address: IPAddress, length: Int? = nil) {
    self.address = address.unmapped
    self.length = min(length ?? self.address.width, self.address.width)
  }
}

extension CompiledSet {
  /// The addresses of a family for one query.
  /// - Parameter turns: round robin's memory, one counter for each group from `turn` on.
  package func pick(
    _ family: IPAddress.Family, for asker: Asker, places: some PlaceSource, turns: inout [UInt32], turn: Int,
    random: inout Random
  ) -> Picks {
    var picks = Picks()
    guard !groups.isEmpty else { return picks }
    let mask: UInt8 = family == .v4 ? 1 : 2
    var index = 0
    // INVARIANT: a group's inner groups stand behind it, so this descends.
    while true {
      let group = groups[index]
      guard group.hasGroups || group.policy == .geo || group.policy == .networks else {
        list(group, index, mask, asker, &picks, &turns, turn, &random)
        break
      }
      let choice = one(group, index, mask, asker, places, &picks, &turns, turn, &random)
      guard choice >= 0 else { break }
      guard choices[choice].group >= 0 else {
        picks.append(choice)
        break
      }
      index = Int(choices[choice].group)
    }
    if shuffles { picks.shuffle(&random) }
    return picks
  }

  @inline(__always) private func isUsable(_ index: Int, _ mask: UInt8) -> Bool {
    choices[index].weight > 0 && choices[index].families & mask != 0
  }

  private func first(_ group: Group, _ mask: UInt8) -> Int {
    for index in group.range where isUsable(index, mask) { return index }
    return -1
  }

  /// A choice by the group's policy; -1 when none is usable.
  private func one(
    _ group: Group, _ place: Int, _ mask: UInt8, _ asker: Asker, _ places: some PlaceSource, _ picks: inout Picks,
    _ turns: inout [UInt32], _ turn: Int, _ random: inout Random
  ) -> Int {
    switch group.policy {
    case .failover, .all: return first(group, mask)
    case .roundRobin: return rotated(group, mask, take(&turns, turn + place), 0)
    case .weighted, .leastLoad: return drawn(group, mask, isWeighted: true, 0, &random)
    case .random: return drawn(group, mask, isWeighted: false, 0, &random)
    case .hash: return hashed(group, mask, hashKey(asker, &picks), below: -1).index
    case .networks:
      let (found, scope) = maps[group.detail].find(asker.address, known: asker.length)
      // Also "nowhere in the map" holds for a network only: others around it are in it.
      picks.scope = max(picks.scope, UInt8(truncatingIfNeeded: scope))
      guard let value = found, value < group.count, isUsable(group.start + Int(value), mask) else {
        return first(group, mask)
      }
      return group.start + Int(value)
    case .geo: return located(group, rules[group.detail], mask, asker, places, &picks)
    }
  }

  /// Up to `count` members in the group's order.
  private func list(
    _ group: Group, _ place: Int, _ mask: UInt8, _ asker: Asker, _ picks: inout Picks, _ turns: inout [UInt32],
    _ turn: Int, _ random: inout Random
  ) {
    switch group.policy {
    case .roundRobin:
      let begin = take(&turns, turn + place)
      let usable = usableCount(group, mask)
      for step in 0..<min(count, usable) { picks.append(rotated(group, mask, begin, step)) }
    case .weighted, .random, .leastLoad:
      let isWeighted = group.policy != .random
      if group.count > 64 {
        let choice = drawn(group, mask, isWeighted: isWeighted, 0, &random)
        if choice >= 0 { picks.append(choice) }
        return
      }
      var taken: UInt64 = 0
      while picks.count < count {
        let choice = drawn(group, mask, isWeighted: isWeighted, taken, &random)
        guard choice >= 0 else { return }
        taken |= 1 << UInt64(choice - group.start)
        picks.append(choice)
      }
    case .hash:
      let key = hashKey(asker, &picks)
      var below = -1.0
      while picks.count < count {
        let (choice, score) = hashed(group, mask, key, below: below)
        guard choice >= 0 else { return }
        below = score
        picks.append(choice)
      }
    case .failover, .all, .geo, .networks:
      for index in group.range where isUsable(index, mask) && picks.count < count {
        picks.append(index)
      }
    }
  }

  private func usableCount(_ group: Group, _ mask: UInt8) -> Int {
    var usable = 0
    for index in group.range where isUsable(index, mask) { usable += 1 }
    return usable
  }

  private func take(_ turns: inout [UInt32], _ index: Int) -> Int {
    guard index < turns.count else { return 0 }
    defer { turns[index] &+= 1 }
    return Int(turns[index])
  }

  private func rotated(_ group: Group, _ mask: UInt8, _ turn: Int, _ step: Int) -> Int {
    let usable = usableCount(group, mask)
    guard usable > 0 else { return -1 }
    var left = (turn + step) % usable
    for index in group.range where isUsable(index, mask) {
      if left == 0 { return index }
      left -= 1
    }
    return -1
  }

  private func drawn(_ group: Group, _ mask: UInt8, isWeighted: Bool, _ taken: UInt64, _ random: inout Random) -> Int {
    var total: UInt64 = 0
    for place in 0..<group.count where isUsable(group.start + place, mask) && !isTaken(taken, place) {
      total += isWeighted ? UInt64(choices[group.start + place].weight) : 1
    }
    guard total > 0 else { return -1 }
    var ticket = random.below(wide: total)
    for place in 0..<group.count where isUsable(group.start + place, mask) && !isTaken(taken, place) {
      let weight = isWeighted ? UInt64(choices[group.start + place].weight) : 1
      if ticket < weight { return group.start + place }
      ticket -= weight
    }
    return -1
  }

  private func isTaken(_ taken: UInt64, _ place: Int) -> Bool { place < 64 && taken >> UInt64(place) & 1 != 0 }

  // MARK: Hashing

  private func hashKey(_ asker: Asker, _ picks: inout Picks) -> UInt64 {
    let length = min(asker.length, asker.address.family == .v4 ? hashLengthV4 : hashLengthV6)
    picks.scope = max(picks.scope, UInt8(length))
    guard let network = IPPrefix(asker.address, length: length) else { return 0 }
    var hash = SipHash(key: (0x736c_7569_6365_2d64, 0x6e73_2d73_7562_6e65))
    hash.update(network.address.high)
    hash.update(network.address.low)
    hash.update(UInt64(network.address.family.rawValue))
    return hash.finish()
  }

  /// Weighted rendezvous: each choice draws -log(u)/weight from key and identity, the smallest above `below` wins.
  /// Source: Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005.
  private func hashed(_ group: Group, _ mask: UInt8, _ key: UInt64, below: Double) -> (index: Int, score: Double) {
    var best = (index: -1, score: Double.infinity)
    for index in group.range where isUsable(index, mask) {
      var mixed = key ^ choices[index].identity
      mixed = (mixed ^ mixed >> 33) &* 0xff51_afd7_ed55_8ccd
      mixed = (mixed ^ mixed >> 33) &* 0xc4ce_b9fe_1a85_ec53
      let score = negativeLog2(mixed ^ mixed >> 33) / Double(choices[index].weight)
      if score > below, score < best.score { best = (index, score) }
    }
    return best
  }

  // MARK: Places

  private func located(
    _ group: Group, _ rules: [BalancedSet.GeoRule], _ mask: UInt8, _ asker: Asker, _ places: some PlaceSource,
    _ picks: inout Picks
  ) -> Int {
    let place = places.place(of: asker.address)
    // Where nothing is known, nothing is known of how far that reaches either.
    let reach = min(place.map { Int($0.prefixLength) } ?? asker.length, asker.length)
    picks.scope = max(picks.scope, UInt8(truncatingIfNeeded: reach))
    var nearest = (index: -1, closeness: -2.0)
    var anybody = -1
    for rule in rules where rule.choice >= 0 && rule.choice < group.count {
      let index = group.start + rule.choice
      guard isUsable(index, mask) else { continue }
      switch rule.match {
      case .country(let code): if let place, place.country == code, code != 0 { return index }
      case .continent(let code): if let place, place.continent == code, code != 0 { return index }
      case .system(let number): if let place, place.system == number, number != 0 { return index }
      case .at(let coordinates):
        guard let own = place?.coordinates else { continue }
        let closeness = coordinates.closeness(to: own)
        if closeness > nearest.closeness { nearest = (index, closeness) }
      case .everybody: if anybody < 0 { anybody = index }
      }
    }
    return nearest.index >= 0 ? nearest.index : anybody >= 0 ? anybody : first(group, mask)
  }
}

/// -log2 of `bits` read as a fraction of 2^64, within 1e-6: floor 1 has no mathematical library.
func negativeLog2(_ bits: UInt64) -> Double {
  let value = bits | 1
  let zeros = value.leadingZeroBitCount
  // 1 <= mantissa < 2
  let mantissa = Double((value << UInt64(zeros)) >> 11) / 4_503_599_627_370_496
  let z = (mantissa - 1) / (mantissa + 1)
  let square = z * z
  let series = z * (2 + square * (2.0 / 3 + square * (2.0 / 5 + square * (2.0 / 7 + square * (2.0 / 9)))))
  return Double(zeros + 1) - series * 1.442_695_040_888_963_4
}
