internal import NIOCore
internal import NIOPosix

/// One question over a Unix socket, and all that is answered until it is closed.
enum UnixTalk {
  static func ask(_ path: String, _ question: String, patience: Duration = .seconds(5)) async throws -> String {
    let patience = TimeAmount.milliseconds(Int64(patience / .milliseconds(1)))
    let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer> = try await ClientBootstrap(group: Loops.group)
      .connectTimeout(patience)
      .connect(unixDomainSocketPath: path) { channel in
        channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
      }
    let timer = channel.channel.eventLoop.scheduleTask(in: patience) { channel.channel.close(promise: nil) }
    defer { timer.cancel() }
    return try await channel.executeThenClose { inbound, outbound in
      try await outbound.write(ByteBuffer(string: question))
      var answer = ByteBuffer()
      for try await part in inbound {
        guard answer.readableBytes + part.readableBytes < 64 << 20 else { break }
        answer.writeImmutableBuffer(part)
      }
      return String(buffer: answer)
    }
  }
}
