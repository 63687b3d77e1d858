import Testing
import Wire

@Suite struct ReaderWriterTests {
  private enum Item: Equatable {
    case u8(UInt8), u16(UInt16), u32(UInt32), u64(UInt64), bytes([UInt8])
  }

  @Test func whatIsWrittenReadsBack() {
    var random = Random(seed: 1)
    for _ in 0..<300 {
      let items: [Item] = (0..<random.below(12)).map { _ in
        let value = random.next()
        switch random.below(5) {
        case 0: return .u8(UInt8(truncatingIfNeeded: value))
        case 1: return .u16(UInt16(truncatingIfNeeded: value))
        case 2: return .u32(UInt32(truncatingIfNeeded: value))
        case 3: return .u64(value)
        default: return .bytes((0..<random.below(9)).map { UInt8($0) })
        }
      }
      var writer = ByteWriter()
      for item in items {
        switch item {
        case .u8(let value): writer.u8(value)
        case .u16(let value): writer.u16(value)
        case .u32(let value): writer.u32(value)
        case .u64(let value): writer.u64(value)
        case .bytes(let value): writer.append(value.span)
        }
      }
      let bytes = writer.bytes
      var reader = ByteReader(bytes.span)
      var read: [Item] = []
      for item in items {
        switch item {
        case .u8: if let value = reader.u8() { read.append(.u8(value)) }
        case .u16: if let value = reader.u16() { read.append(.u16(value)) }
        case .u32: if let value = reader.u32() { read.append(.u32(value)) }
        case .u64: if let value = reader.u64() { read.append(.u64(value)) }
        case .bytes(let value):
          if let span = reader.take(value.count) { read.append(.bytes(span.indices.map { span[$0] })) }
        }
      }
      let atEnd = reader.isAtEnd
      #expect(read == items)
      #expect(atEnd)
    }
  }

  @Test func numbersAreInNetworkOrder() {
    var writer = ByteWriter(capacity: 32)
    writer.u16(0x0102)
    writer.u32(0x0304_0506)
    writer.u64(0x0708_090a_0b0c_0d0e)
    writer.append("ok")
    writer.zeros(2)
    writer.append([0xff] as [UInt8])
    #expect(writer.bytes == Array(1...14) + [0x6f, 0x6b, 0, 0, 0xff])
    #expect(writer.count == 19)
  }

  @Test func aLengthIsPatchedIn() {
    var writer = ByteWriter()
    writer.u16(0)
    writer.u8(0)
    writer.append("abc")
    writer.patch16(at: 0, UInt16(writer.count))
    writer.patch8(at: 2, 0x7f)
    #expect(writer.bytes == [0, 6, 0x7f, 0x61, 0x62, 0x63])
  }

  @Test(arguments: 0..<8) func aReadPastTheEndMovesNothing(count: Int) {
    let bytes = [UInt8](repeating: 1, count: count)
    var reader = ByteReader(bytes.span)
    var failures = 0
    if count < 8, reader.u64() == nil { failures += 1 }
    if count < 4, reader.u32() == nil { failures += 1 }
    if count < 2, reader.u16() == nil { failures += 1 }
    if count < 1, reader.u8() == nil { failures += 1 }
    if reader.take(count + 1) == nil { failures += 1 }
    if reader.take(-1) == nil { failures += 1 }
    if !reader.skip(count + 1), !reader.skip(-1) { failures += 1 }
    if !reader.seek(to: count + 1), !reader.seek(to: -1) { failures += 1 }
    if reader.take(.max) == nil, !reader.skip(.max) { failures += 1 }
    let (remaining, position) = (reader.remaining, reader.position)
    #expect(failures == 5 + (count < 8 ? 1 : 0) + (count < 4 ? 1 : 0) + (count < 2 ? 1 : 0) + (count < 1 ? 1 : 0))
    #expect(remaining == count && position == 0)
  }

  @Test func seekingGoesBothWays() {
    let bytes: [UInt8] = [1, 2, 3, 4]
    var reader = ByteReader(bytes.span)
    var trace: [Int] = []
    if reader.skip(3) { trace.append(reader.position) }
    if reader.seek(to: 1) { trace.append(reader.position) }
    if let value = reader.u8() { trace.append(Int(value)) }
    if reader.seek(to: 4) { trace.append(reader.remaining) }
    #expect(trace == [3, 1, 2, 0])
  }
}
