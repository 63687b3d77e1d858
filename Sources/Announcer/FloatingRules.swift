package import Model

/// The NAT rules of all mappings as one nftables transaction (libnftables-json(5)): our table is replaced whole, nobody
/// else's is looked at.
///
/// Towards the floating address the destination becomes the fixed one; what the server opens by itself leaves under the
/// floating one. Replies follow from connection tracking.
package struct FloatingRules: Hashable, Sendable {
  package static let table = "sluice_floating"
  /// How many rules there are, whatever is mapped.
  package static let count = 6

  /// Floating address to fixed address.
  package var mappings: [IPAddress: IPAddress]

  package init(_ mappings: [IPAddress: IPAddress]) { self.mappings = mappings }

  /// What `nft -j -f` reads. Added first, so that there is something to delete; without mappings nothing follows.
  package var text: String {
    let table = "{\"table\":{\"family\":\"inet\",\"name\":\"\(FloatingRules.table)\"}}"
    var commands = ["{\"add\":\(table)}", "{\"delete\":\(table)}"]
    if !mappings.isEmpty {
      commands.append("{\"add\":\(table)}")
      commands += [
        map("in4", .v4) { ($0, $1) }, map("in6", .v6) { ($0, $1) }, map("out4", .v4) { ($1, $0) },
        map("out6", .v6) { ($1, $0) },
      ]
      for (chain, priority) in [("prerouting", -100), ("output", -100), ("postrouting", 100)] {
        commands.append(FloatingRules.chain(chain, priority))
        for family in ["4", "6"] { commands.append(FloatingRules.rule(chain, family)) }
      }
    }
    return "{\"nftables\":[\n\(commands.joined(separator: ",\n"))\n]}\n"
  }

  private func map(
    _ name: String, _ family: IPAddress.Family, _ pair: (IPAddress, IPAddress) -> (IPAddress, IPAddress)
  ) -> String {
    let type = family == .v4 ? "ipv4_addr" : "ipv6_addr"
    let elements = mappings.filter { $0.key.family == family }.sorted { $0.key < $1.key }.map { floating, fixed in
      let (from, to) = pair(floating, fixed)
      return "[\"\(from)\",\"\(to)\"]"
    }
    var fields = "\"name\":\"\(name)\",\"type\":\"\(type)\",\"map\":\"\(type)\""
    if !elements.isEmpty { fields += ",\"elem\":[\(elements.joined(separator: ","))]" }
    return "{\"add\":{\"map\":{\"family\":\"inet\",\"table\":\"\(FloatingRules.table)\",\(fields)}}}"
  }

  private static func chain(_ name: String, _ priority: Int) -> String {
    "{\"add\":{\"chain\":{\"family\":\"inet\",\"table\":\"\(table)\",\"name\":\"\(name)\",\"type\":\"nat\",\"hook\":\"\(name)\",\"prio\":\(priority),\"policy\":\"accept\"}}}"
  }

  /// `dnat ip to ip daddr map @in4`, or `snat ip to ip saddr map @out4` behind the routing.
  private static func rule(_ chain: String, _ family: String) -> String {
    let isSource = chain == "postrouting"
    let (verdict, field, map) = isSource ? ("snat", "saddr", "out\(family)") : ("dnat", "daddr", "in\(family)")
    let layer = family == "4" ? "ip" : "ip6"
    let key = "{\"payload\":{\"protocol\":\"\(layer)\",\"field\":\"\(field)\"}}"
    let statement =
      "{\"\(verdict)\":{\"family\":\"\(layer)\",\"addr\":{\"map\":{\"key\":\(key),\"data\":\"@\(map)\"}}}}"
    return
      "{\"add\":{\"rule\":{\"family\":\"inet\",\"table\":\"\(table)\",\"chain\":\"\(chain)\",\"expr\":[\(statement)]}}}"
  }
}
