import Glibc
import Testing

@testable import Proxy

@Suite struct LogFileTests {
  /// A pipe that takes 4 KiB and never blocks: a disk that is full.
  private func smallPipe() -> (reader: Int32, writer: Int32) {
    var ends: [Int32] = [-1, -1]
    #expect(unsafe pipe(&ends) == 0)
    for end in ends { #expect(fcntl(end, F_SETFL, O_NONBLOCK) == 0) }
    #expect(fcntl(ends[1], 1031 /* F_SETPIPE_SZ */, 4096) == 4096)
    return (ends[0], ends[1])
  }

  private func everything(_ reader: Int32) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = unsafe read(reader, &bytes, bytes.count)
    return Array(bytes.prefix(max(0, count)))
  }

  private let line = Array((String(repeating: "x", count: 999) + "\n").utf8)

  @Test func linesThatHaveNoRoomAreCountedAndSpoilNoOther() {
    let pipe = smallPipe()
    defer { for end in [pipe.reader, pipe.writer] { close(end) } }
    var file = LogFile(shared: pipe.writer)
    // Four whole lines and 96 bytes of the fifth.
    #expect(file.write(Array((0..<6).flatMap { _ in line })) == 2)
    #expect(file.trouble != nil)
    // Nothing fits, not even the end of the line.
    #expect(file.write(line + line) == 2)
    #expect(everything(pipe.reader).count == 4096)
    #expect(file.write(line) == 0)
    #expect(everything(pipe.reader) == [10] + line)
    #expect(file.write(line) == 0)
    #expect(everything(pipe.reader) == line)
  }

  @Test func aFullTargetAtTheEndOfALineTearsNone() {
    let pipe = smallPipe()
    defer { for end in [pipe.reader, pipe.writer] { close(end) } }
    var file = LogFile(shared: pipe.writer)
    #expect(file.write([UInt8](repeating: 65, count: 4095) + [10] + line) == 1)
    #expect(everything(pipe.reader).count == 4096)
    #expect(file.write(line) == 0)
    #expect(everything(pipe.reader) == line)
  }

  @Test func whatIsWrittenNowhereIsLost() {
    var file = LogFile()
    #expect(file.write(line + line) == 2)
    #expect(file.trouble == nil)
  }
}
