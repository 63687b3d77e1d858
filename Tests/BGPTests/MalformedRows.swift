/// What is wrong, in which state it arrives, and the reaction that the RFCs ask for.
struct MalformedRow: Sendable {
  enum Reaction: Sendable, Equatable {
    case reset(UInt8, UInt8)
    /// Treat-as-withdraw because of an attribute.
    case withdraw(UInt8)
    case discard(UInt8)
    case fine
  }

  let name: String
  let bytes: [UInt8]
  let reaction: Reaction

  init(_ name: String, _ bytes: [UInt8], _ reaction: Reaction) {
    self.name = name
    self.bytes = bytes
    self.reaction = reaction
  }

  static let headers: [MalformedRow] = [
    MalformedRow("marker, first byte", [0] + message(4, []).dropFirst(), .reset(1, 1)),
    MalformedRow("marker, last byte", Array(repeating: 255, count: 15) + [254, 0, 19, 4], .reset(1, 1)),
    MalformedRow("one byte that is no marker", [0x47], .reset(1, 1)),
    MalformedRow("an HTTP request", Array("GET / HTTP/1.1\r\n".utf8), .reset(1, 1)),
    MalformedRow("length 0", message(4, [], length: 0), .reset(1, 2)),
    MalformedRow("length 18", message(4, [], length: 18), .reset(1, 2)),
    MalformedRow("KEEPALIVE of 20", message(4, [0]), .reset(1, 2)),
    MalformedRow("KEEPALIVE of 65535", message(4, [], length: 65535), .reset(1, 2)),
    MalformedRow("UPDATE of 22", message(2, [0, 0, 0]), .reset(1, 2)),
    MalformedRow("UPDATE of 19", message(2, []), .reset(1, 2)),
    MalformedRow("NOTIFICATION of 20", message(3, [6]), .reset(1, 2)),
    MalformedRow("ROUTE-REFRESH of 19", message(5, []), .reset(1, 2)),
    MalformedRow("ROUTE-REFRESH of 22", message(5, [0, 1, 0]), .reset(1, 2)),
    MalformedRow("ROUTE-REFRESH request of 24", message(5, [0, 1, 0, 1, 0]), .reset(1, 2)),
    MalformedRow("ROUTE-REFRESH begin of 24", message(5, [0, 1, 1, 1, 0]), .reset(7, 1)),
    MalformedRow("ROUTE-REFRESH end of 25", message(5, [0, 1, 2, 1, 0, 0]), .reset(7, 1)),
    MalformedRow("ROUTE-REFRESH of an unknown subtype", message(5, [0, 1, 9, 1]), .fine),
    MalformedRow("ROUTE-REFRESH of an unknown family", message(5, [0, 25, 0, 65]), .fine),
    MalformedRow("OPEN of 28 by its header", message(1, [], length: 28), .reset(1, 2)),
    MalformedRow("OPEN of 4097", message(1, [], length: 4097), .reset(1, 2)),
    MalformedRow("type 0", message(0, []), .reset(1, 3)),
    MalformedRow("type 6", message(6, []), .reset(1, 3)),
    MalformedRow("type 255", message(255, []), .reset(1, 3)),
    MalformedRow("unknown type, length 5000", message(9, [], length: 5000), .reset(1, 2)),
    MalformedRow("OPEN once more", open(), .reset(5, 3)),
  ]

  private static let four = capability(65, [0, 0, 0xfd, 0xea])

