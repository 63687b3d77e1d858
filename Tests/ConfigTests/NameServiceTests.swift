import Config
import Foundation
import Model
import Testing

/// `dns`: what a right one means, and what is said of a wrong one.
@Suite struct NameServiceTests {
  private func load(_ dns: String) throws -> Topology {
    try Config.load("dns:\n" + dns, file: "t.yaml", baseDirectory: "/nowhere").topology
  }

  @Test func encryptionNeedsAnAddressAndACertificate() {
    let rest =
      "  listen: 127.0.0.1:53\n  zones: { z.test: { records: \"@ 60 SOA n h 1 2 3 4 5\\n@ 60 NS n\\nn 60 A 192.0.2.1\\n\" } }\n"
    let cases = [
      ("  tls: { listen: 127.0.0.1:853 }\n", "`tls`: expected `certificate` (and `key`), or a list of `certificates`"),
      ("  tls: { certificate: /none.pem }\n", "`tls`: expected `listen`: addresses such as 0.0.0.0:853"),
      ("  tls: { listen: 127.0.0.1:853, alpn: h2 }\n", "unknown key `alpn` in tls"),
    ]
    for (text, message) in cases {
      #expect(errors(rest + text).contains { $0.contains(message) }, "\(text): \(errors(rest + text))")
    }
  }

  private func errors(_ dns: String) -> [String] { faults("dns:\n" + dns) }

  private let zone = """
      listen: "127.0.0.1:5300"
      zones:
        z.test:
          records: |
            $TTL 60
            @ SOA ns h 1 2 3 4 5
            @ NS ns
            ns A 192.0.2.1

    """

  @Test func aReferenceIsReadValueByValue() throws {
    let text = try String(contentsOf: referenceFile, encoding: .utf8)
    let topology = try Config.load(text, file: "reference.yaml", baseDirectory: "/etc/sluice").topology
    let names = try #require(topology.names)
    #expect(names.binds == [Endpoint(.loopbackV4, 5354), Endpoint(.loopbackV6, 5354)])
    #expect(names.workers == 1 && names.serverID == "node-a" && names.version == "sluice" && names.cookies)
    #expect(names.resolver == Endpoint("192.0.2.53:53"))
    #expect(names.rateLimit == ResponseRate())
    #expect(names.keys.map(\.name) == ["secondary.example.net"] && names.keys[0].secret.count == 32)
    let zone = try #require(names.zones.first)
    #expect(zone.name == "example.com." && zone.balanced.count == 4)
    #expect(zone.transfer.keys == ["secondary.example.net"] && zone.transfer.notify == [Endpoint("192.0.2.54:53")])
    #expect(names.sites.map(\.name) == ["eu-1", "us-1"])
    #expect(names.sites[0].quorum == 2 && names.sites[0].nodes == ["eu-1-a", "eu-1-b"])
    let api = try #require(names.names.first { $0.name == "api.example.com." })
    #expect(api.root.policy == .geo && api.answers == 2 && api.shuffle && api.panicThreshold == 0.3)
    #expect(
      api.root.choices[0].matches == [
        .country("TR"), .continent("EU"), .system(64_500), .near(52_500, 13_400),
      ])
    guard case .group(let inner) = api.root.choices[0].target else {
      Issue.record("the first choice is a group")
      return
    }
    #expect(inner == NameGroup(.failover, [NameChoice(.site("eu-1")), NameChoice(.site("us-1"))]))
    let watched = try #require(topology.pools.first { $0.name == "site:eu-1" })
    #expect(watched.backends.map(\.name) == ["192.0.2.10", "2001:db8::10"])
    #expect(watched.probe?.every == .seconds(2))
  }

  @Test func mistakesAreToldWithTheirPlace() {
    #expect(errors("  zones: {}\n").contains { $0.contains("expected `listen`") })
    #expect(
      errors(zone + "  names: { www.elsewhere.test: { from: [192.0.2.1] } }\n").contains {
        $0.contains("no zone here holds the name `www.elsewhere.test.`")
      })
    #expect(
      errors(zone + "  names: { www.z.test: { from: [nopool] } }\n").contains {
        $0.contains("no pool or site `nopool`")
      })
    #expect(
      errors(zone + "  names: { www.z.test: { balance: weigted, from: [192.0.2.1] } }\n").contains {
        $0.contains("did you mean `weighted`?")
      })
    #expect(
      errors(zone + "  names: { www.z.test: { from: [{ address: 192.0.2.1, country: DE }] } }\n").contains {
        $0.contains("decides only in a group with `balance: geo`")
      })
    #expect(
      errors(zone + "  names: { www.z.test: { from: [192.0.2.1], probe: tcp } }\n").contains {
        $0.contains("needs a port to be probed")
      })
    #expect(
      errors(zone + "  names: { ns.z.test: { from: [192.0.2.1] } }\n").contains { $0.contains("has addresses") })
  }

  @Test func aCircleThroughTwoZonesIsWarnedOf() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-circle-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (zone, other) in [("a", "b"), ("b", "a")] {
      try Data("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nx CNAME x.\(other).test.\n".utf8).write(
        to: folder.appendingPathComponent(zone))
    }
    let text = "dns:\n  listen: \"127.0.0.1:5300\"\n  zones: { a.test: { file: a }, b.test: { file: b } }\n"
    let warnings = try Config.load(text, file: "t.yaml", baseDirectory: folder.path).warnings.filter {
      $0.message.contains("circle")
    }
    #expect(
      warnings.map { $0.text(source: text) } == [
        "\(folder.path)/a:5:1: warning: the CNAME of x.a.test. leads into a circle through other zones: x.b.test., x.a.test.\n"
      ])
  }

  @Test func aZoneFileIsReadWithItsIncludesAndItsErrorsHaveTheirPlace() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-zone-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func write(_ name: String, _ text: String) throws {
      try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }
    try write("z.zone", "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n$INCLUDE hosts\n")
    try write("hosts", "ns A 192.0.2.1\n")
    let text = "dns:\n  listen: \"127.0.0.1:5300\"\n  zones: { z.test: { file: z.zone } }\n"
    let topology = try Config.load(text, file: "t.yaml", baseDirectory: folder.path).topology
    #expect(topology.names?.zones.first?.texts.map(\.path) == ["\(folder.path)/z.zone", "hosts"])
    try write("hosts", "ns A 192.0.2.1\nbad A 192.0.2\n")
    do {
      _ = try Config.load(text, file: "t.yaml", baseDirectory: folder.path)
      Issue.record("the error is found")
    } catch {
      let found = try #require(error.diagnostics.first)
      #expect(found.file == "hosts" && found.place == Place(2, 7))
      #expect(found.text(source: text).hasPrefix("hosts:2:7: error:"))
    }
  }
}
