internal import Glibc
package import Model

/// A TCP connection that the kernel has for this machine, whoever has its socket (linux/inet_diag.h).
package struct OpenConnection: Hashable, Sendable {
  /// Unmapped.
  package var local: Endpoint
  /// The kernel's number for it.
  package var cookie: UInt64
}

extension Netlink {
  /// Connections to these addresses that somebody still waits for: handshakes under way, those that nobody has accepted
  /// yet, and closed ones whose last bytes are not acknowledged. Not those that only remember their port.
  ///
  /// Of a conversation with `.sockets`. Costs a walk over the kernel's table, and an answer for each that is found.
  package mutating func openConnections(to addresses: [IPAddress]) throws(NetlinkError) -> [OpenConnection] {
    var found: [OpenConnection] = []
    for start in stride(from: 0, to: addresses.count, by: Diag.addressesAtOnce) {
      let some = addresses[start..<min(start + Diag.addressesAtOnce, addresses.count)]
      // IPv4 addresses too may be those of sockets of IPv6.
      for family in some.allSatisfy({ $0.family == .v6 }) ? [AF_INET6] : [AF_INET, AF_INET6] {
        var request = NetlinkMessage(Diag.byFamily, flags: RT.request | RT.dump)
        request.number(UInt8(family))
        request.number(UInt8(IPPROTO_TCP))
        request.number(UInt16(0))
        request.number(Diag.unfinished)
        for _ in 0..<6 { request.number(UInt64(0)) }  // struct inet_diag_sockid: any
        request.attribute(Diag.bytecode, Diag.program(some))
        found += try list(request, "list connections").compactMap(OpenConnection.init)
      }
    }
    return found
  }
}

extension OpenConnection {
  /// From struct inet_diag_msg.
  init?(_ answer: NetlinkAnswer) {
    let body = answer.body
    guard answer.type == Diag.byFamily, body.count >= 52, let family = body.number(UInt8.self),
      let port = body.number(UInt16.self, at: 4), let low = body.number(UInt32.self, at: 44),
      let high = body.number(UInt32.self, at: 48)
    else { return nil }
    let start = body.startIndex + 8
    guard let address = body[start..<(start + (family == UInt8(AF_INET) ? 4 : 16))].address else { return nil }
    local = Endpoint(address.unmapped, UInt16(bigEndian: port))
    cookie = UInt64(high) << 32 | UInt64(low)
  }
}

private enum Diag {
  /// SOCK_DIAG_BY_FAMILY, INET_DIAG_REQ_BYTECODE, INET_DIAG_BC_JMP, INET_DIAG_BC_S_COND.
  static let byFamily: UInt16 = 20, bytecode: UInt16 = 1, jump: UInt8 = 1, sourceCondition: UInt8 = 7
  /// TCP_ESTABLISHED, SYN_RECV, FIN_WAIT1, CLOSE_WAIT, LAST_ACK, CLOSING (net/tcp_states.h).
  static let unfinished: UInt32 = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 8 | 1 << 9 | 1 << 11
  /// What fits into an attribute, with room.
  static let addressesAtOnce = 500

  /// Holds for sockets whose own address is one of these: conditions with jumps to the end between them. One that does
  /// not hold goes on behind its jump, the last one beyond the end, where nothing holds. The kernel takes no program
  /// whose steps do not lie on the way of conditions that hold.
  static func program(_ addresses: ArraySlice<IPAddress>) -> [UInt8] {
    let sizes = addresses.map { 12 + $0.width / 8 }
    var rest = sizes.reduce(0) { $0 + $1 + 4 } - 4
    var message = NetlinkMessage(0, flags: 0)
    let header = message.bytes.count
    for (address, size) in zip(addresses, sizes) {
      message.number(sourceCondition)
      message.number(UInt8(size))
      message.number(UInt16(size + 4))
      // struct inet_diag_hostcond: any port.
      message.number(UInt8(address.family == .v4 ? AF_INET : AF_INET6))
      message.number(UInt8(address.width))
      message.number(UInt16(0))
      message.number(Int32(-1))
      for byte in address.bytes { message.number(byte) }
      rest -= size
      guard rest > 0 else { break }
      message.number(jump)
      message.number(UInt8(4))
      message.number(UInt16(rest))
      rest -= 4
    }
    return Array(message.bytes.dropFirst(header))
  }
}
