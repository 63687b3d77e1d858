import Admin
import NIOCore
import NIOEmbedded
import Testing

@Suite struct PatienceTests {
  private let channel = EmbeddedChannel(handler: Patience())

  init() throws { try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait() }

  private func pass(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

  private func speak() throws { try channel.writeInbound(ByteBuffer(string: "more")) }

  private func answer() throws { try channel.writeOutbound(ByteBuffer(string: "yes")) }

  private func block(_ isBlocked: Bool) {
    channel.isWritable = !isBlocked
    channel.pipeline.fireChannelWritabilityChanged()
  }

  @Test func aBodyWithoutAnEndIsEnded() throws {
    try speak()
    try answer()
    var seconds = 0
    while channel.isActive, seconds < 60 {
      try speak()
      pass(1)
      seconds += 1
    }
    #expect((15...21).contains(seconds))
  }

  @Test func whoIsAnsweredMaySpeakForHours() throws {
    for _ in 0..<7_200 {
      try speak()
      try answer()
      pass(1)
    }
    #expect(channel.isActive)
  }

  @Test func whoWaitsInSilenceForAnOrderIsLeftAlone() throws {
    try speak()
    pass(600)
    #expect(channel.isActive)
    try answer()
    #expect(channel.isActive)
  }

  @Test func aReaderWhoDoesNotReadIsEnded() throws {
    try speak()
    try answer()
    block(true)
    pass(29)
    #expect(channel.isActive)
    pass(6)
    #expect(!channel.isActive)
  }

  @Test func aReaderWhoIsSlowIsLeftAlone() throws {
    for _ in 0..<100 {
      block(true)
      pass(20)
      block(false)
    }
    #expect(channel.isActive)
  }
}
