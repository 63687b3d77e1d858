import Kernel
import Reactor

/// A file, or a descriptor that is not ours to close, that takes blocks of lines. The log thread's own.
struct LogFile {
  private var descriptor: Int32 = -1
  private var isOwned = false
  /// What was written last is a part of a line.
  private var isTorn = false
  /// Why lines were lost last.
  private(set) var trouble: String?

  /// Nowhere: what is written is lost.
  init() {}

  init(shared descriptor: Int32) { self.descriptor = descriptor }

  /// - Throws: what `open(2)` says of the path.
  init(path: String) throws(Errno) {
    descriptor = try IO.openLog(path)
    isOwned = true
  }

  mutating func close() {
    if isOwned { Socket.close(descriptor) }
    self = LogFile()
  }

  /// - Returns: how many lines were not written whole.
  mutating func write(_ block: [UInt8]) -> Int {
    guard descriptor >= 0 else { return lines(block[...]) }
    if isTorn {
      // The line that had no room ends here, so that it does not take the next one with it.
      let newline: [UInt8] = [10]
      guard IO.write(descriptor, newline.span).value > 0 else { return lines(block[...]) }
      isTorn = false
    }
    var start = 0
    while start < block.count {
      let result = IO.write(descriptor, block.span.extracting(start..<block.count))
      guard result.value > 0 else {
        trouble = result.error.description
        isTorn = start > 0 && block[start - 1] != 10
        return lines(block[start...])
      }
      start += result.bytes
    }
    return 0
  }

  private func lines(_ bytes: ArraySlice<UInt8>) -> Int { bytes.count { $0 == 10 } }
}
