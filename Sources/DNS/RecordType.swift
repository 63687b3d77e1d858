/// A record type's number (IANA, "Resource Record (RR) TYPEs"), with its mnemonic or `TYPE123` (RFC 3597 §5).
package struct RecordType: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  package let rawValue: UInt16
  @inlinable package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let a = RecordType(rawValue: 1)
  package static let ns = RecordType(rawValue: 2)
  package static let cname = RecordType(rawValue: 5)
  package static let soa = RecordType(rawValue: 6)
  package static let ptr = RecordType(rawValue: 12)
  package static let hinfo = RecordType(rawValue: 13)
  package static let mx = RecordType(rawValue: 15)
  package static let txt = RecordType(rawValue: 16)
  package static let aaaa = RecordType(rawValue: 28)
  package static let srv = RecordType(rawValue: 33)
  package static let naptr = RecordType(rawValue: 35)
  package static let dname = RecordType(rawValue: 39)
  package static let opt = RecordType(rawValue: 41)
  package static let ds = RecordType(rawValue: 43)
  package static let sshfp = RecordType(rawValue: 44)
  package static let rrsig = RecordType(rawValue: 46)
  package static let nsec = RecordType(rawValue: 47)
  /// Not a type of records: says that a name does not exist (RFC 9824 §3.1).
  package static let nxname = RecordType(rawValue: 128)
  package static let dnskey = RecordType(rawValue: 48)
  package static let tlsa = RecordType(rawValue: 52)
  package static let svcb = RecordType(rawValue: 64)
  package static let https = RecordType(rawValue: 65)
  package static let spf = RecordType(rawValue: 99)
  package static let tsig = RecordType(rawValue: 250)
  package static let ixfr = RecordType(rawValue: 251)
  package static let axfr = RecordType(rawValue: 252)
  package static let any = RecordType(rawValue: 255)
  package static let caa = RecordType(rawValue: 257)
  /// Not a type on the wire: "answer this owner with the addresses of that name" (a private number, as PowerDNS uses).
  package static let alias = RecordType(rawValue: 65401)

  /// Not data: OPT, and the range of query types and meta types (RFC 6895 §3.1).
  @inlinable package var isMeta: Bool { self == .opt || (128...255).contains(rawValue) || rawValue == 0 }

  static let names: [(RecordType, String)] = [
    (.a, "A"), (.ns, "NS"), (.cname, "CNAME"), (.soa, "SOA"), (.ptr, "PTR"), (.hinfo, "HINFO"), (.mx, "MX"),
    (.txt, "TXT"), (.aaaa, "AAAA"), (.srv, "SRV"), (.naptr, "NAPTR"), (.dname, "DNAME"), (.opt, "OPT"), (.ds, "DS"),
    (.sshfp, "SSHFP"), (.rrsig, "RRSIG"), (.nsec, "NSEC"), (.nxname, "NXNAME"),
    (.dnskey, "DNSKEY"), (.tlsa, "TLSA"), (.svcb, "SVCB"), (.https, "HTTPS"), (.spf, "SPF"),
    (.tsig, "TSIG"), (.ixfr, "IXFR"), (.axfr, "AXFR"), (.any, "ANY"), (.caa, "CAA"), (.alias, "ALIAS"),
  ]
  private static let byName = Dictionary(names.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  private static let byNumber = Dictionary(names.map { ($0, $1) }, uniquingKeysWith: { first, _ in first })
}

extension RecordType: LosslessStringConvertible {
  package init?(_ text: String) {
    let upper = text.uppercased()
    if let known = RecordType.byName[upper] {
      self = known
    } else if upper.hasPrefix("TYPE"), upper.utf8.dropFirst(4).allSatisfy({ $0 &- 48 < 10 }),
      let number = UInt16(upper.dropFirst(4))
    {
      self.init(rawValue: number)
    } else {
      return nil
    }
  }

  package var description: String { RecordType.byNumber[self] ?? "TYPE\(rawValue)" }
}

/// A record class. Zones are IN; CH serves `version.bind`.
package struct RecordClass: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  package let rawValue: UInt16
  @inlinable package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let internet = RecordClass(rawValue: 1)
  package static let chaos = RecordClass(rawValue: 3)
  package static let none = RecordClass(rawValue: 254)
  package static let any = RecordClass(rawValue: 255)

  package var description: String {
    switch self {
    case .internet: "IN"
    case .chaos: "CH"
    case .none: "NONE"
    case .any: "ANY"
    default: "CLASS\(rawValue)"
    }
  }

  package init?(_ text: String) {
    switch text.uppercased() {
    case "IN": self = .internet
    case "CH": self = .chaos
    case "HS": self.init(rawValue: 4)
    case let upper where upper.hasPrefix("CLASS"):
      guard upper.utf8.dropFirst(5).allSatisfy({ $0 &- 48 < 10 }), let number = UInt16(upper.dropFirst(5)) else {
        return nil
      }
      self.init(rawValue: number)
    default: return nil
    }
  }
}

/// A response code; those above 15 need EDNS (RFC 6895 §2.3).
package struct ResponseCode: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  package let rawValue: UInt16
  @inlinable package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let noError = ResponseCode(rawValue: 0)
  package static let formatError = ResponseCode(rawValue: 1)
  package static let serverFailure = ResponseCode(rawValue: 2)
  package static let nameError = ResponseCode(rawValue: 3)
  package static let notImplemented = ResponseCode(rawValue: 4)
  package static let refused = ResponseCode(rawValue: 5)
  package static let nameExists = ResponseCode(rawValue: 6)
  package static let notAuthoritative = ResponseCode(rawValue: 9)
  package static let badVersion = ResponseCode(rawValue: 16)

  package var description: String {
    switch rawValue {
    case 0: "NOERROR"
    case 1: "FORMERR"
    case 2: "SERVFAIL"
    case 3: "NXDOMAIN"
    case 4: "NOTIMP"
    case 5: "REFUSED"
    case 6: "YXDOMAIN"
    case 9: "NOTAUTH"
    case 16: "BADVERS"
    case 23: "BADCOOKIE"
    default: "RCODE\(rawValue)"
    }
  }
}