  static let opens: [MalformedRow] = [
    MalformedRow("version 3", open(version: 3), .reset(2, 1)),
    MalformedRow("version 5", open(version: 5), .reset(2, 1)),
    MalformedRow("version 0", open(version: 0), .reset(2, 1)),
    MalformedRow("another AS", open(autonomousSystem: 65003), .reset(2, 2)),
    MalformedRow("AS 0", open(autonomousSystem: 0), .reset(2, 2)),
    MalformedRow("our AS", open(autonomousSystem: 65001), .reset(2, 2)),
    MalformedRow("AS_TRANS without the capability", open(autonomousSystem: 23456), .reset(2, 2)),
    MalformedRow("four-octet AS 0", open(parameters: capability(65, [0, 0, 0, 0])), .reset(2, 2)),
    MalformedRow("four-octet AS of another", open(parameters: capability(65, [0, 0, 0xfd, 0xeb])), .reset(2, 2)),
    MalformedRow(
      "AS_TRANS with the AS of another", open(autonomousSystem: 23456, parameters: capability(65, [0, 1, 0, 0])),
      .reset(2, 2)),
    MalformedRow("identifier 0", open(identifier: [0, 0, 0, 0]), .reset(2, 3)),
    MalformedRow("hold time 1", open(hold: 1), .reset(2, 6)),
    MalformedRow("hold time 2", open(hold: 2), .reset(2, 6)),
    MalformedRow("hold time 0", open(hold: 0), .fine),
    MalformedRow("hold time 3", open(hold: 3), .fine),
    MalformedRow("hold time 65535", open(hold: 65535), .fine),
    MalformedRow("authentication parameter", open(parameters: [1, 1, 0]), .reset(2, 4)),
    MalformedRow("unknown parameter", open(parameters: [77, 0]), .reset(2, 4)),
    MalformedRow("parameters longer than the message", open(parameters: [2, 0], parameterLength: 9), .reset(2, 0)),
    MalformedRow(
      "parameters shorter than the message", open(parameters: [2, 0, 2, 0], parameterLength: 2), .reset(2, 0)),
    MalformedRow("a parameter cut off", open(parameters: [2]), .reset(2, 0)),
    MalformedRow("a parameter past the end", open(parameters: [2, 4, 1]), .reset(2, 0)),
    MalformedRow("a capability past its parameter", open(parameters: [2, 2, 65, 4]), .reset(2, 0)),
    MalformedRow("a capability without length", open(parameters: [2, 1, 65]), .reset(2, 0)),
    MalformedRow("multiprotocol of 3", open(parameters: capability(1, [0, 1, 1])), .reset(2, 0)),
    MalformedRow("four-octet AS of 2", open(parameters: capability(65, [0xfd, 0xea])), .reset(2, 0)),
    MalformedRow("route refresh of 1", open(parameters: capability(2, [0])), .reset(2, 0)),
    MalformedRow("graceful restart of 1", open(parameters: capability(64, [0])), .reset(2, 0)),
    MalformedRow("graceful restart of 3", open(parameters: capability(64, [0, 0, 1])), .reset(2, 0)),
    MalformedRow("extended next hop of 5", open(parameters: capability(5, [0, 1, 0, 1, 0])), .reset(2, 0)),
    MalformedRow("extended message of 1", open(parameters: capability(6, [0])), .reset(2, 0)),
    MalformedRow("ADD-PATH of 3", open(parameters: capability(69, [0, 1, 1])), .reset(2, 0)),
    MalformedRow("ADD-PATH, which we never agree to", open(parameters: capability(69, [0, 1, 1, 3])), .fine),
    MalformedRow("only a family that we lack", open(parameters: capability(1, [0, 25, 0, 70])), .reset(2, 7)),
    MalformedRow("only VPN routes", open(parameters: capability(1, [0, 1, 0, 128]) + four), .reset(2, 7)),
    MalformedRow(
      "unknown capabilities", open(parameters: capability(200, [1, 2, 3]) + capability(73, [1, 0x66])), .fine),
    MalformedRow("the same capability thrice", open(parameters: four + four + four), .fine),
    MalformedRow("an empty capabilities parameter", open(parameters: [2, 0]), .fine),
    MalformedRow("no parameters", open(), .fine),
    MalformedRow("extended parameters", message(1, hex("04fdea005a0a000002ffff0009020006 4104 0000fdea")), .fine),
    MalformedRow(
      "extended parameters cut off", message(1, hex("04fdea005a0a000002ffff0009020006 4104 0000fd")), .reset(2, 0)),
    MalformedRow("KEEPALIVE first", message(4, []), .reset(5, 1)),
    MalformedRow("UPDATE first", update(), .reset(5, 1)),
    MalformedRow("ROUTE-REFRESH first", message(5, [0, 1, 0, 1]), .reset(5, 1)),
  ]

  private static func mp(_ value: [UInt8], flags: UInt8 = 0x80) -> [UInt8] { attribute(flags, 14, value) }
  private static let hop6 = hex("20010db8000000000000000000000002")
  private static let reach6: [UInt8] = mp([0, 2, 1, 16] + hop6 + [0, 32, 0x20, 1, 0xd, 0xb8])

