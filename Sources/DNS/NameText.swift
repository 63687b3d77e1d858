/// Why a text is not a name.
package enum NameTextError: Error, Hashable, Sendable {
  case empty, emptyLabel, labelTooLong, nameTooLong, badEscape, relative

  package var text: String {
    switch self {
    case .empty: "the name is empty"
    case .emptyLabel: "the name has an empty label"
    case .labelTooLong: "a label has more than 63 bytes"
    case .nameTooLong: "the name has more than 255 bytes"
    case .badEscape: "a backslash needs a character, or three digits up to 255"
    case .relative: "the name does not end in a dot, and there is no origin to complete it"
    }
  }
}

/// The presentation format of RFC 1035 §5.1: labels with dots between, `\DDD` and `\X` escapes, "@" for the origin.
extension Name: CustomStringConvertible {
  /// A name in presentation format; one without a final dot is completed by `origin`.
  package init(text: ArraySlice<UInt8>, origin: Name?) throws(NameTextError) {
    guard let first = text.first else { throw .empty }
    if text.count == 1, first == UInt8(ascii: "@"), let origin {
      self = origin
      return
    }
    if text.count == 1, first == UInt8(ascii: ".") {
      self = .root
      return
    }
    var wire: [UInt8] = []
    wire.reserveCapacity(text.count + 1 + (origin?.wire.count ?? 0))
    wire.append(0)
    var labelStart = 0
    var index = text.startIndex
    var isAbsolute = false
    while index < text.endIndex {
      isAbsolute = false
      var byte = text[index]
      if byte == UInt8(ascii: ".") {
        let length = wire.count - labelStart - 1
        guard length > 0 else { throw .emptyLabel }
        wire[labelStart] = UInt8(length)
        labelStart = wire.count
        wire.append(0)
        isAbsolute = true
        index += 1
        continue
      }
      if byte == UInt8(ascii: "\\") {
        guard let (value, width) = escape(in: text, at: index) else { throw .badEscape }
        byte = value
        index += width
      } else {
        index += 1
      }
      wire.append(byte)
      guard wire.count - labelStart - 1 <= Name.maximumLabel else { throw .labelTooLong }
      guard wire.count < Name.maximumLength + 1 else { throw .nameTooLong }
    }
    if isAbsolute {
      guard wire.count <= Name.maximumLength else { throw .nameTooLong }
      self.init(unchecked: wire)
      return
    }
    wire[labelStart] = UInt8(wire.count - labelStart - 1)
    guard let origin else { throw .relative }
    wire += origin.wire
    guard wire.count <= Name.maximumLength else { throw .nameTooLong }
    self.init(unchecked: wire)
  }

  /// An absolute name, the final dot optional; nil when it is none.
  package init?(_ text: String) {
    guard let name = try? Name(text: ArraySlice(text.utf8), origin: .root) else { return nil }
    self = name
  }

  /// With the final dot.
  package var description: String {
    guard !isRoot else { return "." }
    var text: [UInt8] = []
    for offset in labelOffsets {
      for byte in wire[(offset + 1)...(offset + Int(wire[offset]))] {
        switch byte {
        case 0x21...0x7e:
          // What master files give a meaning to.
          if ".\\\"();@$".utf8.contains(byte) { text.append(UInt8(ascii: "\\")) }
          text.append(byte)
        default: text += decimalEscape(byte)
        }
      }
      text.append(UInt8(ascii: "."))
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// The byte that an escape at `index` (a backslash) means, and how long the escape is.
func escape(in text: ArraySlice<UInt8>, at index: Int) -> (byte: UInt8, width: Int)? {
  guard index + 1 < text.endIndex else { return nil }
  let next = text[index + 1]
  guard next &- 48 < 10 else { return (next, 2) }
  guard index + 3 < text.endIndex, text[index + 2] &- 48 < 10, text[index + 3] &- 48 < 10 else { return nil }
  let value = Int(next - 48) * 100 + Int(text[index + 2] - 48) * 10 + Int(text[index + 3] - 48)
  return value < 256 ? (UInt8(value), 4) : nil
}

/// `\DDD`
func decimalEscape(_ byte: UInt8) -> [UInt8] {
  [UInt8(ascii: "\\"), 48 + byte / 100, 48 + byte / 10 % 10, 48 + byte % 10]
}
