import DNS
import Model
import Testing
import Wire

@Suite struct BalancedSetTests {
  typealias Set = BalancedSet

  static func address(_ number: Int) -> IPAddress { IPAddress(10, 0, UInt8(number / 256), UInt8(number % 256)) }

  static func members(_ numbers: some Sequence<Int>, weight: (Int) -> UInt32 = { _ in 1 }) -> [Set.Choice] {
    numbers.map { .member(.init(address($0), weight: weight($0))) }
  }

  static func up(_ pattern: String) -> [MemberHealth] { pattern.map { MemberHealth(isUp: $0 == "+") } }

  /// One set, asked again and again.
  struct Asking {
    var set: CompiledSet
    var turns: [UInt32] = [0, 0, 0, 0, 0, 0]
    var random = Random(seed: 11)

    mutating func callAsFunction(
      from client: IPAddress = IPAddress(203, 0, 113, 1), length: Int? = nil, _ family: IPAddress.Family = .v4,
      places: some PlaceSource = NoPlaces()
    ) -> [Int] {
      let picks = set.pick(
        family, for: Asker(client, length: length), places: places, turns: &turns, turn: 0, random: &random)
      return (0..<picks.count).map { Int(set.address(picks[$0]).low & 0xffff) }
    }
  }

  @Test func roundRobinBeginsOneFurtherEachTime() {
    var ask = Asking(set: CompiledSet(Set(.init(.roundRobin, Self.members(0..<4)), count: 2), health: Self.up("++-+")))
    #expect((0..<4).map { _ in ask() } == [[0, 1], [1, 3], [3, 0], [0, 1]])
  }

  @Test func weightsAreSharesOfTheFirstAddress() {
    var ask = Asking(set: CompiledSet(Set(.init(.weighted, Self.members(0..<4) { [6, 3, 1, 0][$0] }), count: 2)))
    var counts = [0, 0, 0, 0]
    for _ in 0..<10_000 {
      let picks = ask()
      #expect(picks.count == 2 && picks[0] != picks[1])
      counts[picks[0]] += 1
    }
    #expect(abs(counts[0] - 6000) < 200 && abs(counts[1] - 3000) < 200 && abs(counts[2] - 1000) < 150 && counts[3] == 0)
  }

  @Test func randomIgnoresWeights() {
    var ask = Asking(set: CompiledSet(Set(.init(.random, Self.members(0..<2) { [9, 1][$0] }))))
    let firsts = (0..<4000).map { _ in ask()[0] }.filter { $0 == 0 }.count
    #expect(abs(firsts - 2000) < 150)
  }

  @Test func failoverTakesTheFirstThatIsWell() {
    func first(_ health: String) -> [Int] {
      var ask = Asking(
        set: CompiledSet(Set(.init(.failover, Self.members(0..<3)), fallback: .nothing), health: Self.up(health)))
      return ask()
    }
    #expect(first("+++") == [0])
    #expect(first("-++") == [1])
    #expect(first("--+") == [2])
    #expect(first("---") == [])
  }

