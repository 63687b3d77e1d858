import Model
import Peering
import Testing
import Wire

@Suite(.timeLimit(.minutes(2))) struct NeighborhoodTests {
  @Test func twoNodesFindEachOtherAndSayWhatTheyKnow() {
    var network = Simulation(["a", "b"], seed: 1)
    network.nodes["a"]?.content.reports = [.pool("web", up: 3)]
    network.say("a")
    network.run(.seconds(1))
    #expect(network.nodes["a"]?.link("b") == true)
    #expect(network.nodes["b"]?.link("a") == true)
    #expect(network.nodes["b"]?.reports(of: "a") == [.pool("web"): .pool("web", up: 3)])
    let introductions = network.nodes["b"]?.observations.compactMap {
      if case .up("a", let introduction) = $0 { introduction.site } else { nil }
    }
    #expect(introductions == ["site-a"])
  }

  @Test func aChangeComesAloneAndARemovalToo() {
    var network = Simulation(["a", "b"], seed: 2)
    network.nodes["a"]?.content.reports = [.pool("x", up: 1), .pool("y", up: 2)]
    network.say("a")
    network.run(.seconds(1))
    network.nodes["a"]?.content.reports = [.pool("y", up: 0), .pool("z", up: 7)]
    network.say("a")
    network.run(.milliseconds(100))
    #expect(
      network.nodes["b"]?.reports(of: "a") == [.pool("y"): .pool("y", up: 0), .pool("z"): .pool("z", up: 7)])
  }

  @Test func aSilentPeerIsDownWithinItsTimeoutAndComesBack() {
    var network = Simulation(["a", "b"], seed: 3)
    network.run(.seconds(3))
    network.cut = [["a", "b"]]
    network.run(.milliseconds(2_600))
    for (name, other) in [("a", "b"), ("b", "a")] {
      let node = network.nodes[name]!
      #expect(!node.link(other))
      #expect(node.observations.contains(.down(peer: other, reason: "\(PeeringError.silent)")))
      #expect(node.observations.contains(.stale(peer: other)))
    }
    network.cut = []
    network.run(.seconds(11))
    #expect(network.nodes["a"]?.link("b") == true)
    #expect(network.nodes["b"]?.link("a") == true)
  }

  @Test func aCleanStopIsToldAtOnce() {
    var network = Simulation(["a", "b"], seed: 4)
    network.run(.seconds(1))
    network.handle("b", .configure(nil))
    network.run(.milliseconds(20))
    #expect(network.nodes["a"]?.observations.contains(.down(peer: "b", reason: "\(PeeringError.stopped)")) == true)
  }

  @Test func anotherKeyIsRefusedOnBothSides() {
    var network = Simulation(["a", "b"], seed: 5) { $0 == "a" ? "the key of the first node" : "another one, alas" }
    network.run(.seconds(20))
    #expect(network.nodes["a"]?.link("b") == false)
    #expect(network.nodes["b"]?.link("a") == false)
    #expect(network.nodes["b"]?.observations.contains(.turnedAway(reason: .forged)) == true)
    #expect(network.nodes["a"]?.observations.contains(.down(peer: "b", reason: "\(PeeringError.refused)")) == true)
  }

  @Test(arguments: [false, true]) func aKeyIsReplacedNodeByNode(newCaller: Bool) {
    var network = Simulation([], seed: 6)
    let (new, old) = ("new key 0123456789", "old key 0123456789")
    network.add("a", among: ["a", "b"], key: newCaller ? new : old, previous: newCaller ? old : nil)
    network.add("b", among: ["a", "b"], key: newCaller ? old : new, previous: newCaller ? nil : old)
    network.run(.seconds(3))
    #expect(network.nodes["a"]?.link("b") == true)
    #expect(network.nodes["b"]?.link("a") == true)
  }

  @Test func whatWasOverheardIsOfNoUseToAnybody() {
    var network = Simulation(["a", "b"], seed: 7)
    network.run(.seconds(2))
    // The whole talk of the caller, again, to the one who was called.
    let toB = network.overheard.filter { $0.to.node == "b" }.map(\.bytes)
    network.nodes["b"]?.observations = []
    let stranger = network.call("b")
    for bytes in toB { network.inject(bytes, to: stranger) }
    network.run(.seconds(6))
    let observations = network.nodes["b"]?.observations ?? []
    #expect(observations.contains(.turnedAway(reason: .forged)))
    #expect(!observations.contains { if case .up = $0 { true } else { false } })
  }

  @Test func aRecordThatIsRepeatedOrChangedEndsTheConnection() {
    for (seed, isChanged) in [(8, false), (9, true)] as [(UInt64, Bool)] {
      var network = Simulation(["a", "b"], seed: seed)
      network.run(.seconds(2))
      guard let last = network.overheard.last(where: { $0.to.node == "b" }) else { continue }
      var bytes = last.bytes
      if isChanged { bytes[bytes.count - 1] ^= 1 }
      network.nodes["b"]?.observations = []
      network.inject(bytes, to: last.to)
      network.run(.milliseconds(50))
      #expect(network.nodes["b"]?.observations.contains(.down(peer: "a", reason: "\(PeeringError.forged)")) == true)
      network.run(.seconds(2))
      #expect(network.nodes["b"]?.link("a") == true)
    }
  }

  @Test func strangersAreFewAndDoNotStay() {
    var network = Simulation(["a", "b"], seed: 10)
    for _ in 0..<40 { _ = network.call("b") }
    network.run(.seconds(6))
    // They are gone, and the peer still comes in.
    network.kill("a")
    network.add("a", among: ["a", "b"], key: "a key that all nodes share")
    network.run(.seconds(2))
    #expect(network.nodes["b"]?.link("a") == true)
  }

  @Test func namesDecideWhoMayCome() {
    var network = Simulation(["a", "b"], seed: 11)
    network.add("aa", among: ["aa", "b"], key: "a key that all nodes share")
    network.run(.seconds(2))
    #expect(network.nodes["b"]?.observations.contains(.turnedAway(reason: .unknownPeer("aa"))) == true)
    #expect(network.nodes["b"]?.link("a") == true)
  }

  @Test func theLastWordCountsEverywhereInTheEnd() {
    for seed in 0..<60 as Range<UInt64> {
      var network = Simulation(["a", "b", "c"], seed: 100 + seed)
      var dice = Random(seed: seed)
      let names = ["a", "b", "c"]
      for round in 0..<12 {
        let key = RegisterKey(.weight, pool: "web", backend: "b\(dice.below(3))")
        network.set("\(round)", key, on: names[Int(dice.below(3))])
        // Two of the three may not reach each other: the third passes words on.
        network.cut = dice.below(2) == 0 ? [] : [[names[Int(dice.below(3))], names[Int(dice.below(3))]]]
        network.run(.milliseconds(Int64(dice.below(1_500))))
      }
      network.cut = []
      network.run(.seconds(20))
      let all = names.compactMap { network.nodes[$0]?.registers }
      #expect(all.count == 3 && all[0] == all[1] && all[1] == all[2], "seed \(seed)")
      #expect(!all[0].entries.isEmpty)
    }
  }

  @Test func persistenceEntriesSurviveCutsAndRestarts() {
    for seed in 0..<30 as Range<UInt64> {
      var network = Simulation(["a", "b"], seed: 500 + seed)
      var dice = Random(seed: seed)
      var hash: UInt64 = 0
      for _ in 0..<20 {
        for _ in 0..<dice.below(200) {
          hash += 1
          let entry = PersistenceEntry(
            pool: dice.below(2) == 0 ? "web" : "api", hash: hash, backend: "b\(dice.below(5))", remaining: 60_000)
          network.store(entry, on: dice.below(2) == 0 ? "a" : "b")
        }
        network.passOnChanges()
        network.cut = dice.below(3) == 0 ? [["a", "b"]] : []
        network.run(.milliseconds(Int64(dice.below(2_000))))
        if dice.below(8) == 0 {
          network.cut = []
          network.run(.seconds(12))
          network.kill("b")
          network.add("b", among: ["a", "b"], key: "a key that all nodes share")
        }
      }
      network.cut = []
      network.run(.seconds(15))
      let (a, b) = (network.nodes["a"]!.tables, network.nodes["b"]!.tables)
      #expect(a.count == Int(hash) && b.count == Int(hash), "seed \(seed): \(a.count), \(b.count) of \(hash)")
      #expect(a.mapValues(\.entry) == b.mapValues(\.entry), "seed \(seed)")
    }
  }

  @Test func manyEntriesComeWholeThroughASmallWindow() {
    var network = Simulation(["a", "b"], seed: 12)
    for hash in 0..<30_000 as Range<UInt64> {
      network.nodes["a"]?.tables[hash] = (
        PersistenceEntry(pool: "web", hash: hash, backend: "b\(hash % 50)", remaining: 60_000), 1
      )
    }
    network.run(.seconds(10))
    #expect(network.nodes["b"]?.tables.count == 30_000)
  }

  @Test func aLetterArrivesOnceOrIsToldToBeLost() {
    var network = Simulation(["a", "b"], seed: 13)
    network.run(.seconds(1))
    network.handle("a", .post(.init(peer: "b", id: 7, topic: "vip", body: Array("move".utf8))))
    network.run(.milliseconds(50))
    #expect(network.nodes["b"]?.letters == ["a vip move"])
    #expect(network.nodes["a"]?.observations.contains(.receipt(peer: "b", id: 7, isDelivered: true)) == true)
    network.cut = [["a", "b"]]
    network.handle("a", .post(.init(peer: "b", id: 8, topic: "vip", body: [])))
    network.run(.seconds(4))
    #expect(network.nodes["a"]?.observations.contains(.receipt(peer: "b", id: 8, isDelivered: false)) == true)
    network.handle("a", .post(.init(peer: "nobody", id: 9, topic: "vip", body: [])))
    #expect(network.nodes["a"]?.observations.last == .receipt(peer: "nobody", id: 9, isDelivered: false))
  }

  @Test func theRoundTripIsMeasured() {
    var network = Simulation(["a", "b"], seed: 14)
    network.run(.seconds(10))
    let last = network.nodes["a"]?.observations.compactMap { observation -> Duration? in
      if case .heard("b", let roundTrip) = observation { roundTrip } else { nil }
    }.last
    // Each way takes 0.1 to 5.1 ms here.
    #expect(last.map { $0 > .microseconds(200) && $0 < .milliseconds(11) } == true, "\(String(describing: last))")
  }

  @Test func anUnchangedConfigurationKeepsLinksAndAnotherNameEndsThem() {
    var network = Simulation(["a", "b"], seed: 15)
    network.run(.seconds(1))
    let before = network.nodes["a"]!.observations.count
    network.handle("a", .configure(network.nodes["a"]!.settings))
    network.run(.milliseconds(100))
    #expect(network.nodes["a"]!.observations.count == before)
    var settings = network.nodes["a"]!.settings
    settings.site = "elsewhere"
    network.handle("a", .configure(settings))
    network.run(.seconds(2))
    let sites = network.nodes["b"]!.observations.compactMap {
      if case .up("a", let introduction) = $0 { introduction.site } else { nil }
    }
    #expect(sites == ["site-a", "elsewhere"])
  }
}
