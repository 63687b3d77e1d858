import Foundation

/// Tests/Vectors/bfd/captures.txt by name.
let captures: [String: [UInt8]] = {
  let path = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
  guard let text = try? String(contentsOfFile: "/\(path)/Vectors/bfd/captures.txt", encoding: .utf8) else { return [:] }
  var found: [String: [UInt8]] = [:]
  for line in text.split(separator: "\n") where !line.hasPrefix("#") {
    let parts = line.split(separator: " ")
    guard parts.count == 2 else { continue }
    let digits = parts[1].utf8.compactMap { UInt8(String(UnicodeScalar($0)), radix: 16) }
    found[String(parts[0])] = stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
  return found
}()
