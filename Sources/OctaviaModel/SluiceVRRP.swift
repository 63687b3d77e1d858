/// The configuration of the Sluice that moves a load balancer's address between its amphorae.
package enum SluiceVRRP {
  /// - Parameters:
  ///   - prefix: the length of the VIP's network.
  ///   - secret: signs adverts; it belongs to exactly these amphorae, so that one that was replaced is not believed.
  package static func document(
    _ tree: Tree, of amphora: Record, interface: String, prefix: Int, interval: Duration, sockets: String,
    secret: String
  ) -> JSON {
    let others = tree.amphorae.filter { $0.id != amphora.id && !$0["vrrp_ip"].isNull }.map { $0["vrrp_ip"] }
    let isV6 = amphora.text("vrrp_ip").contains(":")
    let all = tree.vipAddresses
    var addresses: [String] = []
    var companions: [String] = []
    for (index, address) in all.enumerated() {
      // An advert holds one family; the other's addresses move along.
      let text = index == 0 ? "\(address)/\(prefix)" : address
      if address.contains(":") == isV6 { addresses.append(text) } else { companions.append(text) }
    }
    // In steps of ten milliseconds.
    let interval = max(Int(interval / .milliseconds(10)), 1) * 10
    var vip = JSONObject([
      ("interface", .string(interface)), ("addresses", .strings(addresses)), ("router-id", amphora["vrrp_id"]),
      ("version", 3), ("priority", amphora["vrrp_priority"]), ("interval", .string("\(interval)ms")),
      ("preempt", false), ("source", amphora["vrrp_ip"]), ("peers", .array(others)),
      ("keys", .array([.object(["id": 1, "secret": .string(secret)])])),
    ])
    if !companions.isEmpty { vip["companions"] = .strings(companions) }
    return .object([
      "admin": .object(["socket": .string(SocketPlace.vrrp(sockets))]), "workers": 1, "access-log": "off",
      "listeners": .object([:]), "pools": .object([:]), "vip-realtime": true, "vips": .object(["vip": .object(vip)]),
    ])
  }
}
