import Kernel
import Model
import Testing

import Announcer

private let hardware = MACAddress([2, 0, 0, 0, 0, 1])!
private func hex(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

@Suite struct FrameTests {
  @Test func gratuitousARPComesAsRequestAndReply() {
    let frames = VIPFrames.announcements(IPAddress("192.0.2.1")!, hardware)
    #expect(
      frames.map { hex($0) }
        == [
          "ffffffffffff020000000001080600010800060400010200000000 01c0000201000000000000c0000201",
          "ffffffffffff020000000001080600010800060400020200000000 01c0000201020000000001c0000201",
        ].map { $0.replacing(" ", with: "") })
    #expect(VIPFrames.claim(frames[1])?.address == IPAddress("192.0.2.1"))
  }

  @Test func aNeighbourAdvertisementOverridesAndHasAValidChecksum() {
    let frame = VIPFrames.announcements(IPAddress("2001:db8::1")!, hardware)[0]
    #expect(hex(frame[0..<14]) == "33330000000102000000000186dd")
    #expect(frame[14 + 7] == 255, "hop limit")
    #expect(hex(frame[54..<56]) == "8800")
    #expect(hex(frame[58..<62]) == "20000000", "override, not solicited")
    #expect(hex(frame[78...]) == "0201020000000001", "its link-layer address")
    #expect(VIPFrames.claim(frame)?.address == IPAddress("2001:db8::1"))
    var sum: UInt32 = 58 + 32
    for index in stride(from: 22, to: frame.count, by: 2) {
      sum += UInt32(frame[index]) << 8 | UInt32(frame[index + 1])
    }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    #expect(sum == 0xffff)
  }

  @Test func questionsClaimNothing() {
    #expect(VIPFrames.claim(VIPFrames.question(IPAddress("192.0.2.1")!, hardware)) == nil)
    let solicitation = VIPFrames.question(IPAddress("2001:db8::12:3456")!, hardware)
    #expect(hex(solicitation[0..<6]) == "3333ff123456")
    #expect(VIPFrames.claim(solicitation) == nil)
  }

  @Test func anyBytesAreAnswered() {
    for count in 0..<120 { _ = VIPFrames.claim([UInt8](repeating: 0x86, count: count)) }
    var frame = VIPFrames.announcements(IPAddress("2001:db8::1")!, hardware)[0]
    frame[14 + 7] = 64
    #expect(VIPFrames.claim(frame) == nil, "from beyond the link")
  }
}
