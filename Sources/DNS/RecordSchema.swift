/// One part of a record's data, as it stands on the wire and in a zone file.
enum RecordField: Sendable {
  case u8, u16, u32
  /// Seconds, in text also "1h30m".
  case seconds
  case ipv4, ipv6
  case name
  /// One length-prefixed string; `strings`: one or more, to the end.
  case string, strings
  /// A property tag (RFC 8659 §4.1.1): a string of letters and digits.
  case tag
  /// A value without a length, to the end of the data.
  case text
  case hex, base64
  /// Service parameters, to the end of the data (RFC 9460 §2.2).
  case services
}

/// The fields of each type that has its own presentation format; every other type is opaque (RFC 3597).
enum RecordSchema {
  static func fields(of type: RecordType) -> [RecordField]? { table[type] }

  private static let table: [RecordType: [RecordField]] = [
    .a: [.ipv4],
    .aaaa: [.ipv6],
    .ns: [.name], .cname: [.name], .ptr: [.name], .dname: [.name], .alias: [.name],
    .mx: [.u16, .name],
    .soa: [.name, .name, .u32, .seconds, .seconds, .seconds, .seconds],
    .hinfo: [.string, .string],
    .txt: [.strings], .spf: [.strings],
    .srv: [.u16, .u16, .u16, .name],
    .naptr: [.u16, .u16, .string, .string, .string, .name],
    .caa: [.u8, .tag, .text],
    .ds: [.u16, .u8, .u8, .hex],
    .sshfp: [.u8, .u8, .hex],
    .tlsa: [.u8, .u8, .u8, .hex],
    .dnskey: [.u16, .u8, .u8, .base64],
    .svcb: [.u16, .name, .services], .https: [.u16, .name, .services],
  ]
}

extension RecordType {
  /// Which names of its data a sender may compress: only the types of RFC 1035 (RFC 3597 §4).
  /// `skip` bytes come before the first, `names` names follow each other.
  @inlinable var compressible: (skip: Int, names: Int)? {
    switch self {
    case .ns, .cname, .ptr: (0, 1)
    case .mx: (2, 1)
    case .soa: (0, 2)
    default: nil
    }
  }

  /// Where the name stands whose addresses belong in the additional section (RFC 1035 §3.3, 2782, 9460 §4.1).
  @inlinable var additionalName: Int? {
    switch self {
    case .ns: 0
    case .mx, .svcb, .https: 2
    case .srv: 6
    default: nil
    }
  }
}
