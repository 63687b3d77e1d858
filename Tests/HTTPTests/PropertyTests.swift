import HTTP
import Testing
import Wire

/// Well-formed messages, generated from a seed: any way they arrive, they parse the same.
@Suite struct PropertyTests {
  @Test func requestsParseTheSameInPieces() throws {
    var random = Random(seed: 3)
    for round in 0..<400 {
      let bytes = request(&random)
      let whole = parseRequest(bytes)
      #expect(whole.head != nil, "round \(round): \(String(decoding: bytes, as: UTF8.self))")
      for cuts in [Array(0..<bytes.count), random.cuts(bytes.count, most: 4), random.cuts(bytes.count, most: 40)] {
        #expect(parseRequest(bytes, cuts: cuts) == whole)
      }
      // A head is complete at its last byte and not before.
      let length = try #require(whole.head?.length)
      #expect(parseRequest(Array(bytes[..<length])) == whole)
      #expect(parseRequest(Array(bytes[..<(length - 1)])) == .partial)
    }
  }

  @Test func responsesParseTheSameInPieces() {
    var random = Random(seed: 4)
    for _ in 0..<400 {
      var text = "HTTP/1.\(random.pick(["0", "1"])) \(random.pick([100, 101, 200, 204, 304, 404, 503]))"
      text += random.pick(["", " ", " OK", " Not Found", " \u{e9}"]) + "\r\n"
      text += fields(&random) + "\r\n"
      let bytes = Array(text.utf8)
      let method = random.pick([Method.get, .head, .connect, .post])
      let whole = parseResponse(bytes, to: method)
      #expect(whole.head != nil)
      for cuts in [Array(0..<bytes.count), random.cuts(bytes.count, most: 10)] {
        #expect(parseResponse(bytes, to: method, cuts: cuts) == whole)
      }
    }
  }

  /// Damage never traps, and pieces never change the verdict on a whole message.
  @Test func damagedRequestsAreJudgedTheSameInPieces() {
    var random = Random(seed: 5)
    for _ in 0..<3000 {
      var bytes = request(&random)
      for _ in 0...random.below(3) {
        let position = Int(random.below(UInt32(bytes.count)))
        switch random.below(3) {
        case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.insert(random.pick([0, 9, 10, 13, 32, 58, 127, 255]), at: position)
        default: bytes.remove(at: position)
        }
      }
      let whole = parseRequest(bytes)
      for cuts in [Array(0..<bytes.count), random.cuts(bytes.count, most: 5)] {
        let pieces = parseRequest(bytes, cuts: cuts)
        // An error in a line that is not complete may wait for its end.
        #expect(pieces == whole || pieces == .partial && whole.error != nil)
      }
    }
  }

  private func request(_ random: inout Random) -> [UInt8] {
    let target = random.pick([
      "/", "/a/b.html", "/a?b=c&d=%20", "/?", "/~x/;y=1/@", "http://h.example:80/p?q", "http://h",
    ])
    var text = random.chance(10) ? "\r\n" : ""
    text += random.pick(["GET", "POST", "PUT", "PROPFIND", "OPTIONS", "DELETE"])
    text += " \(target) HTTP/1.\(random.pick(["0", "1"]))\r\n"
    text += "\(random.pick(["Host", "host", "HOST"])):\(random.pick([" ", "", "\t  "]))shop.example.com:8080\r\n"
    text += random.pick(["", "Content-Length: 5\r\n", "Connection: close\r\n", "Connection: Keep-Alive, X-One\r\n"])
    text += fields(&random) + "\r\nhello"
    return Array(text.utf8)
  }

  private func fields(_ random: inout Random) -> String {
    (0..<random.below(8)).map { number in
      let length = 1 + Int(random.below(30))
      let name = String((0..<length).map { _ in random.pick(Array("abcXYZ019-_!#$%&'*+.^`|~")) })
      let value = String((0..<random.below(60)).map { _ in random.pick(Array("abc019 \t;,=\"/:é")) })
      return "N\(number)\(name):\(value)\r\n"
    }.joined()
  }
}
