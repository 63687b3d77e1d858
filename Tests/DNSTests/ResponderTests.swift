import DNS
import Model
import Testing

@Suite struct ResponderTests {
  static func zone(_ text: String, apex: String = "z.test", balanced: [String: String] = [:]) throws -> Zone {
    let head = "$TTL 300\n@ SOA ns h 5 1 1 1 60\n@ NS ns\nns A 192.0.2.53\n"
    let names = Dictionary(uniqueKeysWithValues: balanced.compactMap { key, value in Name(key).map { ($0, value) } })
    return try Zone.parse(head + text, apex: named(apex), balanced: names).zone
  }

  @Test func anyIsAnsweredWithOneSet() throws {
    let server = Server([try VectorTests.rich()])
    // RFC 8482 §4.1
    let apex = try #require(server.ask("rich.test", .any))
    #expect(Set(apex.answers.map(\.type)).count == 1)
    #expect(try #require(server.ask("alias.rich.test", .any)).answers.map(\.type) == [.cname])
    #expect(try #require(server.ask("nx.rich.test", .any)).code == .nameError)
    #expect(try #require(server.ask("b.c.ent.rich.test", .any)).authorities.map(\.type) == [.soa])
  }

  /// `Server.ask` compares both ways; here is said which queries go the short one.
  @Test func whatIsUsualIsAnsweredInPlace() throws {
    let zone = try Self.zone(
      "a-longer-name A 192.0.2.1\nm MX 1 a-longer-name\nalias CNAME m\n*.w TXT x\nsub NS ns.sub\nns.sub A 192.0.2.2\n",
      balanced: ["b.z.test": "b"])
    let set = BalancedSet(.init(.weighted, [.member(.init(IPAddress(192, 0, 2, 7)))]))
    func isShort(_ name: String, _ type: RecordType, _ size: UInt16? = 1232, in zones: [Zone]? = nil) -> Bool {
      let server = Server(zones ?? [zone], view: [CompiledSet(set)])
      #expect(server.ask(name, type, udpSize: size) != nil)
      return server.shortAnswers == 1
    }
    #expect(isShort("a-longer-name.z.test", .a) && isShort("A-Longer-NAME.z.TEST", .a, nil) && isShort("m.z.test", .mx))
    #expect(isShort("m.z.test", .aaaa) && isShort("z.test", .soa) && isShort("z.test", .txt))
    #expect(isShort("b.z.test", .a) && isShort("alias.z.test", .cname))
    for (name, type) in [
      ("nx.z.test", RecordType.a), ("x.w.z.test", .txt), ("alias.z.test", .a), ("ns.sub.z.test", .a),
      ("sub.z.test", .ds),
      ("z.test", .any), ("b.z.test", .aaaa), ("b.z.test", .txt), ("other.test", .a),
    ] { #expect(!isShort(name, type), "\(name) \(type)") }
    // The longest apex is whose a name is.
    let below = try Self.zone("m MX 2 m\n", apex: "m.z.test")
    #expect(isShort("m.m.z.test", .mx, in: [zone, below]) && isShort("m.z.test", .soa, in: [zone, below]))
    #expect(!isShort("a-longer-name.m.z.test", .a, in: [zone, below]))
  }

  @Test func chaosSpeaksByChoiceOnly() throws {
    func ask(_ settings: Responder.Settings, _ name: String) throws -> Message {
      let server = Server([], settings: settings)
      return try #require(server.ask(.query(named(name), .txt, class: .chaos)))
    }
    #expect(try ask(.init(), "version.bind").code == .refused)
    var settings = Responder.Settings()
    settings.version = Array("sluice".utf8)
    settings.serverID = Array("node-1".utf8)
    #expect(try ask(settings, "VERSION.bind").answers.first?.data == [6] + Array("sluice".utf8))
    #expect(try ask(settings, "id.server").answers.first?.data == [6] + Array("node-1".utf8))
    #expect(try ask(settings, "authors.bind").code == .refused)
  }

  @Test func aliasesCrossZonesOfTheSameServer() throws {
    let server = Server([try Self.zone("a CNAME b.y.test.\n"), try Self.zone("b A 192.0.2.9\n", apex: "y.test")])
    let answer = try #require(server.ask("a.z.test", .a))
    #expect(answer.answers.map(\.type) == [.cname, .a])
    #expect(answer.code == .noError && answer.isAuthoritative)
  }

  @Test func aLongChainStops() throws {
    let links = (0..<40).map { "c\($0) CNAME c\($0 + 1)\n" }.joined()
    let server = Server([try Self.zone(links)])
    let answer = try #require(server.ask("c0.z.test", .a))
    #expect(answer.answers.count == 13)
    #expect(answer.code == .noError)
  }

  @Test func aSetThatNoMessageHoldsIsTruncatedAndNotEmpty() throws {
    let text = String(repeating: "x", count: 240)
    let server = Server([try Self.zone((0..<300).map { "t TXT \"\($0)\(text)\"\n" }.joined())])
    for transport in [Responder.Transport.udp, .tcp] {
      let answer = try #require(server.ask(.query(named("t.z.test"), .txt), over: transport))
      #expect(answer.isTruncated && answer.answers.isEmpty && answer.authorities.isEmpty)
    }
  }

  @Test func namesMixLettersOfBothCasesAndOtherOctets() throws {
    // Around the edges of a word: labels of 1 to 20 octets, whose letters are folded and whose others are not.
    let labels = (1...20).map { count in String("aZ@[`{mN0-zA/:bY_^cX".prefix(count)) }
    let lines = labels.map { "\($0) A 192.0.2.\($0.count)\n".replacing("@", with: "\\@") }
    let server = Server([try Self.zone(lines.joined())])
    for label in labels {
      let other = String(label.map { $0.isUppercase ? Character($0.lowercased()) : Character($0.uppercased()) })
      for name in [label, other] {
        let answer = try #require(server.ask("\(name).z.test", .a))
        #expect(answer.answers.first?.data.last == UInt8(label.count), "\(name)")
      }
      let wrong = label.replacing("@", with: "`").replacing("[", with: "{") + "!"
      #expect(try #require(server.ask("\(wrong).z.test", .a)).code == .nameError)
    }
  }

  @Test func theParentAnswersForDelegationSigners() throws {
    let parent = try Self.zone("sub NS ns\nsub DS 1 13 2 00\n")
    let server = Server([parent, try Self.zone("www A 192.0.2.1\n", apex: "sub.z.test")])
    #expect(try #require(server.ask("sub.z.test", .ds)).answers.map(\.type) == [.ds])
    #expect(try #require(server.ask("sub.z.test", .soa)).answers.first?.name == Name("sub.z.test"))
    #expect(try #require(server.ask("www.sub.z.test", .a)).answers.count == 1)
  }

  @Test func anAliasAtTheApexIsAnsweredWithAddresses() throws {
    let zone = try Self.zone("@ 30 ALIAS lb.provider.example.\n")
    #expect(zone.dynamicOwners.map(\.kind) == [.alias(named("lb.provider.example"), ttl: 30)])
    let addresses = [IPAddress(198, 51, 100, 1), IPAddress(198, 51, 100, 2), IPAddress(v6: 0x2001_0db8 << 32, 1)]
    let server = Server([zone], view: [CompiledSet(.alias(addresses, ttl: 90))])
    let answer = try #require(server.ask("z.test", .a))
    #expect(answer.answers.map(\.data) == [[198, 51, 100, 1], [198, 51, 100, 2]])
    #expect(answer.answers.allSatisfy { $0.ttl == 30 && $0.name == zone.apex })
    #expect(try #require(server.ask("z.test", .aaaa)).answers.count == 1)
    #expect(try #require(server.ask("z.test", .ns)).answers.count == 1)
    let unresolved = Server([zone], view: [nil])
    #expect(try #require(unresolved.ask("z.test", .a)).code == .serverFailure)
    #expect(try #require(unresolved.ask("z.test", .mx)).authorities.map(\.type) == [.soa])
  }

  @Test func aBalancedNameHasOnlyAddresses() throws {
    let zone = try Self.zone("other TXT x\n", balanced: ["api.z.test": "api", "*.any.z.test": "api"])
    let set = CompiledSet(BalancedSet(.init(.all, [.member(.init(IPAddress(10, 0, 0, 1)))])))
    let server = Server([zone], view: [set, set])
    #expect(try #require(server.ask("api.z.test", .a)).answers.first?.data == [10, 0, 0, 1])
    #expect(try #require(server.ask("x.any.z.test", .a)).answers.first?.name == Name("x.any.z.test"))
    let none = try #require(server.ask("api.z.test", .aaaa))
    #expect(none.code == .noError && none.answers.isEmpty && none.authorities.map(\.ttl) == [60])
    #expect(try #require(server.ask("api.z.test", .txt)).authorities.map(\.type) == [.soa])
  }

  @Test func truncationKeepsWholeSetsOnly() throws {
    let many = (0..<60).map { "big A 192.0.2.\($0)\n" }.joined()
    let server = Server([try Self.zone(many + "x CNAME big\n")])
    for (size, tcp) in [(nil, false), (512, false), (1000, false), (1232, false), (4096, false), (nil, true)]
      as [(UInt16?, Bool)]
    {
      let query = Message.query(named("x.z.test"), .a, udpSize: size)
      let encoded = try #require(query.encoded())
      let (_, bytes) = server.ask(encoded, over: tcp ? .tcp : .udp)
      #expect(bytes.count <= (tcp ? 65_535 : min(1232, max(512, Int(size ?? 512)))))
      let answer = try Message(bytes)
      // The alias fits; of the 60 addresses either all or none.
      #expect(answer.isTruncated == (answer.answers.count == 1))
      #expect(answer.answers.count == 1 || answer.answers.count == 61)
      #expect((answer.options != nil) == (size != nil))
    }
  }

  @Test func aReferralWithoutItsGlueIsTruncated() throws {
    let servers = (0..<24).map { "sub NS ns\($0).sub\nns\($0).sub AAAA 2001:db8::\($0)\n" }.joined()
    let server = Server([try Self.zone(servers)])
    let short = try #require(server.ask("a.sub.z.test", .a, udpSize: nil))
    #expect(short.isTruncated)
    let long = try #require(server.ask("a.sub.z.test", .a))
    #expect(!long.isTruncated && long.additionals.filter { $0.type == .aaaa }.count == 24)
  }
}