  static let updates: [MalformedRow] = [
    MalformedRow("withdrawn length past the end", message(2, [0, 9, 0, 0]), .reset(3, 1)),
    MalformedRow("attributes length past the end", message(2, [0, 0, 0, 9]), .reset(3, 1)),
    MalformedRow("withdrawn length leaves no room", message(2, [0, 2, 0, 0]), .reset(3, 1)),
    MalformedRow("withdrawn /33", update(withdrawn: [33, 1, 2, 3, 4, 5]), .reset(3, 10)),
    MalformedRow("withdrawn cut off", update(withdrawn: [24, 1, 2]), .reset(3, 10)),
    MalformedRow("NLRI /33", update(required, nlri: [33, 1, 2, 3, 4, 0]), .reset(3, 10)),
    MalformedRow("NLRI /255", update(required, nlri: [255, 1]), .reset(3, 10)),
    MalformedRow("NLRI cut off", update(required, nlri: [32, 1, 2, 3]), .reset(3, 10)),
    MalformedRow("no ORIGIN", update([path, hop], nlri: net), .withdraw(1)),
    MalformedRow("no AS_PATH", update([origin, hop], nlri: net), .withdraw(2)),
    MalformedRow("no NEXT_HOP", update([origin, path], nlri: net), .withdraw(3)),
    MalformedRow("no attributes at all", update(nlri: net), .withdraw(3)),
    MalformedRow("ORIGIN of 0", update([attribute(0x40, 1, []), path, hop], nlri: net), .withdraw(1)),
    MalformedRow("ORIGIN of 2", update([attribute(0x40, 1, [0, 0]), path, hop], nlri: net), .withdraw(1)),
    MalformedRow("ORIGIN 3", update([attribute(0x40, 1, [3]), path, hop], nlri: net), .withdraw(1)),
    MalformedRow("ORIGIN optional", update([attribute(0xc0, 1, [0]), path, hop], nlri: net), .withdraw(1)),
    MalformedRow("ORIGIN not transitive", update([attribute(0x00, 1, [0]), path, hop], nlri: net), .withdraw(1)),
    MalformedRow("ORIGIN twice", update([origin] + required, nlri: net), .discard(1)),
    MalformedRow("ORIGIN twice, the second bad", update(required + [attribute(0x40, 1, [9])], nlri: net), .discard(1)),
    MalformedRow(
      "AS_PATH of an unknown segment", update([origin, attribute(0x40, 2, [9, 1, 0, 0, 0, 1]), hop], nlri: net),
      .withdraw(2)),
    MalformedRow(
      "AS_PATH of a confederation", update([origin, attribute(0x40, 2, [3, 1, 0, 0, 0, 1]), hop], nlri: net),
      .withdraw(2)),
    MalformedRow(
      "AS_PATH with an empty segment", update([origin, attribute(0x40, 2, [2, 0]), hop], nlri: net), .withdraw(2)),
    MalformedRow(
      "AS_PATH segment past the end", update([origin, attribute(0x40, 2, [2, 2, 0, 0, 0, 1]), hop], nlri: net),
      .withdraw(2)),
    MalformedRow(
      "AS_PATH with a byte behind", update([origin, attribute(0x40, 2, [2, 1, 0, 0, 0, 1, 2]), hop], nlri: net),
      .withdraw(2)),
    MalformedRow(
      "AS_PATH with AS 0", update([origin, attribute(0x40, 2, [2, 1, 0, 0, 0, 0]), hop], nlri: net), .withdraw(2)),
    MalformedRow("AS_PATH optional", update([origin, attribute(0xc0, 2, []), hop], nlri: net), .withdraw(2)),
    MalformedRow("NEXT_HOP of 3", update([origin, path, attribute(0x40, 3, [1, 2, 3])], nlri: net), .withdraw(3)),
    MalformedRow("NEXT_HOP of 16", update([origin, path, attribute(0x40, 3, hop6)], nlri: net), .withdraw(3)),
    MalformedRow(
      "NEXT_HOP 0.0.0.0", update([origin, path, attribute(0x40, 3, [0, 0, 0, 0])], nlri: net), .withdraw(3)),
    MalformedRow(
      "NEXT_HOP 127.0.0.1", update([origin, path, attribute(0x40, 3, [127, 0, 0, 1])], nlri: net), .withdraw(3)),
    MalformedRow(
      "NEXT_HOP multicast", update([origin, path, attribute(0x40, 3, [224, 0, 0, 5])], nlri: net), .withdraw(3)),
    MalformedRow(
      "NEXT_HOP broadcast", update([origin, path, attribute(0x40, 3, [255, 255, 255, 255])], nlri: net), .withdraw(3)),
    MalformedRow("MED of 3", update(required + [attribute(0x80, 4, [1, 2, 3])], nlri: net), .withdraw(4)),
    MalformedRow("MED of 0", update(required + [attribute(0x80, 4, [])], nlri: net), .withdraw(4)),
    MalformedRow("MED transitive", update(required + [attribute(0xc0, 4, [0, 0, 0, 1])], nlri: net), .withdraw(4)),
    MalformedRow(
      "LOCAL_PREF from outside", update(required + [attribute(0x40, 5, [0, 0, 0, 1])], nlri: net), .discard(5)),
    MalformedRow(
      "LOCAL_PREF from outside, broken", update(required + [attribute(0x40, 5, [1])], nlri: net), .discard(5)),
    MalformedRow("ATOMIC_AGGREGATE of 1", update(required + [attribute(0x40, 6, [0])], nlri: net), .discard(6)),
    MalformedRow(
      "AGGREGATOR of 6", update(required + [attribute(0xc0, 7, [0, 1, 1, 2, 3, 4])], nlri: net), .discard(7)),
    MalformedRow("AGGREGATOR of 0", update(required + [attribute(0xc0, 7, [])], nlri: net), .discard(7)),
    MalformedRow(
      "AGGREGATOR of AS 0", update(required + [attribute(0xc0, 7, [0, 0, 0, 0, 1, 2, 3, 4])], nlri: net), .discard(7)),
    MalformedRow("communities of 3", update(required + [attribute(0xc0, 8, [1, 2, 3])], nlri: net), .withdraw(8)),
    MalformedRow("communities of 0", update(required + [attribute(0xc0, 8, [])], nlri: net), .withdraw(8)),
    MalformedRow(
      "communities not transitive", update(required + [attribute(0x80, 8, [0, 1, 0, 1])], nlri: net), .withdraw(8)),
    MalformedRow(
      "ORIGINATOR_ID from outside", update(required + [attribute(0x80, 9, [1, 2, 3, 4])], nlri: net), .discard(9)),
    MalformedRow(
      "CLUSTER_LIST from outside", update(required + [attribute(0x80, 10, [1, 2, 3])], nlri: net), .discard(10)),
    MalformedRow(
      "extended communities of 7", update(required + [attribute(0xc0, 16, [1, 2, 3, 4, 5, 6, 7])], nlri: net),
      .withdraw(16)),
    MalformedRow("extended communities of 0", update(required + [attribute(0xc0, 16, [])], nlri: net), .withdraw(16)),
    MalformedRow(
      "large communities of 8", update(required + [attribute(0xc0, 32, [1, 2, 3, 4, 5, 6, 7, 8])], nlri: net),
      .withdraw(32)),
    MalformedRow("large communities of 0", update(required + [attribute(0xc0, 32, [])], nlri: net), .withdraw(32)),
    MalformedRow(
      "AS4_PATH between four-octet speakers", update(required + [attribute(0xc0, 17, [2, 1, 0, 0, 0, 1])], nlri: net),
      .discard(17)),
    MalformedRow(
      "AS4_AGGREGATOR between four-octet speakers",
      update(required + [attribute(0xc0, 18, [0, 0, 0, 1, 1, 2, 3, 4])], nlri: net), .discard(18)),
    MalformedRow(
      "unknown well-known attribute", update(required + [attribute(0x40, 99, [1])], nlri: net), .reset(3, 2)),
    MalformedRow(
      "unknown attribute without any flag", update(required + [attribute(0x00, 0, [])], nlri: net), .reset(3, 2)),
    MalformedRow("unknown optional attribute", update(required + [attribute(0xc0, 99, [1])], nlri: net), .fine),
    MalformedRow(
      "unknown attribute twice", update(required + [attribute(0xc0, 99, [1]), attribute(0xc0, 99, [1])], nlri: net),
      .discard(99)),
    MalformedRow("a lone flag byte", update(required + [[0x40]], nlri: net), .withdraw(0)),
    MalformedRow("an attribute without length", update(required + [[0x80, 4]], nlri: net), .withdraw(4)),
    MalformedRow("an attribute with half a length", update(required + [[0x90, 4, 0]], nlri: net), .withdraw(4)),
    MalformedRow(
      "an attribute past the end", update(required + [attribute(0x80, 4, [0, 0], length: 4)], nlri: net), .withdraw(4)),
    MalformedRow(
      "an attribute far past the end", update(required + [attribute(0x90, 4, [], length: 65535)], nlri: net),
      .withdraw(4)),
    MalformedRow("the list cut off and no prefixes", update([origin, [0x40, 2, 9]]), .reset(3, 1)),
    MalformedRow("a bad attribute and no prefixes", update([attribute(0x40, 1, [7])]), .reset(3, 6)),
    MalformedRow(
      "a bad attribute and only withdrawals", update(withdrawn: net, [attribute(0x40, 1, [7])]), .reset(3, 6)),
    MalformedRow(
      "a discarded attribute and only withdrawals", update(withdrawn: net, [attribute(0x40, 6, [7])]), .discard(6)),
    MalformedRow("MP_REACH_NLRI twice", update([reach6, reach6, origin, path]), .reset(3, 1)),
    MalformedRow(
      "MP_UNREACH_NLRI twice", update([attribute(0x80, 15, [0, 2, 1]), attribute(0x80, 15, [0, 2, 1])]), .reset(3, 1)),
    MalformedRow("MP_REACH_NLRI of 4", update([mp([0, 2, 1, 16]), origin, path]), .reset(3, 9)),
    MalformedRow("MP_REACH_NLRI of 0", update([mp([]), origin, path]), .reset(3, 9)),
    MalformedRow(
      "MP_REACH_NLRI next hop past the end", update([mp([0, 2, 1, 255] + hop6), origin, path]), .reset(3, 9)),
    MalformedRow(
      "MP_REACH_NLRI without the reserved byte", update([mp([0, 2, 1, 16] + hop6), origin, path]), .reset(3, 9)),
    MalformedRow(
      "MP_REACH_NLRI next hop of 4 for IPv6", update([mp([0, 2, 1, 4, 1, 2, 3, 4, 0, 8, 0x20]), origin, path]),
      .reset(3, 9)),
    MalformedRow(
      "MP_REACH_NLRI next hop of 17", update([mp([0, 2, 1, 17] + hop6 + [0, 0, 8, 0x20]), origin, path]), .reset(3, 9)),
    MalformedRow(
      "IPv6 next hop for IPv4, not agreed on", update([mp([0, 1, 1, 16] + hop6 + [0] + net), origin, path]),
      .reset(3, 9)),
    MalformedRow(
      "MP_REACH_NLRI /129", update([mp([0, 2, 1, 16] + hop6 + [0, 129] + hop6 + [0]), origin, path]), .reset(3, 9)),
    MalformedRow(
      "MP_REACH_NLRI prefix cut off", update([mp([0, 2, 1, 16] + hop6 + [0, 64, 0x20]), origin, path]), .reset(3, 9)),
    MalformedRow(
      "MP_REACH_NLRI next hop ::",
      update([mp([0, 2, 1, 16] + Array(repeating: 0, count: 16) + [0, 8, 0x20]), origin, path]), .withdraw(14)),
    MalformedRow(
      "MP_REACH_NLRI next hop ff02::1",
      update([mp([0, 2, 1, 16, 0xff] + hop6.dropFirst() + [0, 8, 0x20]), origin, path]), .withdraw(14)),
    MalformedRow(
      "MP_REACH_NLRI transitive", update([Array([0xc0] + reach6.dropFirst()), origin, path]), .withdraw(14)),
    MalformedRow("MP_REACH_NLRI without ORIGIN", update([reach6, path]), .withdraw(1)),
    MalformedRow("MP_REACH_NLRI without AS_PATH", update([reach6, origin]), .withdraw(2)),
    MalformedRow(
      "MP_REACH_NLRI of a family not agreed on", update([mp([0, 25, 70, 4, 1, 2, 3, 4, 0, 1]), origin, path]),
      .discard(14)),
    MalformedRow("MP_UNREACH_NLRI of 2", update([attribute(0x80, 15, [0, 2])]), .reset(3, 9)),
    MalformedRow("MP_UNREACH_NLRI /200", update([attribute(0x80, 15, [0, 2, 1, 200, 1])]), .reset(3, 9)),
    MalformedRow(
      "MP_UNREACH_NLRI of a family not agreed on", update([attribute(0x80, 15, [0, 25, 70, 1, 2])]), .discard(15)),
    MalformedRow("End-of-RIB", update(), .fine),
    MalformedRow("End-of-RIB of IPv6", update([attribute(0x80, 15, [0, 2, 1])]), .fine),
    MalformedRow("host bits set in a prefix", update(required, nlri: [25, 203, 0, 113, 0xff]), .fine),
    MalformedRow("a default route", update(required, nlri: [0]), .fine),
    MalformedRow("an empty AS_PATH", update([origin, attribute(0x40, 2, []), hop], nlri: net), .fine),
    MalformedRow("long lengths for short values", update([attribute(0x50, 1, [0]), path, hop], nlri: net), .fine),
  ]
}
