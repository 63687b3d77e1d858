import Config
import Foundation
import Model
import Testing

/// `bgp` of the reference file, value by value.
@Suite struct BGPReferenceTests {
  let bgp: BGPTopology

  init() throws {
    let text = try String(contentsOf: referenceFile, encoding: .utf8)
    bgp = try #require(try Config.load(text, file: "reference.yaml", baseDirectory: "/etc/sluice").topology.bgp)
  }

  @Test func theNodesPart() {
    var expected = BGPTopology(localAS: 65001, identifier: 0xc000_0202)
    expected.port = 1790
    expected.listen = [.loopbackV4]
    expected.device = nil
    expected.gracefulRestart = .seconds(60)
    expected.drain.prepend = 3
    expected.speakers = bgp.speakers
    expected.announcements = bgp.announcements
    #expect(bgp == expected)
  }

  @Test func speakersTakeWhatTheirTemplateSays() {
    var tor1 = BGPSpeaker(
      name: "tor1", peer: .address(IPAddress(127, 0, 0, 2), interface: nil), peerAS: .exactly(65000))
    tor1.port = 1790
    tor1.localAddress = .loopbackV4
    tor1.password = "a-shared-word"
    tor1.distance = .secured(hops: 1)
    tor1.bfd = BFDOptions()
    #expect(bgp.speakers[0] == tor1)
    #expect(bgp.speakers[1].peer == .address(IPAddress(v6: 0xfe80 << 48, 1), interface: "lo"))
    #expect(bgp.speakers[1].localAS == 65009 && bgp.speakers[1].passive && bgp.speakers[1].extendedNextHop)
    #expect(bgp.speakers[2].distance == .multihop(3))
    #expect(bgp.speakers[3].peerAS == .external)
    #expect(bgp.speakers[3].peer == .range(IPPrefix("127.1.0.0/16") ?? IPPrefix(host: .anyV4), limit: 10))
  }

  @Test func theAnnouncement() throws {
    let web = try #require(bgp.announcements.first)
    #expect(web.prefixes.map(\.description) == ["203.0.113.1/32", "2001:db8:f::1/128"])
    #expect(
      web.conditions == [.init(.pool("web"), healthy: .count(2)), .init(.listener("web")), .init(.vip("front"))])
    #expect(web.terms.communities == [65001 << 16 | 100, 0xffff_ff01] && web.terms.med == 100)
    #expect(web.terms.largeCommunities == [.init(65001, 1, 2)])
    #expect(web.terms.extendedCommunities == Set([UInt64(2) << 48 | 65001 << 32 | 7]))
    #expect(web.speakers == ["tor1", "core"])
    let degrade = try #require(web.degrade)
    #expect(degrade.conditions == [.init(.pool("web"))] && degrade.terms.prepend == 3 && degrade.terms.med == 500)
    #expect(degrade.terms.communities == [BGPTerms.gracefulShutdownForTests] && degrade.terms.origin == .incomplete)
  }

  /// What is wrong, and a part of what is said of it.
  @Test(arguments: [
    ("as: 0\n  router-id: 1.1.1.1", "expected an AS number"),
    ("router-id: 1.1.1.1", "expected `as`"),
    ("as: 1\n  router-id: 1.1.1.1\n  speakers: { a: { address: 10.0.0.1 } }", "expected `as`"),
    ("as: 1\n  router-id: 1.1.1.1\n  speakers: { a: { as: 2 } }", "expected one of `address`, `range`"),
    (
      "as: 1\n  router-id: 1.1.1.1\n  speakers: { a: { address: 10.0.0.1, as: 2, hold-time: 2s } }", "from 3s to 65535s"
    ),
    ("as: 1\n  router-id: 1.1.1.1\n  speakers: { a: { address: \"fe80::1\", as: 2 } }", "needs an `interface`"),
    ("as: 1\n  router-id: 1.1.1.1\n  speakers: { a: { address: 10.0.0.1, template: x, as: 2 } }", "no template `x`"),
    (
      "as: 1\n  router-id: 1.1.1.1\n  speakers: { a: { address: 10.0.0.1, as: 2 }, b: { address: 10.0.0.1, as: 2 } }",
      "another one has the same peer"
    ),
    (
      "as: 1\n  router-id: 1.1.1.1\n  speakers: { a: { address: 10.0.0.1, as: 2, local-address: \"2001:db8::1\" } }",
      "is not of the family"
    ),
    (
      "as: 1\n  router-id: 1.1.1.1\n  announcements: { w: { prefixes: [10.0.0.1/32], while: { pool: wen } } }",
      "no pool `wen`; did you mean `web`?"
    ),
    (
      "as: 1\n  router-id: 1.1.1.1\n  announcements: { w: { prefixes: [10.0.0.1/32], while: { pool: web, healthy: 2 } } }",
      "the pool has only 1 backends"
    ),
    (
      "as: 1\n  router-id: 1.1.1.1\n  announcements: { w: { prefixes: [10.0.0.1/32] }, v: { prefixes: [10.0.0.1/32] } }",
      "is announced by `w` too"
    ),
    (
      "as: 1\n  router-id: 1.1.1.1\n  announcements: { w: { prefixes: [10.0.0.1/32], communities: [\"1:99999\"] } }",
      "expected a community"
    ),
    (
      "as: 1\n  router-id: 1.1.1.1\n  announcements: { w: { prefixes: [10.0.0.1/32], degrade: { while: { pool: web } } } }",
      "less preferred"
    ),
    ("as: 1\n  router-id: 1.1.1.1\n  templates: { t: { address: 10.0.0.1 } }", "belongs to a speaker"),
  ])
  func mistakesAreNamed(_ part: String, _ expected: String) {
    let found = Snippet.root("bgp:\n  \(part)").diagnostics
    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }
}

extension BGPTerms {
  fileprivate static let gracefulShutdownForTests: UInt32 = 0xffff_0000
}
