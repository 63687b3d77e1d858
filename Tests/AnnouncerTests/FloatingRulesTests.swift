import Announcer
import Foundation
import Model
import Testing

@Suite struct FloatingRulesTests {
  private func commands(_ mappings: [IPAddress: IPAddress]) throws -> [[String: Any]] {
    let object = try JSONSerialization.jsonObject(with: Data(FloatingRules(mappings).text.utf8))
    return try #require((object as? [String: Any])?["nftables"] as? [[String: Any]])
  }

  @Test func withoutMappingsTheTableGoes() throws {
    #expect(try commands([:]).map(\.keys.first) == ["add", "delete"])
  }

  @Test func bothDirectionsMirrorEachOther() throws {
    let six = try #require(IPAddress("2001:db8::1")), server = try #require(IPAddress("2001:db8:1::1"))
    let list = try commands([IPAddress(203, 0, 113, 1): IPAddress(10, 0, 0, 1), six: server])
    let added = list.compactMap { $0["add"] as? [String: Any] }
    var maps: [String: [[String]]] = [:]
    for case let map as [String: Any] in added.compactMap({ $0["map"] }) {
      maps[try #require(map["name"] as? String)] = map["elem"] as? [[String]]
    }
    #expect(
      maps == [
        "in4": [["203.0.113.1", "10.0.0.1"]], "out4": [["10.0.0.1", "203.0.113.1"]],
        "in6": [["2001:db8::1", "2001:db8:1::1"]], "out6": [["2001:db8:1::1", "2001:db8::1"]],
      ])
    #expect(added.count { $0["rule"] != nil } == FloatingRules.count)
    #expect(added.count { $0["chain"] != nil } == 3)
  }
}
