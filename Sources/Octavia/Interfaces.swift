internal import Foundation
internal import OctaviaModel

/// The amphora's own network, by ip(8).
enum Interfaces {
  /// Once at the start: loopback, and sockets on addresses that are not here yet.
  static func prepareHost() {
    for (path, value) in [
      ("ipv4/ip_nonlocal_bind", "1"), ("ipv6/ip_nonlocal_bind", "1"), ("ipv4/ip_forward", "0"),
      ("ipv4/tcp_fin_timeout", "30"),
    ] { try? value.write(toFile: "/proc/sys/net/\(path)", atomically: false, encoding: .utf8) }
  }

  private static func links() async -> [JSON] {
    let result = await Program.run(["ip", "-j", "addr"])
    return (try? JSON(parsing: result.output))?.array ?? []
  }

  /// The interface that has an address.
  static func named(having address: String) async -> String? {
    await links().first { ($0["addr_info"].array ?? []).contains { $0["local"].string == address } }?["ifname"].string
  }

  static func named(mac: String) async -> String? {
    await links().first { $0["address"].string == mac.lowercased() }?["ifname"].string
  }

  /// The hardware addresses of these interfaces, as far as they are there.
  static func addresses(_ names: [String]) async -> JSONObject {
    var found = JSONObject()
    for link in await links() {
      if let name = link["ifname"].string, names.contains(name) { found[name] = link["address"] }
    }
    return found
  }

  static func forgetRoutes(of name: String) async {
    _ = await Program.run(["ip", "route", "flush", "dev", name])
    _ = await Program.run(["ip", "-6", "route", "flush", "dev", name, "proto", "static"])
  }

  static func add(_ address: String, prefix: Int, to name: String) async throws {
    try await Program.must(
      ["ip", "addr", "replace", "\(address)/\(prefix)", "dev", name] + (address.contains(":") ? ["nodad"] : []))
  }

  static func bringUp(_ name: String, mtu: Int?) async throws {
    try await Program.must(["ip", "link", "set", name, "up"] + (mtu.map { ["mtu", String($0)] } ?? []))
  }

  static func route(_ destination: String, via gateway: String, on name: String) async throws {
    try await Program.must(["ip", "route", "replace", destination, "via", gateway, "dev", name])
  }

  /// First packets of connections to these addresses are dropped, so that their clients send them again later.
  static func refuseNew(_ addresses: [String]) async {
    let rules = addresses.map { address in
      "add rule inet sluice_handover new \(address.contains(":") ? "ip6" : "ip") daddr \(address) tcp flags & (syn | ack) == syn drop\n"
    }
    _ = await Program.run(
      ["nft", "-f", "-"],
      input:
        "add table inet sluice_handover\nadd chain inet sluice_handover new { type filter hook prerouting priority -300; }\n"
        + rules.joined())
  }

  static func acceptNew() async { _ = await Program.run(["nft", "delete", "table", "inet", "sluice_handover"]) }

  /// Tells the network where an address is now.
  static func announce(_ address: String, on name: String) async {
    if address.contains(":") { return }
    _ = await Program.run(["arping", "-q", "-U", "-c", "2", "-I", name, address])
  }
}
