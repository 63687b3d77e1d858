import DNS
import Kernel
import Model
import Reactor
import TLS

/// A TCP client, in clear or through TLS.
struct Stream: BitwiseCopyable {
  var descriptor: Int32 = -1
  var client = IPAddress.anyV4
  /// The beginning of a query whose rest has not come, and queries that wait for the client to read.
  var input = Chain()
  var output = Chain()
  /// In milliseconds. Moved by a whole query and by an answer that gets on, not by single bytes.
  var deadline: Int64 = 0
  /// There may be something to read.
  var isReadable = false
  /// Of TLS; `none`: in clear.
  var channel = Stream.none
  /// Its handshake is not over.
  var isShaking = false
  /// The client has sent all that it will.
  var hasEnded = false

  static let none = UInt32.max
}

/// A stream that may be gone meanwhile.
struct Handle: BitwiseCopyable {
  let index: UInt32
  let generation: UInt32
}

/// Queries over TCP (RFC 7766): pipelined, answered in order, each bounded in time and in memory.
extension Worker {
  /// A longer query is none.
  private static let longestQuery = 4096
  /// Bytes of answers that wait for one client before its next query is looked at.
  static let outputLimit: UInt32 = 256 << 10
  /// Steps that a client gets in one turn: one that never stops asking, or a secondary that reads as fast as it is
  /// written to, must not hold the worker.
  private static let rounds = 16
  /// A message of a transfer has up to 64 KiB, and takes 2 to 4 ms to write: with many secondaries at once, queries over
  /// UDP would wait for all of them (0.4 s with 200).
  static let messagesPerTurn = 2

  var milliseconds: Int64 { clock.now.nanoseconds / 1_000_000 }

  mutating func accept(_ socket: Int) {
    let isSecure = sockets[socket].isSecure
    for _ in 0..<64 {
      if isSecure, handshaking >= catalog.handshakeLimit { return mute() }
      guard case .connection(let fd, let endpoint) = Socket.accept(sockets[socket].descriptor) else { return }
      counters.count(.accepted)
      if streams.count >= streamLimit { evict() }
      guard streams.count < streamLimit, let endpoint, let index = streams.insert() else {
        Socket.close(fd)
        continue
      }
      counters.count(.open)
      streams[index].descriptor = fd
      streams[index].client = endpoint.address
      streams[index].deadline = milliseconds + idleMilliseconds
      Socket.setNoDelay(fd)
      let token = UInt64(streams.generation(index)) << 32 | UInt64(index)
      do { try epoll.add(fd, token: token, .stream) } catch {
        close(index)
        continue
      }
      if isSecure { beginHandshake(index) }
    }
  }

  /// The one that has been silent for longest gives way, unless it is being served.
  private mutating func evict() {
    var oldest: (index: UInt32, deadline: Int64)?
    for index in streams.indices where streams.isUsed(index) && isQuiet(index) {
      if oldest.map({ streams[index].deadline < $0.deadline }) ?? true { oldest = (index, streams[index].deadline) }
    }
    guard let oldest else { return }
    counters.count(.evicted)
    close(oldest.index)
  }

  func isQuiet(_ index: UInt32) -> Bool { streams[index].output.isEmpty && transfers[index] == nil }

  mutating func streamEvent(_ event: Epoll.Event) {
    let index = UInt32(truncatingIfNeeded: event.token)
    guard streams.isUsed(index), UInt64(streams.generation(index)) == event.token >> 32 else { return }
    if event.readable { streams[index].isReadable = true }
    if streams[index].isShaking { shake(index) } else { pump(index) }
  }

  /// Takes a client's turn up again in the next turn of the loop.
  mutating func postpone(_ index: UInt32) {
    unfinished.append(Handle(index: index, generation: UInt32(streams.generation(index))))
  }

  /// What the last turn has left.
  mutating func goOn() {
    let list = unfinished
    unfinished = []
    for (position, handle) in list.enumerated() {
      guard streams.isUsed(handle.index), UInt32(streams.generation(handle.index)) == handle.generation else {
        continue
      }
      let isShaking = streams[handle.index].isShaking
      // Behind the turn's share all others wait, too, and are the first of the next.
      guard isShaking ? handshakeSteps > 0 : transfers[handle.index] == nil || transferSteps > 0 else {
        unfinished = list[position...] + unfinished
        return
      }
      guard !isShaking else {
        shake(handle.index)
        continue
      }
      streams[handle.index].isReadable = true
      pump(handle.index)
    }
  }

  /// Does all that can be done for a client now.
  mutating func pump(_ index: UInt32) {
    for round in 0... {
      guard round < Worker.rounds else { return postpone(index) }
      guard flush(index) else { return }
      if transfers[index] != nil {
        guard transferSteps > 0 else { return postpone(index) }
        transferSteps -= 1
        guard advance(index) else { return }
        continue
      }
      guard streams[index].output.isEmpty, answerQueries(index) else { break }
    }
    if streams.isUsed(index), streams[index].hasEnded, isQuiet(index) { close(index) }
  }

  /// Sends what waits; false when the stream is gone or the client must read first.
  private mutating func flush(_ index: UInt32) -> Bool {
    while !streams[index].output.isEmpty {
      let result = buffers.send(&streams[index].output, to: streams[index].descriptor)
      if result.wouldBlock { return false }
      guard result.value > 0 else {
        close(index)
        return false
      }
      streams[index].deadline = milliseconds + idleMilliseconds
    }
    return true
  }

