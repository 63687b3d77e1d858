package import NIOCore

/// Ends a connection whose client neither ends what it says nor takes what it asked for.
///
/// Idle connections are the server's to end. These are not idle: a body without an end, of a request that was refused
/// long ago, and a reader who does not read.
package final class Patience: ChannelDuplexHandler, RemovableChannelHandler {
  package typealias InboundIn = NIOAny
  package typealias InboundOut = NIOAny
  package typealias OutboundIn = NIOAny
  package typealias OutboundOut = NIOAny

  /// How long a client may go on speaking without an answer: longer than any body may take.
  package static let speaking = TimeAmount.seconds(15)
  /// How long nothing of an answer may be taken.
  package static let listening = TimeAmount.seconds(30)
  private static let look = TimeAmount.seconds(5)

  /// The first thing said since something was last answered.
  private var speakingSince: NIODeadline?
  private var isSpeaking = false
  private var blockedSince: NIODeadline?
  private var next: Scheduled<Void>?

  package init() {}

  package func handlerAdded(context: ChannelHandlerContext) { schedule(context) }

  package func handlerRemoved(context: ChannelHandlerContext) {
    next?.cancel()
    next = nil
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if speakingSince == nil { speakingSince = context.eventLoop.now }
    isSpeaking = true
    context.fireChannelRead(data)
  }

  package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    speakingSince = nil
    context.write(data, promise: promise)
  }

  package func channelWritabilityChanged(context: ChannelHandlerContext) {
    blockedSince = context.channel.isWritable ? nil : blockedSince ?? context.eventLoop.now
    context.fireChannelWritabilityChanged()
  }

  private func schedule(_ context: ChannelHandlerContext) {
    next = context.eventLoop.assumeIsolated().scheduleTask(in: Patience.look) { self.judge(context) }
  }

  private func judge(_ context: ChannelHandlerContext) {
    let now = context.eventLoop.now
    // Who waits in silence for an order that takes its time is not speaking.
    let speaks = isSpeaking && speakingSince.map { now - $0 >= Patience.speaking } ?? false
    isSpeaking = false
    if speaks || blockedSince.map({ now - $0 >= Patience.listening }) ?? false {
      context.close(promise: nil)
    } else {
      schedule(context)
    }
  }
}
