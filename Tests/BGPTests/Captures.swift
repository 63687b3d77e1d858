import Foundation

/// Tests/Vectors/bgp/captures.txt by name.
let captures: [String: [UInt8]] = {
  let path = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
  guard let text = try? String(contentsOfFile: "/\(path)/Vectors/bgp/captures.txt", encoding: .utf8) else { return [:] }
  var found: [String: [UInt8]] = [:]
  for line in text.split(separator: "\n") where !line.hasPrefix("#") {
    let parts = line.split(separator: " ")
    if parts.count == 2 { found[String(parts[0])] = hex(parts[1]) }
  }
  return found
}()