  @Test func hashingKeepsANetworkAndMovesOnlyTheLost() {
    let set = Set(.init(.hash, Self.members(0..<10)), count: 1)
    var all = Asking(set: CompiledSet(set))
    var less = Asking(set: CompiledSet(set, health: Self.up("+++-++++++")))
    var counts = [Int](repeating: 0, count: 10)
    for network in 0..<5000 {
      let client = IPAddress(v4: UInt32(network) << 8 | 7)
      let here = all(from: client)[0]
      counts[here] += 1
      #expect(all(from: IPAddress(v4: UInt32(network) << 8 | 200))[0] == here)
      let there = less(from: client)[0]
      #expect(here == 3 ? there != 3 : there == here)
    }
    #expect((counts.min() ?? 0) > 400 && (counts.max() ?? 0) < 600, "\(counts)")
    // The order of the configuration does not matter.
    var reversed = Asking(set: CompiledSet(Set(.init(.hash, set.root.choices.reversed()))))
    #expect(
      (0..<200).allSatisfy {
        reversed(from: IPAddress(v4: UInt32($0) << 8)) == all(from: IPAddress(v4: UInt32($0) << 8))
      })
  }

  @Test func hashingRespectsWeights() {
    var ask = Asking(set: CompiledSet(Set(.init(.hash, Self.members(0..<3) { [1, 2, 5][$0] }), count: 3)))
    var counts = [0, 0, 0]
    for network in 0..<8000 {
      let picks = ask(from: IPAddress(v4: UInt32(network) << 8))
      #expect(picks.sorted() == [0, 1, 2])
      counts[picks[0]] += 1
    }
    #expect(abs(counts[0] - 1000) < 120 && abs(counts[1] - 2000) < 160 && abs(counts[2] - 5000) < 200, "\(counts)")
  }

  @Test func familiesAreApart() {
    let six = Set.Choice.member(.init(IPAddress(v6: 0x2001_0db8 << 32, 6)))
    var ask = Asking(set: CompiledSet(Set(.init(.roundRobin, Self.members([1, 2]) + [six]), count: 8)))
    #expect(ask().sorted() == [1, 2])
    #expect(ask(.v6) == [6])
  }

  @Test func belowTheThresholdAllAreAnswered() {
    let set = Set(.init(.roundRobin, Self.members(0..<4)), count: 4, panicThreshold: 0.5)
    func answered(_ health: String) -> [Int] {
      var ask = Asking(set: CompiledSet(set, health: Self.up(health)))
      return ask().sorted()
    }
    #expect(answered("++--") == [0, 1])
    #expect(answered("+---") == [0, 1, 2, 3])
  }

  @Test func whenAllAreDownTheFallbackSpeaks() {
    func answered(_ fallback: Set.Fallback) -> [Int] {
      var ask = Asking(
        set: CompiledSet(Set(.init(.all, Self.members(0..<2)), count: 4, fallback: fallback), health: Self.up("--")))
      return ask()
    }
    #expect(answered(.everything) == [0, 1])
    #expect(answered(.nothing) == [])
  }

  /// Two sites, the second of two racks: failover of weighted of failover.
  static let nested = Set(
    .init(
      .failover,
      [
        .group(.init(.weighted, members(0..<2)), weight: 1),
        .group(
          .init(
            .failover, [.group(.init(.all, members(2..<4)), weight: 1), .group(.init(.all, members(4..<6)), weight: 1)]),
          weight: 1),
      ]), count: 4)

  @Test(arguments: [
    ("++++++", [0, 1]), ("+-++++", [0]), ("--++++", [2, 3]), ("--+-++", [2]), ("----++", [4, 5]), ("------", [0, 1]),
  ])
  func groupsNest(_ health: String, _ expected: [Int]) {
    var ask = Asking(set: CompiledSet(Self.nested, health: Self.up(health)))
    #expect(ask().sorted() == expected)
  }

  @Test func shufflingKeepsTheSet() {
    var ask = Asking(set: CompiledSet(Set(.init(.all, Self.members(0..<5)), count: 3, shuffles: true)))
    let answers = (0..<50).map { _ in ask() }
    #expect(answers.allSatisfy { $0.sorted() == [0, 1, 2] })
    #expect(Swift.Set(answers).count == 6)
  }

  @Test func aCountIsBounded() {
    var ask = Asking(set: CompiledSet(Set(.init(.all, Self.members(0..<400)), count: 400)))
    #expect(ask().count == Picks.capacity)
    var many = Asking(set: CompiledSet(Set(.init(.weighted, Self.members(0..<400)), count: 4)))
    #expect(many().count == 1)
  }

  struct Places: PlaceSource {
    func place(of address: IPAddress) -> Place? {
      var place = Place()
      place.prefixLength = 16
      switch address.low >> 24 {
      case 1: place.country = Place.code("DE")!
      case 2: place.continent = Place.code("NA")!
      case 3: place.system = 64_500
      case 4: place.coordinates = Coordinates(latitude: 48.8, longitude: 2.3)
      case 5: place.coordinates = Coordinates(latitude: 35.7, longitude: 139.7)
      default: return nil
      }
      return place
    }
  }

  @Test func placesDecide() throws {
    let rules: [Set.GeoRule] = [
      .init(.country(try #require(Place.code("de"))), 1), .init(.continent(try #require(Place.code("NA"))), 2),
      .init(.system(64_500), 0), .init(.at(Coordinates(latitude: 50.1, longitude: 8.7)), 1),
      .init(.at(Coordinates(latitude: 1.35, longitude: 103.8)), 2),
    ]
    let set = Set(.init(.geo(rules), Self.members(0..<3)))
    func answer(_ network: UInt8, _ health: String = "+++") -> [Int] {
      var ask = Asking(set: CompiledSet(set, health: Self.up(health)))
      return ask(from: IPAddress(network, 1, 1, 1), places: Places())
    }
    #expect((1...6).map { answer($0) } == [[1], [2], [0], [1], [2], [0]])
    // A place whose choice is down is served by the next that fits, then by the first.
    #expect(answer(1, "+-+") == [0])
    #expect(answer(4, "+-+") == [2])
    #expect(answer(6, "--+") == [2])
    let asker = Asker(IPAddress(1, 1, 1, 1))
    var (turns, random) = ([UInt32](), Random(seed: 1))
    let picks = CompiledSet(set).pick(.v4, for: asker, places: Places(), turns: &turns, turn: 0, random: &random)
    #expect(picks.scope == 16)
  }

  @Test func networksDecide() throws {
    let rules = try [("10.0.0.0/8", 0), ("10.1.0.0/16", 1), ("2001:db8::/32", 2), ("10.1.2.0/24", 9)].map {
      Set.NetworkRule(try #require(IPPrefix($0.0)), $0.1)
    }
    var ask = Asking(set: CompiledSet(Set(.init(.networks(rules), Self.members(0..<3)))))
    #expect(ask(from: IPAddress(10, 9, 9, 9)) == [0])
    #expect(ask(from: IPAddress(10, 1, 9, 9)) == [1])
    #expect(ask(from: IPAddress(10, 1, 2, 9)) == [0])
    #expect(ask(from: try #require(IPAddress("2001:db8::9"))) == [2])
    #expect(ask(from: IPAddress(8, 8, 8, 8)) == [0])
    // A subnet that is told only roughly does not fit a narrower rule.
    #expect(ask(from: IPAddress(10, 1, 0, 0), length: 12) == [0])
  }

  @Test(
    arguments: [
      ([MemberHealth(), MemberHealth()], 300),
      ([MemberHealth(), MemberHealth(trend: .changing)], 5),
      ([MemberHealth(trend: .nearThreshold(20))], 20),
      ([MemberHealth(trend: .nearThreshold(1))], 5),
      ([MemberHealth(trend: .nearThreshold(2000))], 300),
      ([MemberHealth(plannedChange: 60)], 60),
      ([MemberHealth(trend: .changing, plannedChange: 2)], 2),
    ] as [([MemberHealth], UInt32)])
  func theTimeToLiveFollowsHealth(_ members: [MemberHealth], _ expected: UInt32) {
    #expect(healthTTL(TTLRange(5, 300), members) == expected)
  }

  @Test func distancesCompare() {
    let berlin = Coordinates(latitude: 52.5, longitude: 13.4)
    let others = [(48.9, 2.4), (40.7, -74.0), (-33.9, 151.2)].map { Coordinates(latitude: $0.0, longitude: $0.1) }
    let closeness = others.map(berlin.closeness)
    #expect(closeness == closeness.sorted(by: >))
    #expect(abs(berlin.closeness(to: berlin) - 1) < 1e-5)
    let opposite = Coordinates(latitude: -52.5, longitude: -166.6)
    #expect(abs(berlin.closeness(to: opposite) + 1) < 1e-5)
    // The date line is no edge.
    #expect(Coordinates(latitude: 0, longitude: 179).closeness(to: Coordinates(latitude: 0, longitude: -179)) > 0.999)
  }
}
