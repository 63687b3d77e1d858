import HTTP2
import Kernel
import Model
import Reactor

/// Room for those who read: clients that open many streams and take none of what comes could hold all buffers of a
/// worker, for as long as `idle` lets them, and cut everybody else off.
extension Worker {
  /// Ends the HTTP/2 connections that hold the most, until half of the buffers is free.
  mutating func relieveBuffers() {
    guard relief.isDue(milliseconds) else { return }
    var holders: [Relief.Holder] = []
    for number in trunks.indices where trunks.isUsed(number) && trunks[number].branches != Stream.none {
      guard streams[trunks[number].stream].role == .client, streams[trunks[number].stream].phase == .trunk else {
        continue
      }
      holders.append(Relief.Holder(trunk: number, chunks: chunksHeld(for: number)))
    }
    for holder in Relief.order(holders, lent: buffers.lent) {
      guard !buffers.isHalfFree else { break }
      // An end may bring others with it.
      guard trunks.isUsed(holder.trunk), streams[trunks[holder.trunk].stream].phase == .trunk else { continue }
      let index = trunks[holder.trunk].stream
      counters.add(streams[index].row, .floodBuffers)
      let name = current.listeners[Int(streams[index].row)]?.model.name ?? "-"
      log.warn("\(name): \(streams[index].source): HTTP/2 connection ended: too much waits for it to be read")
      endTrunk(holder.trunk, .enhanceYourCalm)
    }
    relief.looked(milliseconds, helped: buffers.isHalfFree)
  }

  /// What its requests hold, and what waits for the client to take it: its branches' output, and what their backends have
  /// sent already. A request that waits for its backend holds as many chunks as a piece of content does.
  private func chunksHeld(for number: UInt32) -> Int {
    var sum = streams[trunks[number].stream].output.chunks
    var branch = trunks[number].branches
    while branch != Stream.none {
      sum += streams[branch].input.chunks + streams[branch].output.chunks
      let exchange = streams[branch].exchange
      if exchange != Exchange.none, exchanges.isUsed(exchange) {
        sum += exchanges[exchange].request.chunks + exchanges[exchange].log.chunks
        let backend = exchanges[exchange].backend
        if backend != Stream.none { sum += streams[backend].input.chunks + streams[backend].output.chunks }
      }
      branch = streams[branch].next
    }
    return sum
  }
}
