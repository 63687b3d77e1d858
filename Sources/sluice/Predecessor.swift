internal import Foundation
internal import Kernel
internal import Model
internal import Node
internal import Telemetry

/// The process before this one, which still serves.
final class Predecessor: Sendable {
  private let channel: DescriptorChannel
  let sockets: InheritedSockets
  /// What it knew; nil: nothing of it is understood.
  let state: HandoverState?
  /// What of it is not understood; nil: all is.
  let loss: String?

  /// nil: this process takes over from nobody.
  static func find() throws(Failure) -> Predecessor? {
    guard let channel = Startup.current.channel else { return nil }
    do {
      return try Predecessor(channel)
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure("the process before this one does not say what it has: \(error)", hint: "start without it")
    }
  }

  /// Takes in what comes before `begin`.
  private init(_ channel: DescriptorChannel) throws {
    self.channel = channel
    var sockets: [InheritedSockets.Name: [Int32]] = [:]
    var foreign: Set<SocketAddress> = []
    var (state, loss): (HandoverState?, String?) = (nil, nil)
    while true {
      guard let (note, descriptors) = try channel.receiveNote(milliseconds: 10_000) else {
        throw Failure("the process before this one is gone")
      }
      switch note.kind {
      case .sockets:
        var rest = descriptors[...]
        for group in note.sockets ?? [] {
          let own = rest.prefix(max(0, group.count))
          rest = rest.dropFirst(own.count)
          guard let address = SocketAddress(group.address) else {
            for descriptor in own { Socket.close(descriptor) }
            continue
          }
          sockets[.init(address, group.isDatagram ? .datagram : .stream), default: []] += own
          if group.isForeign { foreign.insert(address) }
        }
        for descriptor in rest { Socket.close(descriptor) }
      case .state: (state, loss) = Predecessor.state(note, descriptors)
      case .begin:
        self.sockets = InheritedSockets(sockets, foreign: foreign)
        self.state = state
        self.loss = loss
        loss.map { Terminal.printError("sluice: \($0)") }
        return
      default: for descriptor in descriptors { Socket.close(descriptor) }
      }
    }
  }

  private static func state(_ note: HandoverNote, _ descriptors: [Int32]) -> (HandoverState?, loss: String?) {
    let before = "of what the process before this one knew"
    let all = "health, overrides, persistence and counters begin anew"
    guard let file = descriptors.first else { return (nil, "\(before), nothing came: \(all)") }
    guard note.format == HandoverState.format else {
      Socket.close(file)
      return (
        nil,
        "\(before), nothing is understood: it is of format \(note.format ?? 0), not \(HandoverState.format): \(all)"
      )
    }
    do {
      var salvage = Salvage()
      let state = try salvage.state(try MemoryFile.read(file, limit: Handover.limit))
      return (state, salvage.words.map { "\(before), some has another form and begins anew: \($0)" })
    } catch {
      return (nil, "\(before), nothing is understood: \(error); \(all)")
    }
  }

  /// This process serves; returns when the other has let go.
  /// - Returns: the VIPs that are active.
  func takeOver(_ estate: Estate) async throws -> [String] {
    try channel.send(HandoverNote(.ready))
    let channel = channel
    return try await Blocking.run("sluice-takeover") { () throws in
      while true {
        guard let (note, descriptors) = try channel.receiveNote(milliseconds: 20_000) else {
          throw Failure("the process before this one has ended, and did not let go")
        }
        // The other serves nobody any more: whatever this is, it is no reason to give up.
        if let ledger = descriptors.first.flatMap(Predecessor.ledger) { estate.setEarlier(ledger) }
        if note.kind == .released { return note.active ?? [] }
      }
    }
  }

  /// nil: it is not understood. What of it is not was told with the state.
  private static func ledger(_ file: Int32) -> StatisticsLedger? {
    var salvage = Salvage()
    return try? salvage.ledger(MemoryFile.read(file, limit: Handover.limit))
  }

  /// The API is this process's: the other may end.
  func serve() { try? channel.send(HandoverNote(.serving)) }

  /// This process gives up, and the other goes on.
  func fail(_ reason: String) {
    var note = HandoverNote(.failed)
    note.reason = String(reason.prefix(4_000))
    try? channel.send(note)
  }

  /// What it counts while it drains, and then its end.
  func follow(_ estate: Estate) {
    let channel = channel
    _ = try? Thread.start(name: "sluice-earlier") {
      while let (note, descriptors) = try? channel.receiveNote(milliseconds: -1) {
        if note.kind == .counters, let file = descriptors.first {
          if let ledger = Predecessor.ledger(file) { estate.setEarlier(ledger) }
        } else {
          for descriptor in descriptors { Socket.close(descriptor) }
        }
        if note.kind == .finished { break }
      }
      estate.setEarlier(nil)
      channel.close()
    }
  }
}

/// Work that blocks, on a thread of its own.
enum Blocking {
  static func run<Result: Sendable>(
    _ name: String, _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { waiter in
      do {
        _ = try Thread.start(name: name) {
          do { waiter.resume(returning: try body()) } catch { waiter.resume(throwing: error) }
        }
      } catch {
        waiter.resume(throwing: error)
      }
    }
  }
}
