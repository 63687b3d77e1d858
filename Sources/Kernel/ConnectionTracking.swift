internal import Glibc
package import Model

/// The kernel's table of connections (nfnetlink_conntrack.h), as far as it is needed: forgetting some.
extension Netlink {
  /// Forgets every connection that was opened to the address, and every one whose answers come to it, so that the next
  /// packet is looked at by the rules of now.
  package mutating func forgetConnections(of address: IPAddress) throws(NetlinkError) {
    for side in [CT.original, CT.reply] {
      var request = NetlinkMessage(CT.delete, flags: RT.request | RT.ack)
      // struct nfgenmsg: family, version, resource.
      request.number(UInt8(address.family == .v4 ? AF_INET : AF_INET6))
      request.number(UInt8(0))
      request.number(UInt16(0))
      request.nest(side | CT.nested) { tuple in
        tuple.nest(CT.tupleAddresses | CT.nested) {
          $0.attribute(address.family == .v4 ? CT.destinationV4 : CT.destinationV6, address.bytes)
        }
      }
      // Linux 5.8: which parts of the tuples have to match.
      request.nest(CT.filter | CT.nested) {
        $0.attribute(CT.filterOriginal, side == CT.original ? CT.matchDestination : 0)
        $0.attribute(CT.filterReply, side == CT.reply ? CT.matchDestination : 0)
      }
      do {
        try perform(request, "forget the connections of \(address)")
      } catch  where error.errno == Errno(ENOENT) {
        continue
      }
    }
  }
}

private enum CT {
  /// NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE.
  static let delete: UInt16 = 1 << 8 | 2
  static let original: UInt16 = 1, reply: UInt16 = 2, filter: UInt16 = 25
  static let tupleAddresses: UInt16 = 1, destinationV4: UInt16 = 2, destinationV6: UInt16 = 4
  static let filterOriginal: UInt16 = 1, filterReply: UInt16 = 2
  static let matchDestination: UInt32 = 2
  static let nested: UInt16 = 0x8000
}
