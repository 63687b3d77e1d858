@testable import DNS
import Testing
import Wire

@Suite struct ZoneFileTests {
  static func read(_ text: String) -> ZoneFile {
    ZoneFile(Array(text.utf8), file: "z.zone", origin: Name("z.test")!)
  }

  /// One mistake each, and where and how it is reported.
  static let mistakes: [(String, String)] = [
    ("a 1 A 192.0.2", "1:7: error: expected an IPv4 address"),
    ("a 1 A", "1:6: error: expected an IPv4 address"),
    ("a 1 A 192.0.2.1 x", "1:17: error: unexpected text after the A data"),
    ("a 1 AAAA 192.0.2.1", "1:10: error: expected an IPv6 address"),
    ("a 1 MX mail", "1:8: error: expected a number up to 65535"),
    ("a 1 MX 65536 mail", "1:8: error: expected a number up to 65535"),
    ("a 1 MX 10", "1:10: error: expected a name"),
    ("a 1 MX 10 a..b", "1:11: error: the name has an empty label"),
    ("a 1 NS a\\9", "1:8: error: a backslash needs a character, or three digits up to 255"),
    ("a 1 TXT \"open", "1:9: error: this quote is not closed on its line"),
    ("a 1 TXT \"a\\400\"", "1:9: error: a backslash needs a character, or three digits up to 255"),
    ("a 1 TXT \(String(repeating: "x", count: 256))", "1:9: error: a string holds at most 255 bytes"),
    ("a 1 TXT", "1:8: error: expected a string"),
    ("a 1 TXT ( x\n", "1:9: error: this parenthesis is never closed"),
    ("a 1 TXT x )", "1:11: error: a closing parenthesis without an opening one"),
    ("a 1 CAA 256 issue x", "1:9: error: expected a number up to 255"),
    ("a 1 CAA 0 iss-ue x", "1:11: error: a property tag has letters and digits only"),
    ("a 1 TLSA 3 1 1 0g", "1:16: error: expected pairs of hexadecimal digits"),
    ("a 1 TLSA 3 1 1 012", "1:16: error: expected pairs of hexadecimal digits"),
    ("a 1 DNSKEY 1 3 8 ab=c", "1:18: error: expected base 64"),
    ("a 1 SVCB 1 . port=70000", "1:14: error: wrong value of the service parameter port"),
    ("a 1 SVCB 1 . port=1 port=2", "1:21: error: the service parameter port comes twice"),
    ("a 1 SVCB 1 . colour=red", "1:14: error: unknown service parameter"),
    ("a 1 SVCB 1 . mandatory=port", "1:14: error: port is mandatory but absent"),
    ("a 1 SVCB 1 . no-default-alpn", "1:14: error: no-default-alpn needs alpn"),
    ("a 1 SVCB 1 . alpn=", "1:14: error: wrong value of the service parameter alpn"),
    ("a 1 SVCB 1 . ipv4hint=::1", "1:14: error: wrong value of the service parameter ipv4hint"),
    ("a 1 TYPE9999 abc", "1:14: error: TYPE9999 data must be written as \\# LENGTH HEX"),
    ("a 1 TYPE9999 \\# 2 00", "1:17: error: 2 bytes announced, 1 written"),
    ("a 1 TYPE9999 \\# x", "1:17: error: expected the number of bytes"),
    ("a 1 A \\# 3 000000", "1:7: error: these bytes are no A record"),
    ("a 1 WKS 1", "1:5: error: unknown record type \"WKS\""),
    ("a 1 AXFR x", "1:5: error: AXFR is not data"),
    ("a 1 CH TXT x", "1:8: error: only class IN is served, not CH"),
    ("a IN IN A 192.0.2.1", "1:6: error: two classes"),
    ("a 1 2 A 192.0.2.1", "1:5: error: two times to live"),
    ("a 1x A 192.0.2.1", "1:3: error: expected a time to live"),
    ("a 2147483648 A 192.0.2.1", "1:3: error: expected a time to live"),
    ("a IN", "1:5: error: expected a record type"),
    ("a A 192.0.2.1", "1:3: error: no time to live, and no $TTL before"),
    ("  1 A 192.0.2.1", "1:3: error: the first record needs an owner name"),
    ("$TTL", "1:5: error: $TTL needs a time"),
    ("$TTL soon", "1:6: error: expected a time like 3600 or 1h30m, at most 2147483647 seconds"),
    ("$ORIGIN a..b", "1:9: error: the name has an empty label"),
    ("$ORIGIN a b", "1:11: error: unexpected text after $ORIGIN"),
    ("$INCLUDE nowhere", "1:10: error: cannot read \"nowhere\""),
    ("$GENERATE 1-2 a A 1.1.1.$", "1:1: error: unknown directive $GENERATE; there are $ORIGIN, $TTL and $INCLUDE"),
    ("\n; note\n\nb 1 A x", "4:7: error: expected an IPv4 address"),
    ("a 1 TXT ( x\n  y\n  \"z )", "3:3: error: this quote is not closed on its line"),
    ("a 1 TXT x\\", "1:10: error: a backslash at the end of a line"),
  ]

