import HTTP2
import Kernel
import Model
import Reactor

/// Room for those who read: clients that open many streams and take none of what comes could hold all buffers of a
/// worker, for as long as `idle` lets them, and cut everybody else off.
extension Worker {
  private static let reliefInterval: Int64 = 100

  /// Ends the HTTP/2 connections that hold the most, until half of the buffers is free.
  mutating func relieveBuffers() {
    guard milliseconds >= nextRelief else { return }
    nextRelief = milliseconds + Worker.reliefInterval
    var holders: [(trunk: UInt32, bytes: Int)] = []
    for number in trunks.indices where trunks.isUsed(number) && trunks[number].branches != Stream.none {
      guard streams[trunks[number].stream].role == .client, streams[trunks[number].stream].phase == .trunk else {
        continue
      }
      holders.append((number, bytesHeld(for: number)))
    }
    // Where others hold the most, to end these would not help.
    guard holders.reduce(0, { $0 + $1.bytes }) > buffers.lent * BufferPool.chunkSize / 2 else { return }
    holders.sort { $0.bytes > $1.bytes }
    for (number, _) in holders {
      guard !buffers.isHalfFree, trunks.isUsed(number) else { return }
      let index = trunks[number].stream
      counters.add(streams[index].row, .floodBuffers)
      let name = current.listeners[Int(streams[index].row)]?.model.name ?? "-"
      log.warn("\(name): \(streams[index].source): HTTP/2 connection ended: too much waits for it to be read")
      endTrunk(number, .enhanceYourCalm)
    }
  }

  /// What waits for a client to take it: its branches' output, and what their backends have sent already.
  private func bytesHeld(for number: UInt32) -> Int {
    var sum = Int(streams[trunks[number].stream].output.count)
    var branch = trunks[number].branches
    while branch != Stream.none {
      sum += Int(streams[branch].output.count)
      let exchange = streams[branch].exchange
      if exchange != Exchange.none, exchanges.isUsed(exchange), exchanges[exchange].backend != Stream.none {
        sum += Int(streams[exchanges[exchange].backend].input.count)
      }
      branch = streams[branch].next
    }
    return sum
  }
}
