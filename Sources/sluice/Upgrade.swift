internal import Foundation
internal import Kernel
internal import Model
internal import Node
internal import Telemetry

/// Starts the next process of this node, and gives it everything.
actor Upgrade {
  private let node: Node
  private let estate: Estate
  private let config: ConfigFile
  /// Told when the next process serves and this one is to end.
  private let end: @Sendable (Successor) -> Void
  private var isUnderWay = false
  /// Closes the API's ports.
  private var closePorts: @Sendable () async -> Void = {}

  init(_ node: Node, _ estate: Estate, _ config: ConfigFile, end: @escaping @Sendable (Successor) -> Void) {
    self.node = node
    self.estate = estate
    self.config = config
    self.end = end
  }

  func onRelease(_ closePorts: @escaping @Sendable () async -> Void) { self.closePorts = closePorts }

  /// Returns when the next process serves.
  /// - Parameter configuration: what is in force instead of the file.
  /// - Throws: with this process serving as before.
  func run(within limit: Duration, configuration: AppliedText?) async throws(Failure) -> Successor {
    guard case .path = config.source else {
      throw Failure("a demonstration cannot be upgraded", hint: "stop it and start another")
    }
    guard !isUnderWay else { throw Failure("an upgrade is under way already", hint: "wait for it") }
    isUnderWay = true
    defer { isUnderWay = false }
    let memory: NodeMemory
    do { memory = try await node.beginHandover() } catch { throw Failure("\(error)", hint: "try again in a moment") }
    do {
      return try await hand(memory, within: limit, configuration)
    } catch {
      let reason = (error as? Failure)?.message ?? "\(error)"
      await node.keepOn(reason)
      throw Failure(
        "the new process does not take over: \(reason)",
        hint: "this one goes on as before; the log has the new one's words")
    }
  }

  private func hand(_ memory: NodeMemory, within limit: Duration, _ configuration: AppliedText?) async throws
    -> Successor
  {
    var state = estate.state()
    state.memory = memory
    state.configuration = configuration
    let content = try Handover.encode(state)
    guard content.count <= Handover.limit else {
      throw Failure("there is too much to hand over: \(content.count) bytes")
    }
    let sockets = try estate.copySockets()
    let successor: Successor
    do {
      successor = try await Blocking.run("sluice-upgrade") { try Successor(sockets, content, within: limit) }
    } catch {
      for socket in sockets.flatMap(\.descriptors) { Socket.close(socket) }
      throw error
    }
    for socket in sockets.flatMap(\.descriptors) { Socket.close(socket) }
    guard let active = await node.letGo(to: successor.process) else {
      successor.kill()
      throw Failure("this process was told to stop")
    }
    await closePorts()
    // In this order: the manager believes the new one only when the old one has named it.
    Startup.current.manager.say("MAINPID=\(successor.process)")
    successor.release(active, estate.ledger)
    // Until then this process answers for the node.
    await successor.waitUntilServing(milliseconds: 5_000)
    end(successor)
    return successor
  }
}

/// The process after this one.
struct Successor: Sendable {
  private let channel: DescriptorChannel
  private let child: ChildProcess
  var process: Int32 { child.id }

  /// Starts it, and returns when it is ready. Blocks.
  init(_ sockets: [HandedSockets], _ state: [UInt8], within limit: Duration) throws {
    let (own, other) = try DescriptorChannel.pair()
    channel = own
    do {
      defer { other.close() }
      child = try ChildProcess.spawnSuccessor(
        [Startup.current.program] + CommandLine.arguments.dropFirst(),
        environment: ["\(Startup.handoverVariable)=3"]
          + (Startup.current.manager.watchdog.map { ["WATCHDOG_USEC=\($0)"] } ?? []), channel: other.descriptor)
    } catch {
      own.close()
      throw Failure("\(Startup.current.program) cannot be started: \(error)")
    }
    do {
      try give(sockets, state)
      try waitUntilReady(within: limit)
    } catch {
      let ending = kill()
      throw Failure((error as? Failure)?.message ?? ending ?? "\(error)")
    }
  }

  private func give(_ sockets: [HandedSockets], _ state: [UInt8]) throws {
    var note = HandoverNote(.sockets)
    var descriptors: [Int32] = []
    func flush() throws {
      guard !descriptors.isEmpty else { return }
      try channel.send(note, descriptors)
      note.sockets = []
      descriptors = []
    }
    for socket in sockets {
      var rest = socket.descriptors[...]
      while !rest.isEmpty {
        if descriptors.count == DescriptorChannel.most { try flush() }
        let some = Array(rest.prefix(DescriptorChannel.most - descriptors.count))
        rest = rest.dropFirst(some.count)
        note.sockets =
          (note.sockets ?? []) + [
            .init(
              address: "\(socket.name.address)", isDatagram: socket.name.kind == .datagram, isForeign: socket.isForeign,
              count: some.count)
          ]
        descriptors += some
      }
    }
    try flush()
    var content = HandoverNote(.state)
    content.format = HandoverState.format
    try channel.send(content, file: state)
    try channel.send(HandoverNote(.begin))
  }

  private func waitUntilReady(within limit: Duration) throws {
    let deadline = Clock.now() + limit
    while true {
      let rest = (deadline - Clock.now()).milliseconds
      guard rest > 0 else { throw Failure("it is not ready after \(limit)") }
      let received: (note: HandoverNote, descriptors: [Int32])?
      do {
        received = try channel.receiveNote(milliseconds: Int32(clamping: rest))
      } catch let error as Errno where error == .timedOut {
        continue
      }
      guard let (note, descriptors) = received else {
        child.waitForEnd(milliseconds: 2_000)
        throw Failure("it ended: \(child.reap().map { "\($0)" } ?? "without a word")")
      }
      for descriptor in descriptors { Socket.close(descriptor) }
      if note.kind == .ready { return }
      if note.kind == .failed { throw Failure(note.reason ?? "it failed") }
    }
  }

  func release(_ active: [String], _ ledger: StatisticsLedger) {
    var note = HandoverNote(.released)
    note.active = active
    if let bytes = try? Handover.encode(ledger) {
      try? channel.send(note, file: bytes)
    } else {
      try? channel.send(note)
    }
  }

  /// Returns when the API is the next process's, or it is gone, or the time is over.
  func waitUntilServing(milliseconds: Int32) async {
    let channel = channel
    try? await Blocking.run("sluice-serving") {
      while let (note, descriptors) = try channel.receiveNote(milliseconds: milliseconds) {
        for descriptor in descriptors { Socket.close(descriptor) }
        if note.kind == .serving { return }
      }
    }
  }

  /// What this process has counted until now, earlier ones' in it; false when nobody listens any more.
  @discardableResult
  func tell(_ ledger: StatisticsLedger) -> Bool {
    do {
      try channel.send(HandoverNote(.counters), file: try Handover.encode(ledger))
      return true
    } catch {
      return false
    }
  }

  func finish() {
    try? channel.send(HandoverNote(.finished))
    channel.close()
  }

  /// - Returns: how it ended, if it did by itself.
  @discardableResult
  func kill() -> String? {
    let own = child.reap()
    if own == nil {
      child.kill()
      child.waitForEnd(milliseconds: 2_000)
      _ = child.reap()
    }
    Socket.close(child.descriptor)
    channel.close()
    return own.map { "it ended: \($0)" }
  }
}