  @Test(arguments: mistakes.indices) func aMistakeIsNamedWithItsPlace(_ index: Int) {
    let (text, expected) = Self.mistakes[index]
    #expect(Self.read(text).diagnostics.first?.description == "z.zone:\(expected)", "\(text)")
  }

  @Test func everyMistakeIsReportedAtOnce() {
    let file = Self.read("a 1 A x\nb 1 A 192.0.2.1\nc 1 A y\n$NO\n")
    #expect(file.diagnostics.map(\.place.line) == [1, 3, 4])
    #expect(file.records.count == 1)
    let endless = Self.read(String(repeating: "a 1 A x\n", count: 1000))
    #expect(endless.diagnostics.count == ZoneFile.maximumDiagnostics)
  }

  @Test func ownersTimesAndClassesCarryOver() {
    let file = Self.read(
      """
      @ 60 IN TXT a ; the origin
        TXT b
      x IN 1h TXT c
      y 1h IN TXT d
      $TTL 5
      z TXT e
      $ORIGIN sub
      @ TXT f
      abs.test. TXT g
      w ( 7
        TXT ) "h;not" ; a comment
      """)
    #expect(file.diagnostics == [])
    #expect(
      file.records.map { "\($0.record.name) \($0.record.ttl)" } == [
        "z.test. 60", "z.test. 60", "x.z.test. 3600", "y.z.test. 3600", "z.z.test. 5", "sub.z.test. 5", "abs.test. 5",
        "w.sub.z.test. 7",
      ])
    #expect(file.records.last?.record.description.hasSuffix("TXT \"h;not\"") ?? false)
  }

  @Test func includesKeepTheirOriginToThemselves() throws {
    let files = ["inner": "$ORIGIN deep.z.test.\na 1 A 192.0.2.1\n", "self": "$INCLUDE self\n"]
    func read(_ text: String) -> ZoneFile {
      ZoneFile(Array(text.utf8), file: "z", origin: Name("z.test")!) { files[$0].map { Array($0.utf8) } }
    }
    let file = read("$INCLUDE inner ; here\nb 1 A 192.0.2.2\n$INCLUDE inner other\n")
    #expect(file.records.map(\.record.name.description) == ["a.deep.z.test.", "b.z.test.", "a.deep.z.test."])
    #expect(file.records[0].place == ZonePlace(file: "inner", line: 2, column: 1))
    #expect(read("$INCLUDE self").diagnostics.first?.text == "$INCLUDE nested more than 8 deep")
  }

  @Test func placesOutliveIncludes() {
    let file = ZoneFile(
      Array("a 1 A 192.0.2.1\n$INCLUDE i\nc 1 A 192.0.2.3\n".utf8), file: "z", origin: named("z.test")
    ) {
      _ in Array("\nb 1 A 192.0.2.2\n".utf8)
    }
    #expect(
      file.records.map(\.place) == [
        ZonePlace(file: "z", line: 1, column: 1), ZonePlace(file: "i", line: 2, column: 1),
        ZonePlace(file: "z", line: 3, column: 1),
      ])
  }

  @Test func whatHasNoRoomIsRefusedWithItsPlace() {
    let text = (0..<20).map { "host\($0) 1 A 192.0.2.1\n" }.joined()
    let file = ZoneFile(Array(text.utf8), file: "z", origin: named("z.test"), limit: 300)
    #expect(
      file.diagnostics.map(\.description) == [
        "z:11:1: error: the zone is too large: up to here it has 2 GiB of names and data"
      ])
    #expect(file.records.count == 10)
  }

  /// Names that share suffixes, in any order and case: every ancestor is there once, in canonical order, and is found.
  @Test func everyNameAndItsAncestorsAreNodes() throws {
    var random = Random(seed: 7)
    for _ in 0..<200 {
      var text = "$TTL 9\n@ SOA ns h 1 1 1 1 1\n@ NS ns\n"
      var expected: Set<Name> = [named("z.test")]
      for _ in 0..<Int(random.below(40)) {
        let labels = (0...Int(random.below(4))).map { _ in
          ["a", "B", "ab", "\\000", "\\001", "aaaaaaaaaa", "aaaaaaaaab"][Int(random.below(7))]
        }
        let owner = labels.joined(separator: ".")
        text += "\(owner) A 192.0.2.\(random.below(250))\n"
        var name = try Name(text: ArraySlice(owner.utf8), origin: named("z.test"))
        while name != named("z.test") {
          expected.insert(name)
          name = name.parent!
        }
      }
      let zone = try Zone.parse(text, apex: named("z.test")).zone
      let owners = zone.nodes.indices.map { zone.name(of: $0) }
      #expect(Set(owners) == expected && owners.count == expected.count)
      #expect(owners == owners.sorted())
    }
  }

  @Test func aRecordOfTheApexIsAddedAsIfItHadBeenWritten() throws {
    func zone(_ more: String) throws -> Zone {
      try Zone.parse(
        "$TTL 9\n@ SOA ns h 1 1 1 1 1\n@ NS ns\n@ TXT t\nns A 192.0.2.1\n*.w TXT x\nd NS ns\n\(more)",
        apex: named("z.test")
      ).zone
    }
    let data: [UInt8] = [1, 1, 3, 13, 5]
    for (before, after) in [
      ("", "@ 5 DNSKEY 257 3 13 BQ==\n"),
      ("@ DNSKEY 256 3 13 AAAA\n", "@ DNSKEY 256 3 13 AAAA\n@ 5 DNSKEY 257 3 13 BQ==\n"),
    ] {
      let (added, written) = (try zone(before).adding(toApex: .dnskey, ttl: 5, data: data), try zone(after))
      #expect(Set(added.records) == Set(written.records) && added.recordCount == written.recordCount)
      #expect(added.adding(toApex: .dnskey, ttl: 5, data: data).records == added.records)
      let (one, other) = (Server([added]), Server([written]))
      for (name, type) in [
        ("z.test", RecordType.dnskey), ("z.test", .txt), ("a.w.z.test", .txt), ("x.d.z.test", .a), ("no.z.test", .a),
      ] {
        let query = Message.query(named(name), type, udpSize: 1232)
        #expect(one.ask(query, over: .tcp)?.answers.count == other.ask(query, over: .tcp)?.answers.count)
      }
    }
  }

  @Test func circlesThroughOtherZonesAreNamedOnce() throws {
    func read(_ apex: String, _ text: String) throws -> ZoneReading {
      let file = ZoneFile(Array("$TTL 9\n@ SOA ns h 1 1 1 1 1\n@ NS ns\n\(text)".utf8), file: apex, origin: named(apex))
      return try Zone.build(apex: named(apex), records: file.records)
    }
    let one = try read(
      "a.test", "x CNAME x.b.test.\nin CNAME x\n*.w CNAME y.b.test.\nok CNAME ok.b.test.\nout CNAME a.other.\n")
    let two = try read("b.test", "x CNAME in.a.test.\ny CNAME z.w.a.test.\nok A 192.0.2.1\nd NS ns\n")
    #expect(one.warnings == [] && two.warnings == [])
    #expect(
      ZoneDeparture.circles([one, two]).map { "\($0.zone) \($0.warning)" } == [
        "0 a.test:6:1: warning: the CNAME of *.w.a.test. leads into a circle through other zones: y.b.test., *.w.a.test.",
        "0 a.test:4:1: warning: the CNAME of x.a.test. leads into a circle through other zones: x.b.test., in.a.test., x.a.test.",
      ])
    #expect(ZoneDeparture.circles([one]).isEmpty)
    let server = Server([one.zone, two.zone])
    let answer = try #require(server.ask(Message.query(named("x.a.test"), .a, udpSize: 1232), over: .tcp))
    #expect(
      answer.code == .noError
        && answer.answers.map(\.name) == [named("x.a.test"), named("x.b.test"), named("in.a.test")])
  }

  /// Records of an otherwise sound zone, and what checking says of them.
  static let doubts: [(String, String)] = [
    ("@ SOA a b 1 1 1 1 1", "error: a second SOA record"),
    ("x SOA a b 1 1 1 1 1", "error: a SOA record below the apex"),
    ("x.other. A 192.0.2.1", "error: x.other. is outside of the zone z.test."),
    ("x CNAME a\nx A 192.0.2.1", "error: x.z.test. has a CNAME record and other data"),
    ("x CNAME a\nx CNAME b", "error: x.z.test. has several CNAME records"),
    ("x DNAME a\nx DNAME b", "error: x.z.test. has several DNAME records"),
    ("x DNAME a\ny.x A 192.0.2.1", "error: y.x.z.test. is below the DNAME of x.z.test."),
    ("*.x NS ns", "error: a NS record at a wildcard"),
    ("*.x DNAME a", "error: a DNAME record at a wildcard"),
    ("x ALIAS a\nx A 192.0.2.1", "error: x.z.test. has addresses, and is answered with others' addresses too"),
    ("bal A 192.0.2.1", "error: bal.z.test. has addresses, and is answered with others' addresses too"),
    ("bal CNAME x", "error: bal.z.test. has a CNAME record and other data"),
    ("x NS ns.x", "warning: no glue: ns.x.z.test. has no address, and only x.z.test. itself could tell it"),
    ("x NS ns\nx TXT t", "warning: x.z.test. is delegated, its TXT record is never answered"),
    ("x NS ns\ny.x TXT t", "warning: y.x.z.test. is below the delegation of x.z.test., and never answered"),
    ("x NS ns\nx DNAME t", "error: x.z.test. is delegated by NS records and has other data"),
    ("x CNAME a\n@ MX 1 x", "warning: the MX target x.z.test. is an alias (CNAME)"),
    ("x 5 A 192.0.2.1\nx 6 A 192.0.2.2", "warning: the A records have different times to live; the smallest is used"),
    ("x A 192.0.2.1\nx A 192.0.2.1", "warning: the same A record comes twice"),
    ("x CNAME x", "warning: the CNAME of x.z.test. leads into a circle, at x.z.test."),
    ("x CNAME y\ny CNAME v\nv CNAME y", "warning: the CNAME of x.z.test. leads into a circle, at y.z.test."),
    (
      (0..<14).map { "c\($0) CNAME c\($0 + 1)" }.joined(separator: "\n"),
      "warning: more than 12 CNAMEs in a row from c0.z.test. on: nobody follows them"
    ),
    (
      (0..<300).map { "x TXT \"\(1000 + $0)\(String(repeating: "t", count: 240))\"" }.joined(separator: "\n"),
      "warning: the TXT records of x.z.test. take 77126 bytes, and a message has 65535: they are never answered"
    ),
  ]

  @Test(arguments: doubts.indices) func aZoneIsChecked(_ index: Int) throws {
    let (text, expected) = Self.doubts[index]
    let file = Self.read("$TTL 9\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n\(text)\n")
    #expect(file.diagnostics == [], "\(text)")
    let apex = named("z.test")
    let balanced = [named("bal.z.test"): "set"]
    let diagnostics: [ZoneDiagnostic]
    do {
      diagnostics = try Zone.build(apex: apex, records: file.records, balanced: balanced).warnings
      #expect(expected.hasPrefix("warning"), "\(text)")
    } catch {
      diagnostics = error.diagnostics
    }
    #expect(diagnostics.contains { "\($0.severity.rawValue): \($0.text)" == expected }, "\(text): \(diagnostics)")
  }

  @Test func whatIsAnsweredIsNotDoubted() throws {
    let chain = (0..<12).map { "c\($0) CNAME c\($0 + 1)" }.joined(separator: "\n") + "\nc12 A 192.0.2.1\n"
    let texts = (0..<250).map { "x TXT \"\(1000 + $0)\(String(repeating: "t", count: 240))\"" }.joined(separator: "\n")
    let file = Self.read("$TTL 9\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n\(chain)\(texts)\n")
    let reading = try Zone.build(apex: named("z.test"), records: file.records)
    #expect(reading.warnings == [])
    let server = Server([reading.zone])
    #expect(server.ask(Message.query(named("x.z.test"), .txt, udpSize: 1232), over: .tcp)?.answers.count == 250)
    #expect(server.ask(Message.query(named("c0.z.test"), .a, udpSize: 1232), over: .tcp)?.answers.count == 13)
  }

  @Test func aZoneNeedsItsApex() {
    #expect(throws: ZoneErrors.self) { try Zone.parse("$TTL 1\n@ NS ns\nns A 192.0.2.1\n", apex: Name("z.test")!) }
    #expect(throws: ZoneErrors.self) { try Zone.parse("$TTL 1\n@ SOA a b 1 1 1 1 1\n", apex: Name("z.test")!) }
  }
}
