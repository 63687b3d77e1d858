import DNS
import Model
import Testing

@Suite struct RateLimiterTests {
  static func limiter(rate: Int = 10, slip: Int = 2, accounts: Int = 1024) -> RateLimiter {
    var settings = RateLimiter.Settings()
    settings.rate = rate
    settings.slip = slip
    settings.accounts = accounts
    return RateLimiter(settings, seed: 3)
  }

  static func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

  @Test func aFloodGetsItsRateAndSlips() {
    var limiter = Self.limiter()
    var counts: [RateLimiter.Decision: Int] = [:]
    for index in 0..<1000 {
      let address = IPAddress(198, 51, 100, UInt8(index % 256))
      counts[limiter.decide(address, .answer, subject: 1, at: Self.at(0)), default: 0] += 1
    }
    #expect(counts == [.send: 10, .truncate: 495, .drop: 495])
  }

  @Test func debtIsPaidBackInTime() {
    var limiter = Self.limiter(slip: 0)
    let client = IPAddress(198, 51, 100, 1)
    for _ in 0..<1000 { _ = limiter.decide(client, .answer, subject: 1, at: Self.at(0)) }
    // Five seconds of debt at most.
    #expect(limiter.decide(client, .answer, subject: 1, at: Self.at(4000)) == .drop)
    #expect(limiter.decide(client, .answer, subject: 1, at: Self.at(6000)) == .send)
  }

  @Test func othersAreNotConcerned() {
    var limiter = Self.limiter()
    for _ in 0..<100 { _ = limiter.decide(IPAddress(198, 51, 100, 1), .answer, subject: 1, at: Self.at(0)) }
    #expect(limiter.decide(IPAddress(198, 51, 101, 1), .answer, subject: 1, at: Self.at(0)) == .send)
    #expect(limiter.decide(IPAddress(198, 51, 100, 1), .answer, subject: 2, at: Self.at(0)) == .send)
    #expect(limiter.decide(IPAddress(198, 51, 100, 1), .negative, subject: 1, at: Self.at(0)) == .send)
  }

  @Test func aTinyTableSurvivesManySources() {
    var limiter = Self.limiter(accounts: 4)
    for index in 0..<10_000 {
      _ = limiter.decide(IPAddress(v4: UInt32(index) << 8), .answer, subject: 1, at: Self.at(Int64(index)))
    }
    #expect(limiter.decide(IPAddress(10, 0, 0, 1), .answer, subject: 1, at: Self.at(20_000)) == .send)
  }

  @Test func aServerLimitsUDPWithoutCookiesOnly() throws {
    var settings = Responder.Settings()
    settings.rateLimit = Self.limiter(rate: 5, slip: 1).settings
    settings.cookies = ServerCookies(key: (1, 2))
    let server = Server([try VectorTests.rich()], settings: settings)
    let query = try #require(Message.query(Name("www.rich.test")!, .a, udpSize: 1232).encoded())
    let plain = try (0..<20).map { _ in try Message(server.ask(query).bytes) }
    #expect(plain.filter { !$0.isTruncated }.count == 5)
    #expect(plain.filter { $0.isTruncated && $0.answers.isEmpty && $0.questions.count == 1 }.count == 15)
    #expect(try (0..<20).allSatisfy { _ in try !Message(server.ask(query, over: .tcp).bytes).isTruncated })
    let cookie = try #require(settings.cookies).make(client: 9, address: IPAddress(192, 0, 2, 200), time: 1_700_000_000)
    var option: [UInt8] = [0, 10, 0, 24]
    for word in [9, cookie.0, cookie.1] {
      option += (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - $0 * 8)) }
    }
    let trusted = try #require(Message.query(Name("www.rich.test")!, .a, udpSize: 1232, options: option).encoded())
    #expect(try (0..<20).allSatisfy { _ in try !Message(server.ask(trusted).bytes).isTruncated })
  }
}
