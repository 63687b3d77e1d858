/// A query as nearly all are: one question of class IN, and perhaps an OPT record without options.
///
/// PERF: read by words, and without a look at its name but for where labels begin: a name that a zone's key is equal to
/// is one. What is anything else is read by `Query`.
struct ShortQuery: BitwiseCopyable {
  /// The header's first eight bytes, first byte lowest.
  let head: UInt64
  /// Behind the name, which begins at 12, and so where type and class stand.
  let nameEnd: Int
  let type: RecordType
  /// The answer's largest size as the client says; nil: no OPT.
  let udpSize: Int?
  /// Of the OPT record: DO and CO.
  let isSecure: Bool
  let isCompact: Bool
  let labels: Int
  /// Where the last eight labels begin in the name, the last one lowest.
  private let starts: UInt64

  static let optSize = 11

  init?(_ bytes: Span<UInt8>) {
    guard bytes.count >= 20 else { return nil }
    head = Octets.load(bytes, at: 0)
    // QR, opcode, one question, no answers.
    guard head & 0xffff_ffff_00f8_0000 == 0x0000_0100_0000_0000 else { return nil }
    switch Octets.load(bytes, at: 8) & 0xffff_ffff {
    case 0:
      nameEnd = bytes.count &- 4
      (udpSize, isSecure, isCompact) = (nil, false, false)
    case 0x0100_0000:
      let start = bytes.count &- ShortQuery.optSize
      nameEnd = start &- 4
      // Owner, type and version; no options.
      let front = Octets.load(bytes, at: start)
      guard front & 0x00ff_0000_00ff_ffff == 0x0029_0000 else { return nil }
      let back = Octets.load(bytes, at: start &+ 3).byteSwapped
      guard back & 0xffff == 0 else { return nil }
      udpSize = Int(truncatingIfNeeded: back &>> 48)
      isSecure = back & 0x8000_0000 != 0
      isCompact = back & 0x4000_0000 != 0
    default: return nil
    }
    // A word can be read at each suffix of four bytes; shorter ones are not here.
    guard nameEnd >= 16, nameEnd <= 12 &+ Name.maximumLength else { return nil }
    let tail = Octets.load(bytes, at: nameEnd &- 4).byteSwapped
    guard tail & 0xffff == 1 else { return nil }
    type = RecordType(rawValue: UInt16(truncatingIfNeeded: tail &>> 16))
    var position = 12
    var labels = 0
    var starts: UInt64 = 0
    while position < nameEnd, bytes[position] != 0 {
      starts = starts &<< 8 | UInt64(truncatingIfNeeded: position &- 12)
      position &+= Int(bytes[position]) &+ 1
      labels &+= 1
    }
    guard position == nameEnd &- 1 else { return nil }
    self.labels = labels
    self.starts = starts
  }

  /// Where the suffix of some labels begins in the name; at most eight.
  @inline(__always) func start(_ count: Int) -> Int {
    count == 0 ? nameEnd &- 13 : Int(truncatingIfNeeded: starts &>> UInt64(truncatingIfNeeded: (count &- 1) &* 8) & 255)
  }
}

extension Zones {
  /// Where a query's name is: its zone, where that one's apex begins in the name, its node. nil: nowhere, or it takes
  /// longer to tell.
  @inline(__always) func find(
    _ query: ShortQuery, _ bytes: Span<UInt8>
  ) -> (zone: Int, apex: Int, node: Int)? {
    var left = depths
    guard left &>> 9 == 0 else { return nil }
    if query.labels < 8 { left &= (2 &<< UInt64(truncatingIfNeeded: query.labels)) &- 1 }
    // The longest apex, by the shortest way to its hash: apexes of two depths are rare.
    while left != 0 {
      let depth = 63 &- left.leadingZeroBitCount
      let apex = query.start(depth)
      var hash = SuffixHash()
      let zone = find(hash.extended(to: apex, bytes, start: 12, end: query.nameEnd))
      if zone >= 0 {
        let whole = hash.extended(to: 0, bytes, start: 12, end: query.nameEnd)
        // A key that is equal is that of an apex above, too.
        let node = list[zone].find(whole, bytes, 12, query.nameEnd)
        return node >= 0 ? (zone, apex, node) : nil
      }
      left &= ~(1 &<< UInt64(truncatingIfNeeded: depth))
    }
    return nil
  }
}
