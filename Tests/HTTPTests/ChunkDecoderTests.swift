import HTTP
import Testing
import Wire

/// The content of a chunked body that arrives in pieces, and where it ends; or the error.
private func decode(_ bytes: [UInt8], cuts: [Int] = []) -> Result<(content: [UInt8], end: Int?), ChunkError> {
  var decoder = ChunkDecoder()
  var content: [UInt8] = []
  var start = 0
  for cut in cuts + [bytes.count] {
    // Each piece as a span of its own, as buffers come.
    let piece = Array(bytes[start..<max(start, cut)])
    var position = 0
    do {
      pieces: while true {
        switch try decoder.next(piece.span, from: &position) {
        case .data(let range): content += piece[range]
        case .trailers: continue
        case .more: break pieces
        case .finished(let end): return .success((content, start + end))
        }
      }
    } catch {
      return .failure(error)
    }
    start += piece.count
  }
  return .success((content, nil))
}

@Suite struct ChunkDecoderTests {
  @Test func contentThatIsPassedUnseenIsSkipped() throws {
    var decoder = ChunkDecoder()
    #expect(decoder.remainingData == 0)
    let head = try decoder.advance(Array("a\r\n012".utf8).span, from: 0)
    #expect(!head.isFinished)
    #expect(decoder.remainingData == 7)
    decoder.skip(4)
    #expect(decoder.remainingData == 3)
    decoder.skip(3)
    // The chunk's own end is still to come, and must be right.
    #expect(decoder.remainingData == 0)
    var broken = decoder
    #expect(throws: ChunkError.missingCRLF) { try broken.advance(Array("x".utf8).span, from: 0) }
    let rest = try decoder.advance(Array("\r\n0\r\n\r\n".utf8).span, from: 0)
    #expect(rest.isFinished)
    #expect(decoder.remainingData == 0)
  }

  @Test func contentIsTakenOut() throws {
    let body = "5\r\nhello\r\n1;a=\"b\"\r\n,\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\nServer-Timing: a\r\n\r\n"
    let (content, end) = try decode(Array((body + "GET").utf8)).get()
    #expect(String(decoding: content, as: UTF8.self) == "hello,0123456789")
    #expect(end == body.utf8.count)
  }

  @Test func aBodyPassesThroughWithItsFraming() throws {
    let body = Array("3\r\nabc\r\n0\r\n\r\nnext".utf8)
    var decoder = ChunkDecoder()
    #expect(try decoder.advance(body.span, from: 0) == .init(end: body.count - 4, content: 3, isFinished: true))
    #expect(decoder.isFinished)
    #expect(try decoder.advance(body.span, from: body.count) == .init(end: body.count, content: 0, isFinished: true))
  }

  @Test(arguments: [
    ("G", ChunkError.malformedSize), ("\r\n", .malformedSize), ("\n", .bareLF), ("5\n", .bareLF), ("5\rX", .bareCR),
    ("5 \r\n", .malformedSize), ("5,\r\n", .malformedSize), ("5;a\n", .bareLF), ("5;\0", .malformedExtension),
    ("10000000000000000", .sizeTooLarge), ("4000000000000000", .sizeTooLarge), ("00000000000000000", .sizeTooLarge),
    ("1\r\nab", .missingCRLF), ("1\r\na\n", .missingCRLF), ("1\r\na\rb", .bareCR), ("0\r\n\rX", .bareCR),
    ("0\r\n: a\r\n", .malformedTrailer), ("0\r\n a\r\n", .malformedTrailer), ("0\r\nA B: a\r\n", .malformedTrailer),
    ("0\r\nA\r\n", .malformedTrailer), ("0\r\nA: \0\r\n", .malformedTrailer), ("0\r\nA: b\n", .bareLF),
    ("0\r\nA\n", .bareLF), ("0\r\nA: b\rc", .bareCR), ("0\r\ncontent-LENGTH: 1\r\n", .forbiddenTrailer),
    ("0\r\nCookie: 1\r\n", .forbiddenTrailer), ("0\r\nConnection: close\r\n", .forbiddenTrailer),
    ("0\r\nTransfer_Encoding: 1\r\n", .forbiddenTrailer),
  ])
  func malformedBodiesAreRefused(text: String, error: ChunkError) {
    let bytes = Array(text.utf8)
    for cuts in [[], Array(0..<bytes.count)] {
      guard case .failure(let found) = decode(bytes, cuts: cuts) else {
        Issue.record("accepted")
        continue
      }
      #expect(found == error)
    }
  }

  @Test func theLargestSizeDoesNotOverflow() throws {
    var decoder = ChunkDecoder()
    let bytes = Array("3fffffffffffffff\r\nabc".utf8)
    #expect(try decoder.advance(bytes.span, from: 0) == .init(end: bytes.count, content: 3, isFinished: false))
  }

  @Test func extensionsMustBePaidForByContent() throws {
    let paid = String(
      repeating: "400;" + String(repeating: "a", count: 1000) + "\r\n" + String(repeating: "x", count: 1024) + "\r\n",
      count: 100)
    #expect(try decode(Array((paid + "0\r\n\r\n").utf8)).get().end != nil)
    let unpaid = String(repeating: "1;" + String(repeating: "a", count: 1000) + "\r\nx\r\n", count: 100)
    guard case .failure(.extensionsTooLarge) = decode(Array(unpaid.utf8)) else {
      Issue.record("a flood of extensions was accepted")
      return
    }
  }

  @Test func everySplitGivesTheSameContent() throws {
    var random = Random(seed: 11)
    for _ in 0..<300 {
      var body: [UInt8] = []
      var expected: [UInt8] = []
      for _ in 0..<random.below(6) {
        let size = Int(random.below(40)) + 1
        let hexadecimal = String(size, radix: 16, uppercase: random.chance(50))
        let ending = random.pick(["", ";a", ";a=b;c", ";q=\"\t x\""])
        body += Array((String(repeating: "0", count: Int(random.below(3))) + hexadecimal + ending + "\r\n").utf8)
        let data = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        body += data + [13, 10]
        expected += data
      }
      body += Array("0\r\n\(random.pick(["", "X: y\r\n", "A:\r\nB: \t c\r\n"]))\r\n".utf8)
      let end = body.count
      body += Array("tail".utf8)
      let whole = try decode(body).get()
      #expect(whole.content == expected)
      #expect(whole.end == end)
      for cuts in [Array(0..<body.count), random.cuts(body.count, most: 5), random.cuts(body.count, most: 20)] {
        let pieces = try decode(body, cuts: cuts).get()
        #expect(pieces.content == expected)
        #expect(pieces.end == end)
      }
    }
  }
}
