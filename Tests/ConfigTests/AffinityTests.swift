import Config
import Model
import Testing

/// `affinity`: what a right one means, and what is said of a wrong one.
@Suite struct AffinityTests {
  private func text(_ affinity: String, node: String = "site: eu-1", protocol: String = "http") -> String {
    """
    node: { \(node) }
    listeners:
      web:
        bind: 127.0.0.1:1
        protocol: \(`protocol`)
        affinity: \(affinity)
        pool: web
    pools:
      web: { backends: [127.0.0.1:2] }
      us: { backends: [127.0.0.1:3] }
    """
  }

  @Test func theOwnSiteIsTheNodesAndTheRestIsTheFiles() throws {
    let affinity = "{ cookie: { name: S, max-age: 1h, same-site: none, secure: true }, forward: { us-1: us } }"
    let loaded = try Config.load(text(affinity), file: "t.yaml", baseDirectory: "/nowhere")
    var expected = SiteAffinity(site: "eu-1")
    expected.cookie.name = "S"
    (expected.cookie.maxAge, expected.cookie.sameSite, expected.cookie.secure) = (.seconds(3600), "None", true)
    expected.forward = [.init(site: "us-1", pool: "us")]
    #expect(loaded.topology.listeners[0].affinity == expected)
    // A pool that only another site's clients are sent to is used.
    #expect(loaded.warnings.isEmpty)
    let plain = try Config.load(text("{ forward: { us-1: us } }"), file: "t.yaml", baseDirectory: "/nowhere")
    #expect(plain.topology.listeners[0].affinity?.cookie == InsertedCookie(name: "SLUICE-SITE"))
  }

  @Test func whatIsWrongIsSaid() {
    #expect(faults(text("{ forward: { us-1: su } }")) == ["6:34 no pool `su`"])
    #expect(faults(text("{ cookie: {} }")) == ["6:15 `affinity`: expected `forward`: a pool for each other site"])
    #expect(
      faults(text("{ forward: { us-1: us } }", node: "name: a"))
        == ["6:15 `affinity` needs `site` of `node`, the name of the site that this node is at"])
    #expect(
      faults(text("{ forward: { eu-1: us } }")) == ["6:28 `eu-1` is this node's own site; expected the others"])
    #expect(
      faults(text("{ forward: { us-1: us } }", protocol: "tcp"))
        == ["6:5 `affinity` is for http listeners; this one is tcp"])
    let dns = """

      dns:
        listen: "127.0.0.1:5"
        zones: { z.test: { records: "$TTL 60\\n@ SOA ns h 1 2 3 4 5\\n@ NS ns\\nns A 192.0.2.1\\n" } }
        sites: { us-2: { addresses: [192.0.2.1] } }
      """
    #expect(
      faults(text("{ forward: { us-1: us } }") + dns) == ["6:28 `dns` has no site `us-1`; did you mean `us-2`?"])
  }
}
