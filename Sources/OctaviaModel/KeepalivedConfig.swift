/// VRRP of one amphora, for the real keepalived. It tracks no script: the agent ends it with the data plane.
package enum KeepalivedConfig {
  /// The first address of such a text, and how long a backup waits for a dead master: three intervals and a skew of less
  /// than one.
  package static func takeover(_ text: String) -> (address: String, wait: Duration)? {
    var interval = 1.0
    var isNext = false
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.first == "advert_int", let seconds = words.last.flatMap({ Double($0) }) { interval = seconds }
      if isNext, let address = words.first?.split(separator: "/").first {
        return (String(address), .milliseconds(Int((4 * interval * 1000).rounded())))
      }
      isNext = words.first == "virtual_ipaddress"
    }
    return nil
  }

  /// - Parameter interval: between advertisements, in seconds.
  package static func text(
    _ tree: Tree, of amphora: Record, interface: String, prefix: Int, interval: Double
  ) -> String {
    let own = amphora.text("vrrp_ip")
    let peers = tree.amphorae.filter { $0.id != amphora.id && !$0["vrrp_ip"].isNull }.map { $0.text("vrrp_ip") }
    let name = tree.id.filter { $0 != "-" }
    let seconds = interval == interval.rounded() ? String(Int(interval)) : String(interval)
    return """
      global_defs {
        vrrp_version \(interval < 1 ? 3 : 2)
      }
      vrrp_instance \(name) {
        interface \(interface)
        state BACKUP
        virtual_router_id \(amphora.number("vrrp_id"))
        priority \(amphora.number("vrrp_priority"))
        nopreempt
        accept
        garp_master_refresh 5
        garp_master_refresh_repeat 2
        advert_int \(seconds)
        unicast_src_ip \(own)
        unicast_peer {
      \(peers.map { "    \($0)\n" }.joined())  }
        virtual_ipaddress {
      \(tree.vipAddresses.map { "    \($0)/\(prefix)\n" }.joined())  }
      }

      """
  }
}
