/// A resource record: owner, type, class, TTL in seconds, and its data in uncompressed wire form.
package struct Record: Hashable, Sendable {
  package var name: Name
  package var type: RecordType
  package var `class`: RecordClass
  package var ttl: UInt32
  package var data: [UInt8]

  package init(_ name: Name, _ type: RecordType, class: RecordClass = .internet, ttl: UInt32, data: [UInt8]) {
    self.name = name
    self.type = type
    self.class = `class`
    self.ttl = ttl
    self.data = data
  }

  /// The name in the data of NS, CNAME, PTR, DNAME, ALIAS (at 0), MX, SVCB (2), SRV (6).
  package func dataName(at offset: Int) -> Name? {
    guard offset < data.count, let length = Name.length(in: data.span, at: offset) else { return nil }
    return Name(unchecked: Array(data[offset..<(offset + length)]))
  }

  /// The SOA's serial, refresh, retry, expire and minimum, in this order; nil for another type.
  package var authority: StartOfAuthority? { type == .soa ? StartOfAuthority(data) : nil }
}

/// The numbers of a SOA record (RFC 1035 §3.3.13), seconds but for the serial.
package struct StartOfAuthority: Hashable, Sendable {
  package var serial: UInt32
  package var refresh: UInt32
  package var retry: UInt32
  package var expire: UInt32
  package var minimum: UInt32

  init?(_ data: [UInt8]) {
    guard let primary = Name.length(in: data.span, at: 0), let mailbox = Name.length(in: data.span, at: primary),
      data.count == primary + mailbox + 20
    else { return nil }
    func word(_ index: Int) -> UInt32 {
      data[(primary + mailbox + index * 4)...].prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }
    (serial, refresh, retry, expire, minimum) = (word(0), word(1), word(2), word(3), word(4))
  }
}

/// Serial number arithmetic (RFC 1982): whether `left` is newer than `right`.
package func serial(_ left: UInt32, isNewerThan right: UInt32) -> Bool {
  left != right && left &- right < 0x8000_0000
}
