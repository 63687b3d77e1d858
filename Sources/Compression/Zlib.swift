internal import CZlib

package enum Compression {
  /// Compressed with the strongest level.
  package static func deflate(_ bytes: [UInt8]) -> [UInt8] {
    var length = compressBound(UInt(bytes.count))
    var out = [UInt8](repeating: 0, count: Int(length))
    // SAFETY: `out` has the room that compressBound asked for, and `length` says so.
    let result = unsafe compress2(&out, &length, bytes, UInt(bytes.count), 9)
    precondition(result == Z_OK, "compress2 with room enough")
    return Array(out.prefix(Int(length)))
  }

  /// nil: bad data, or more than `limit` bytes. At most twice the result is ever allocated.
  package static func inflate(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
    var room = min(max(bytes.count * 4, 1024), limit)
    while true {
      var length = UInt(room)
      var out = [UInt8](repeating: 0, count: room)
      // SAFETY: `out` has `length` bytes.
      switch unsafe uncompress(&out, &length, bytes, UInt(bytes.count)) {
      case Z_OK: return Array(out.prefix(Int(length)))
      case Z_BUF_ERROR where room < limit: room = min(room * 4, limit)
      default: return nil
      }
    }
  }
}
