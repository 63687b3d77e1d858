import Wire

/// The ASes that a route passed (RFC 4271 §4.3 b).
package struct ASPath: Hashable, Sendable {
  package enum Kind: UInt8, Sendable {
    case set = 1
    case sequence = 2
  }

  package struct Segment: Hashable, Sendable {
    package var kind: Kind
    package var numbers: [UInt32]
    package init(_ kind: Kind, _ numbers: [UInt32]) {
      self.kind = kind
      self.numbers = numbers
    }
  }

  package var segments: [Segment]

  package init(_ segments: [Segment] = []) { self.segments = segments }
  package init(sequence numbers: [UInt32]) { segments = numbers.isEmpty ? [] : [Segment(.sequence, numbers)] }

  /// The length that routers compare: a set counts once (§9.1.2.2).
  package var length: Int { segments.reduce(0) { $0 + ($1.kind == .set ? 1 : $1.numbers.count) } }

  package var first: UInt32? { segments.first.flatMap { $0.kind == .sequence ? $0.numbers.first : nil } }

  package func contains(_ number: UInt32) -> Bool { segments.contains { $0.numbers.contains(number) } }

  package mutating func prepend(_ number: UInt32, times: Int) {
    guard times > 0 else { return }
    let numbers = Array(repeating: number, count: times)
    if segments.first?.kind == .sequence {
      segments[0].numbers.insert(contentsOf: numbers, at: 0)
    } else {
      segments.insert(Segment(.sequence, numbers), at: 0)
    }
  }

  /// A segment holds at most 255 numbers: a longer one is written as several.
  func encode(fourOctetAS: Bool, into writer: inout ByteWriter) {
    for segment in segments {
      for start in stride(from: 0, to: segment.numbers.count, by: 255) {
        let part = segment.numbers[start..<min(start + 255, segment.numbers.count)]
        writer.u8(segment.kind.rawValue)
        writer.u8(UInt8(part.count))
        for number in part {
          if fourOctetAS { writer.u32(number) } else { writer.u16(UInt16(exactly: number) ?? Open.asTrans) }
        }
      }
    }
  }

  /// nil for what RFC 7606 §7.2 calls malformed: an unknown or empty segment, one that
  /// passes the end, a lone octet behind the last; and AS 0 (RFC 7607), confederation segments (RFC 5065 §5.3).
  static func decode(_ bytes: Span<UInt8>, fourOctetAS: Bool) -> ASPath? {
    var path = ASPath()
    var reader = ByteReader(bytes)
    while !reader.isAtEnd {
      guard let type = reader.u8(), let count = reader.u8(), let kind = Kind(rawValue: type), count > 0 else {
        return nil
      }
      guard reader.remaining >= Int(count) * (fourOctetAS ? 4 : 2) else { return nil }
      var numbers: [UInt32] = []
      numbers.reserveCapacity(Int(count))
      for _ in 0..<count {
        guard let number = fourOctetAS ? reader.u32() : reader.u16().map(UInt32.init), number != 0 else { return nil }
        numbers.append(number)
      }
      path.segments.append(Segment(kind, numbers))
    }
    return path
  }

  /// RFC 6793 §4.2.3: the true path from AS_PATH (with AS_TRANS in it) and AS4_PATH, which may lack
  /// the front part that two-octet speakers added; an AS4_PATH that is longer is ignored.
  package func merged(with four: ASPath) -> ASPath {
    var surplus = length - four.length
    guard surplus >= 0 else { return self }
    var result = ASPath()
    for segment in segments where surplus > 0 {
      switch segment.kind {
      case .set:
        result.segments.append(segment)
        surplus -= 1
      case .sequence:
        let part = Array(segment.numbers.prefix(surplus))
        result.segments.append(Segment(.sequence, part))
        surplus -= part.count
      }
    }
    for segment in four.segments {
      if segment.kind == .sequence, let last = result.segments.last, last.kind == .sequence,
        last.numbers.count + segment.numbers.count <= 255
      {
        result.segments[result.segments.count - 1].numbers += segment.numbers
      } else {
        result.segments.append(segment)
      }
    }
    return result
  }
}

extension ASPath: CustomStringConvertible {
  /// "65001 65002 {64512 64513}".
  package var description: String {
    segments.map { segment in
      let numbers = segment.numbers.map(String.init).joined(separator: " ")
      return segment.kind == .set ? "{\(numbers)}" : numbers
    }.joined(separator: " ")
  }
}
