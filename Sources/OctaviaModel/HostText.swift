/// Addresses as URLs and settings write them: IPv6 in brackets (RFC 3986 §3.2.2).
package enum HostText {
  package static func host(_ address: String) -> String { address.contains(":") ? "[\(address)]" : address }

  package static func endpoint(_ address: String, _ port: Int) -> String { "\(host(address)):\(port)" }
}
