import Foundation
import HTTP
import Testing

/// The cases of Tests/Vectors/smuggling.txt; the format is told at the file's top.
struct Vector: Sendable, CustomTestStringConvertible {
  let name: String
  /// nil: well formed.
  let status: UInt16?
  let bytes: [UInt8]

  var testDescription: String { name }

  static let smuggling: [Vector] = {
    let path = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    guard let text = try? String(contentsOfFile: "/\(path)/Vectors/smuggling.txt", encoding: .utf8) else { return [] }
    return text.split(separator: "\n").compactMap(Vector.init)
  }()

  init?(_ line: Substring) {
    guard !line.hasPrefix("#") else { return nil }
    let parts = line.split(separator: " | ", maxSplits: 2)
    guard parts.count == 3 else { return nil }
    name = String(parts[0])
    status = UInt16(parts[1])
    bytes = Vector.unescape(Array(parts[2].utf8)[...])
  }

  static func unescape(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let kind = rest.popFirst() else {
        result.append(byte)
        continue
      }
      switch kind {
      case UInt8(ascii: "r"): result.append(0x0d)
      case UInt8(ascii: "n"): result.append(0x0a)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "x"):
        result.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
      case UInt8(ascii: "{"):
        let body = rest.prefix { $0 != UInt8(ascii: "}") }
        rest = rest.dropFirst(body.count + 1)
        let parts = body.split(separator: UInt8(ascii: ":"), maxSplits: 1)
        let count = Int(String(decoding: parts[0], as: UTF8.self)) ?? 0
        let piece = unescape(parts[1])
        for _ in 0..<count { result += piece }
      default: result.append(kind)
      }
    }
    return result
  }
}
