internal import Logging
internal import NIOConcurrencyHelpers
internal import NIOCore
internal import NIOPosix
internal import OctaviaModel
internal import TLS

/// Receives heartbeats, and replaces amphorae that send none.
final class HealthManager: Sendable {
  /// Packets that wait for their turn; more are dropped and counted.
  static let queueLimit = 65_536

  struct Arrival: Sendable {
    var packet: [UInt8]
    var at: Timestamp
  }

  let store: Store
  let settings: HealthSettings
  let logger: Logger
  let now: @Sendable () -> Timestamp
  let makeID: @Sendable () -> String
  let wake: @Sendable () -> Void
  /// Called when somebody signs as an amphora that is not there: one that came back after it was replaced.
  let stranger: @Sendable () -> Void
  let queue = NIOLockedValueBox<[Arrival]>([])
  let counters = NIOLockedValueBox(HealthCounters())
  let memory = NIOLockedValueBox(HealthMemory())

  init(
    store: Store, settings: HealthSettings, logger: Logger, now: @escaping @Sendable () -> Timestamp,
    makeID: @escaping @Sendable () -> String, wake: @escaping @Sendable () -> Void,
    stranger: @escaping @Sendable () -> Void
  ) {
    self.store = store
    self.settings = settings
    self.logger = logger
    self.now = now
    self.makeID = makeID
    self.wake = wake
    self.stranger = stranger
  }

  func run() async throws {
    let channel = try await DatagramBootstrap(group: Loops.group)
      .channelOption(.socketOption(.so_rcvbuf), value: 4 << 20)
      .channelOption(.datagramVectorReadMessageCount, value: 16)
      .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16 * 65_536))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            ArrivalHandler(queue: self.queue, counters: self.counters, now: self.now))
        }
      }
      .bind(host: settings.host, port: settings.port).get()
    defer { channel.close(promise: nil) }
    await withDiscardingTaskGroup { group in
      group.addTask { await self.digest() }
      group.addTask { await self.watch() }
    }
  }

  private func digest() async {
    while !Task.isCancelled {
      let arrivals = queue.withLockedValue { queue in
        let all = queue
        queue.removeAll(keepingCapacity: true)
        return all
      }
      if arrivals.isEmpty {
        try? await Task.sleep(for: .milliseconds(20))
        continue
      }
      do { try await take(arrivals) } catch { logger.error("heartbeats: \(error)") }
    }
  }

  /// Looks for stale amphorae, once this manager has listened long enough to know.
  private func watch() async {
    try? await Task.sleep(for: settings.grace ?? settings.timeout)
    while !Task.isCancelled {
      do {
        if try await claim() > 0 { wake() }
      } catch { logger.error("looking for stale amphorae: \(error)") }
      try? await Task.sleep(for: settings.interval)
    }
  }
}

struct HealthCounters: Sendable {
  var taken = 0
  var incomplete = 0
  var overflow = 0
  var refused: [Heartbeat.Refusal: Int] = [:]
  var claimed = 0
  var heldBack = 0
}

/// What need not be read again for every packet.
struct HealthMemory: Sendable {
  struct Known: Sendable {
    var tree: String
    var version: Int
    /// What the amphora said last, without its counters.
    var digest: Int
    var isComplete: Bool
  }

  var known: [String: Known] = [:]
  static let limit = 200_000
}

private final class ArrivalHandler: ChannelInboundHandler, Sendable {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>

  let queue: NIOLockedValueBox<[HealthManager.Arrival]>
  let counters: NIOLockedValueBox<HealthCounters>
  let now: @Sendable () -> Timestamp

  init(
    queue: NIOLockedValueBox<[HealthManager.Arrival]>, counters: NIOLockedValueBox<HealthCounters>,
    now: @escaping @Sendable () -> Timestamp
  ) {
    self.queue = queue
    self.counters = counters
    self.now = now
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let packet = Array(unwrapInboundIn(data).data.readableBytesView)
    let arrival = HealthManager.Arrival(packet: packet, at: now())
    let isTaken = queue.withLockedValue { queue in
      if queue.count >= HealthManager.queueLimit { return false }
      queue.append(arrival)
      return true
    }
    if !isTaken { counters.withLockedValue { $0.overflow += 1 } }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
