import HTTP2
import Testing

/// A frame's bytes.
func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 1, _ payload: [UInt8] = []) -> [UInt8] {
  let length = payload.count
  return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
    + [UInt8(stream >> 24), UInt8(stream >> 16 & 255), UInt8(stream >> 8 & 255), UInt8(stream & 255)] + payload
}

@Suite struct FrameGateTests {
  private func steps(_ bytes: [UInt8], limits: FrameLimits = FrameLimits(), now: Int64 = 0) -> [FrameGate.Step] {
    var gate = FrameGate(server: false)
    return steps(&gate, bytes, limits, now)
  }

  private func steps(
    _ gate: inout FrameGate, _ bytes: [UInt8], _ limits: FrameLimits, _ now: Int64
  ) -> [FrameGate.Step] {
    var result: [FrameGate.Step] = []
    var position = 0
    while true {
      let step = gate.next(bytes.span, from: position, limits: limits, now: now)
      result.append(step)
      guard case .piece(let end) = step, end < bytes.count else { return result }
      position = end
    }
  }

  @Test func theMagicIsAPiece() {
    var gate = FrameGate(server: true)
    #expect(steps(&gate, Array(repeating: 0, count: 23), FrameLimits(), 0) == [.more])
    #expect(steps(&gate, Array(repeating: 0, count: 24), FrameLimits(), 0) == [.piece(24)])
  }

  @Test func framesAreCutOneByOne() {
    #expect(steps(frame(8, [0, 0, 0, 1]) + frame(3, [0, 0, 0, 8])) == [.piece(13), .piece(26)])
  }

  @Test func aFrameWaitsForItsEnd() {
    #expect(steps(Array(frame(8, [0, 0, 0, 1]).dropLast())) == [.more])
  }

  @Test func dataPassesAsItComes() {
    var gate = FrameGate(server: false)
    let bytes = frame(0, Array(repeating: 7, count: 100))
    #expect(steps(&gate, Array(bytes.prefix(50)), FrameLimits(), 0) == [.piece(50)])
    #expect(!gate.isBetweenFrames)
    #expect(
      steps(&gate, Array(bytes.dropFirst(50)) + frame(8, [0, 0, 0, 1]), FrameLimits(), 0) == [.piece(59), .piece(72)])
    #expect(gate.isBetweenFrames)
  }

  @Test func aHeaderBlockIsOnePiece() {
    let block = frame(1, [1, 2]) + frame(9, [3]) + frame(9, flags: 4, [4])
    #expect(steps(block) == [.piece(block.count)])
    #expect(steps(Array(block.dropLast())) == [.more])
  }

  @Test func continuationsAreCounted() {
    var limits = FrameLimits()
    limits.continuations = 2
    let block = frame(1, [1]) + frame(9, [2]) + frame(9, [3]) + frame(9, [4])
    #expect(steps(block, limits: limits) == [.flood(.continuations)])
  }

  @Test func aBlockHasASize() {
    var limits = FrameLimits()
    limits.block = 1000
    #expect(steps(frame(1, Array(repeating: 0, count: 1000)), limits: limits) == [.flood(.headerBlock)])
  }

  @Test(arguments: [
    (UInt8(3), Flood.resets), (4, .settings), (6, .pings), (2, .idle), (99, .idle), (0, .idle),
  ]) func floodsAreNoticed(_ type: UInt8, _ flood: Flood) {
    var limits = FrameLimits()
    (limits.resets, limits.settings, limits.pings, limits.idle) = (3, 3, 3, 3)
    var gate = FrameGate(server: false)
    for _ in 0..<3 { #expect(steps(&gate, frame(type), limits, 10) == [.piece(9)]) }
    #expect(steps(&gate, frame(type), limits, 20) == [.flood(flood)])
    // A second later everything is forgotten.
    #expect(steps(&gate, frame(type), limits, 1010) == [.piece(9)])
  }

  @Test func anOversizedFrameIsTheLibrarysMatter() {
    #expect(steps([0, 0x40, 1, 0, 0, 0, 0, 0, 1]) == [.piece(9)])
  }

  @Test func anyChunkingCutsTheSamePieces() {
    let bytes =
      frame(4, []) + frame(1, [1, 2]) + frame(9, flags: 4, [3]) + frame(8, [0, 0, 0, 1])
      + frame(6, Array(repeating: 0, count: 8))
    let whole = steps(bytes)
    for cut in 1..<bytes.count {
      var gate = FrameGate(server: false)
      var ends: [Int] = []
      var position = 0
      for limit in [cut, bytes.count] {
        while position < limit {
          let window = Array(bytes[..<limit])
          guard case .piece(let end) = gate.next(window.span, from: position, limits: FrameLimits(), now: 0) else {
            break
          }
          ends.append(end)
          position = end
        }
      }
      #expect(ends.map { FrameGate.Step.piece($0) } == whole, "cut at \(cut)")
    }
  }
}