  /// Reads, and answers all whole queries; whether there may be more to do.
  private mutating func answerQueries(_ index: UInt32) -> Bool {
    received.clear()
    buffers.copy(streams[index].input, to: &received)
    let held = received.count
    buffers.release(&streams[index].input)
    if streams[index].isReadable, received.room > 0 {
      let result = receive(index)
      if result.wouldBlock {
        streams[index].isReadable = false
      } else if result.isEnd {
        streams[index].isReadable = false
        streams[index].hasEnded = true
      } else if result.failed {
        close(index)
        return false
      }
    }
    var position = 0
    outgoing.clear()
    while received.count - position >= 2, outgoing.count < Int(Worker.outputLimit) / 4, transfers[index] == nil {
      let length = Int(received[position]) << 8 | Int(received[position + 1])
      guard length <= Worker.longestQuery, length >= 12 else {
        counters.count(.malformed)
        close(index)
        return false
      }
      guard received.count - position - 2 >= length else { break }
      guard answer(index, position + 2..<position + 2 + length) else { return false }
      position += 2 + length
    }
    let madeProgress = position > 0
    if madeProgress { streams[index].deadline = milliseconds + idleMilliseconds }
    // These were its last: the end comes right behind the answers.
    if isDraining, madeProgress, position == received.count { streams[index].hasEnded = true }
    if position < received.count,
      !buffers.append(received, position..<received.count, to: &streams[index].input)
    {
      close(index)
      return false
    }
    guard sendOutgoing(index) else { return false }
    return madeProgress || received.count > held && streams[index].isReadable
  }

  /// Answers one query into `outgoing`; false when the stream is gone.
  private mutating func answer(_ index: UInt32, _ range: Range<Int>) -> Bool {
    let isSecure = streams[index].channel != Stream.none
    counters.count(isSecure ? .secured : .streams)
    let client = Responder.Client(streams[index].client, isSecure ? .tls : .tcp)
    var outcome = responder.answer(received, range, from: client, at: clock, catalog, view, into: &writer)
    if case .transfer(let zone, let since) = outcome {
      if catalog.mayTransfer(zone, to: client, key: responder.signer?.key.name) {
        count(outcome)
        transfers[index] = ZoneTransfer(
          catalog.zones.list[zone], query: responder.query, since: since, history: catalog.histories[zone],
          signer: responder.signer)
        return true
      }
      outcome = responder.decline(.refused, received, range, from: client, at: clock, into: &writer)
    }
    count(outcome)
    guard outcome == .respond else {
      // What is no query does not belong on this connection.
      close(index)
      return false
    }
    return put(index)
  }

  /// Puts the message that was written behind its length.
  private mutating func put(_ index: UInt32) -> Bool {
    if outgoing.room < writer.count + 2 {
      guard sendOutgoing(index) else { return false }
      outgoing.clear()
    }
    outgoing.append(byte: UInt8(truncatingIfNeeded: writer.count >> 8))
    outgoing.append(byte: UInt8(truncatingIfNeeded: writer.count))
    outgoing.append(message: writer)
    return true
  }

  /// Sends `outgoing` and keeps what the socket refuses; false when the stream is gone.
  private mutating func sendOutgoing(_ index: UInt32) -> Bool {
    guard outgoing.count > 0 else { return true }
    guard streams[index].channel == Stream.none else { return sendSecure(index) }
    var sent = 0
    if streams[index].output.isEmpty {
      let result = outgoing.send(0..<outgoing.count, to: streams[index].descriptor)
      if result.failed {
        close(index)
        return false
      }
      sent = result.bytes
    }
    if sent < outgoing.count {
      guard streams[index].output.count < Worker.outputLimit,
        buffers.append(outgoing, sent..<outgoing.count, to: &streams[index].output)
      else {
        close(index)
        return false
      }
    }
    outgoing.clear()
    return true
  }

  /// The next message of a transfer; false when the stream is gone.
  private mutating func advance(_ index: UInt32) -> Bool {
    outgoing.clear()
    guard transfers[index]?.next(into: &writer, at: clock.unixSeconds) == true else {
      transfers[index] = nil
      return true
    }
    guard put(index), sendOutgoing(index) else { return false }
    streams[index].deadline = milliseconds + idleMilliseconds
    return true
  }

  /// Closes what has been idle, or has got nowhere, for too long.
  mutating func sweep(_ now: Int64) {
    guard streams.count > 0 else { return }
    for index in streams.indices where streams.isUsed(index) && streams[index].deadline <= now {
      if streams[index].isShaking { counters.count(HandshakeFailure.Kind.timeout) }
      close(index)
    }
  }

  mutating func close(_ index: UInt32) {
    if streams[index].channel != Stream.none { endSecure(index) }
    Socket.close(streams[index].descriptor)
    buffers.release(&streams[index].input)
    buffers.release(&streams[index].output)
    transfers[index] = nil
    streams.remove(index)
    counters.count(.open, -1)
  }
}

extension Responder {
  fileprivate mutating func answer(
    _ region: borrowing ByteRegion, _ range: Range<Int>, from client: Client, at moment: Moment,
    _ catalog: borrowing Catalog, _ view: borrowing DynamicView, into writer: inout MessageWriter
  ) -> Outcome {
    answer(
      region.bytes(range), from: client, at: moment, zones: catalog.zones, view: view, places: catalog.places,
      into: &writer)
  }

  fileprivate mutating func decline(
    _ code: ResponseCode, _ region: borrowing ByteRegion, _ range: Range<Int>, from client: Client,
    at moment: Moment, into writer: inout MessageWriter
  ) -> Outcome {
    decline(code, region.bytes(range), from: client, at: moment, into: &writer)
  }
}

extension ByteRegion {
  fileprivate mutating func append(message writer: borrowing MessageWriter) {
    append(writer.bytes.span.extracting(0..<writer.count))
  }
}
