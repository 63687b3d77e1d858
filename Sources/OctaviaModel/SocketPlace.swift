/// Where an amphora's Unix sockets are: a path of theirs has at most 97 bytes, and several amphorae may share a host.
package enum SocketPlace {
  package static func folder(_ amphora: String) -> String { "/run/sluice-amphora/\(short(amphora))" }
  package static func haproxy(_ folder: String, _ balancer: String) -> String {
    "\(folder)/haproxy-\(short(balancer)).sock"
  }
  package static func sluice(_ folder: String, _ balancer: String) -> String {
    "\(folder)/sluice-\(short(balancer)).sock"
  }
  package static func vrrp(_ folder: String) -> String { "\(folder)/vrrp.sock" }

  private static func short(_ id: String) -> String { String(id.filter { $0 != "-" }.prefix(12)) }
}
