internal import Glibc

/// A small file for another program to read.
package enum TextFile {
  /// Replaces the file's content; only this user may read it.
  package static func write(_ text: String, to path: String) throws(Errno) {
    let fd = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard fd >= 0 else { throw .last }
    defer { _ = close(fd) }
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let transfer = IO.write(fd, bytes.span.extracting(sent..<bytes.count))
      guard transfer.value > 0 else { throw transfer.error }
      sent += transfer.bytes
    }
  }

  /// The file's content, at most 16 MiB of it.
  package static func read(_ path: String) throws(Errno) -> String {
    let fd = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard fd >= 0 else { throw .last }
    defer { _ = close(fd) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < 16 << 20 {
      // SAFETY: writes at most the array's size.
      let count = unsafe part.withUnsafeMutableBytes { unsafe Glibc.read(fd, $0.baseAddress, $0.count) }
      guard count >= 0 else { throw .last }
      if count == 0 { break }
      bytes += part[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
