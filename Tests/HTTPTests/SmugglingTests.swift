import HTTP
import Testing
import Wire

/// What a whole connection's input comes to: a head, and the body that it announces.
private func status(_ bytes: [UInt8], cuts: [Int] = []) -> UInt16? {
  switch parseRequest(bytes, cuts: cuts) {
  case .refused(let error): return error.status
  case .partial: return 0
  case .head(let head):
    guard head.body == .chunked else { return nil }
    var decoder = ChunkDecoder()
    do {
      var position = head.length
      for cut in cuts.filter({ $0 > head.length }) + [bytes.count] {
        position = try decoder.advance(bytes.span.extracting(0..<cut), from: position).end
      }
    } catch {
      return error.status
    }
    return decoder.isFinished ? nil : 0
  }
}

@Suite struct SmugglingTests {
  @Test func thereAreEnoughCases() {
    #expect(Vector.smuggling.filter { $0.status != nil }.count >= 80)
    #expect(Set(Vector.smuggling.map(\.name)).count == Vector.smuggling.count)
  }

  @Test(arguments: Vector.smuggling)
  func eachCaseGetsItsStatus(vector: Vector) {
    #expect(status(vector.bytes) == vector.status)
  }

  @Test(arguments: Vector.smuggling)
  func piecesDoNotChangeTheVerdict(vector: Vector) {
    var random = Random(seed: 7)
    for _ in 0..<20 {
      let cuts = random.cuts(vector.bytes.count, most: 6)
      #expect(status(vector.bytes, cuts: cuts) == vector.status, "cut at \(cuts)")
    }
    if vector.bytes.count < 1000 { #expect(status(vector.bytes, cuts: Array(0..<vector.bytes.count)) == vector.status) }
  }
}
