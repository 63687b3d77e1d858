import DNS
import Kernel
import Model
import Reactor

/// Queries over UDP.
extension Worker {
  /// Batches in a row before other events get their turn.
  private static let rounds = 16

  mutating func answerDatagrams(_ socket: Int) {
    let (fd, isWildcard) = (sockets[socket].descriptor, sockets[socket].isWildcard)
    for _ in 0..<Worker.rounds {
      let received = batch.receive(from: fd, destinations: isWildcard)
      guard received.value > 0 else { return }
      for index in 0..<batch.count { answer(index) }
      if batch.pending > 0 { _ = batch.send(through: fd) }
      // The socket was empty: what has come since brings another event.
      guard batch.count == AnswerBatch.slots else { break }
    }
  }

  @inline(__always) private mutating func answer(_ index: Int) {
    counters.count(.datagrams)
    guard !batch.isTruncated(index), let source = batch.source(index), source.port != 0 else {
      counters.count(.dropped)
      counters.count(.malformed)
      return
    }
    let outcome = responder.answer(batch, index, from: source.address, at: clock, catalog, view, into: &writer)
    count(outcome)
    if outcome == .respond { _ = batch.answer(index, writer.bytes, count: writer.count) }
  }
}

/// Spans of a worker's own memory can be lent to its responder only where both are arguments.
extension Responder {
  @inline(__always) fileprivate mutating func answer(
    _ batch: borrowing AnswerBatch, _ index: Int, from client: IPAddress, at moment: Moment,
    _ catalog: borrowing Catalog, _ view: borrowing DynamicView, into writer: inout MessageWriter
  ) -> Outcome {
    answer(
      batch.question(index), from: .init(client, .udp), at: moment, zones: catalog.zones, view: view,
      places: catalog.places, into: &writer)
  }
}
