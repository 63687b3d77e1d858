import Foundation

/// Why a secret cannot be read.
package struct SecretFileError: Error, Hashable, Sendable {
  package let reason: String
  package init(_ reason: String) { self.reason = reason }
}

/// `{ file: /path }` in place of a secret.
package enum SecretFile {
  static let limit = 64 * 1024

  /// The file's text without its trailing line end.
  package static func read(_ path: String) throws(SecretFileError) -> String {
    guard var text = String(validating: try bytes(path, limit: limit), as: UTF8.self) else {
      throw SecretFileError("not UTF-8 text")
    }
    while let last = text.last, last.isNewline { text.removeLast() }
    guard !text.isEmpty else { throw SecretFileError("nothing in it") }
    return text
  }

  /// A FIFO or a device could block, so only files are read.
  package static func bytes(_ path: String, limit: Int) throws(SecretFileError) -> [UInt8] {
    let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else {
      throw SecretFileError("the file is not there, or its directory is closed to this user")
    }
    guard attributes[.type] as? FileAttributeType == .typeRegular else { throw SecretFileError("not a regular file") }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw SecretFileError("this user may not read the file")
    }
    defer { try? handle.close() }
    let data: Data?
    do { data = try handle.read(upToCount: limit + 1) } catch { throw SecretFileError("reading failed") }
    // nil: it is empty.
    guard let data else { return [] }
    guard data.count <= limit else { throw SecretFileError("larger than \(limit / 1024) KiB") }
    return Array(data)
  }
}
