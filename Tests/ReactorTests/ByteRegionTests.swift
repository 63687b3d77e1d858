import Reactor
import Testing

@Suite struct ByteRegionTests {
  private func written(_ capacity: Int = 256, _ write: (inout ByteRegion) -> Void) -> String {
    var region = ByteRegion(capacity: capacity)
    write(&region)
    return String(decoding: region.array(), as: UTF8.self)
  }

  @Test func decimalsHaveTheirDigits() {
    var values: [UInt64] = [0, 1, .max, .max - 1]
    var power: UInt64 = 1
    for _ in 0..<19 {
      power *= 10
      values += [power - 1, power, power + 1]
    }
    values += (0..<10_000).map { UInt64($0) &* 0x9e37_79b9_7f4a_7c15 &>> UInt64($0 % 64) }
    for value in values { #expect(written { $0.append(decimal: value) } == String(value)) }
  }

  @Test func hexadecimalsHaveTheirDigits() {
    for value in [0, 1, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, UInt64.max, 0x9a9a_a9a9_0f0f_f0f0] {
      let text = String(value, radix: 16)
      let padded = String(repeating: "0", count: 16 - text.count) + text
      #expect(written { $0.append(sixteenDigits: value) } == padded)
      #expect(written { $0.append(hexadecimal: value, digits: 16) } == padded)
    }
  }

  @Test func whatDoesNotFitIsNotWritten() {
    var region = ByteRegion(capacity: 4)
    region.append(decimal: 12345)
    #expect(region.overflowed && region.count == 0)
    region.rewind(to: 0)
    region.append(decimal: 1234)
    #expect(!region.overflowed && region.count == 4)
    region.append(sixteenDigits: 0)
    #expect(region.overflowed && region.count == 4)
  }

  /// Against the rule written byte by byte, at every place of a word.
  @Test func jsonIsEscapedWhereverItStands() {
    for byte in UInt8.min...UInt8.max {
      for place in 0..<20 {
        var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 20)
        bytes[place] = byte
        #expect(written { $0.append(json: bytes.span) } == escaped(bytes))
      }
    }
    #expect(written { $0.append(json: "a\"é") } == "a\\\"\\u00c3\\u00a9")
    #expect(written { $0.append(json: "") }.isEmpty)
  }

  /// Of every length, next to each other what borrows and carries in a word.
  @Test func jsonIsEscapedInAnyCompany() {
    let odd: [UInt8] = [0, 0x0a, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x5b, 0x5c, 0x5d, 0x7e, 0x7f, 0x80, 0xff, 0x61, 0x61]
    var state: UInt64 = 7
    for length in 0..<40 {
      for _ in 0..<50 {
        let bytes = (0..<length).map { _ in
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          return odd[Int(state >> 60)]
        }
        #expect(written { $0.append(json: bytes.span) } == escaped(bytes))
      }
    }
  }

  private func escaped(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      switch byte {
      case UInt8(ascii: "\""): "\\\""
      case UInt8(ascii: "\\"): "\\\\"
      case 0x20...0x7e: String(UnicodeScalar(byte))
      default: "\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }
}
