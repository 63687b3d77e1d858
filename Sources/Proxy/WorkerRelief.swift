import HTTP2
import Kernel
import Model
import Reactor

/// Room for those who read: clients that take none of what comes could hold all buffers of a worker, for as long as `idle`
/// lets them, and cut everybody else off.
extension Worker {
  /// Ends those who hold too much or stand still too long, until half of the buffers is free.
  mutating func relieveBuffers() {
    guard relief.isDue(milliseconds) else { return }
    switch Relief.choose(trunks: trunksThatHold(), readers: readersThatHold(), lent: buffers.lent) {
    case .trunks(let holders): endTrunks(holders)
    case .readers(let holders): endReaders(holders)
    case .nobody: break
    }
    relief.looked(milliseconds, helped: buffers.isHalfFree)
  }

  private mutating func endTrunks(_ holders: [Relief.Holder]) {
    for holder in holders {
      guard !buffers.isHalfFree else { return }
      // An end may bring others with it.
      guard trunks.isUsed(holder.number), streams[trunks[holder.number].stream].phase == .trunk else { continue }
      let index = trunks[holder.number].stream
      counters.add(streams[index].row, .floodBuffers)
      let name = current.listeners[Int(streams[index].row)]?.model.name ?? "-"
      log.warn("\(name): \(streams[index].source): HTTP/2 connection ended: too much waits for it to be read")
      endTrunk(holder.number, .enhanceYourCalm)
    }
  }

  private mutating func endReaders(_ holders: [Relief.Holder]) {
    for holder in holders {
      guard !buffers.isHalfFree else { return }
      let exchange = holder.number
      guard exchanges.isUsed(exchange) else { continue }
      let client = exchanges[exchange].client
      counters.add(exchanges[exchange].listener, .timeouts)
      let name = current.listeners[Int(exchanges[exchange].listener)]?.model.name ?? "-"
      log.warn("\(name): \(streams[client].source): cut: buffers run out, and it reads nothing of what waits for it")
      exchanges[exchange].ending = .outOfBuffers
      if exchanges[exchange].kind == .tunnel {
        endTunnel(exchange, reset: true)
      } else {
        // The client must see that something is missing.
        resetOnClose(client)
        endExchange(exchange, .outOfBuffers)
      }
    }
  }

  /// What the requests of a client's HTTP/2 connection hold, and what waits for the client to take it.
  private func trunksThatHold() -> [Relief.Holder] {
    var holders: [Relief.Holder] = []
    for number in trunks.indices where trunks.isUsed(number) && trunks[number].branches != Stream.none {
      let parent = trunks[number].stream
      guard streams[parent].role == .client, streams[parent].phase == .trunk else { continue }
      var chunks = streams[parent].output.chunks
      var branch = trunks[number].branches
      while branch != Stream.none {
        chunks += chunksHeld(by: branch)
        branch = streams[branch].next
      }
      holders.append(Relief.Holder(number: number, chunks: chunks))
    }
    return holders
  }

  /// The exchanges of connections with one each, HTTP/1.1 or TCP, whose clients are to read.
  private mutating func readersThatHold() -> [Relief.Holder] {
    var holders: [Relief.Holder] = []
    for exchange in exchanges.indices where exchanges.isUsed(exchange) {
      let client = exchanges[exchange].client
      guard !isBranch(client), !streams[client].output.isEmpty else { continue }
      holders.append(Relief.Holder(number: exchange, chunks: chunksHeld(by: client), moved: lastMoved(exchange)))
    }
    return holders
  }

  /// Of a client's stream: its output, and what its backend has sent already. A request that waits for its backend holds as
  /// many chunks as a piece of content does.
  private func chunksHeld(by client: UInt32) -> Int {
    var chunks = streams[client].input.chunks + streams[client].output.chunks
    let exchange = streams[client].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return chunks }
    chunks += exchanges[exchange].request.chunks + exchanges[exchange].log.chunks
    let backend = exchanges[exchange].backend
    guard backend != Stream.none else { return chunks }
    return chunks + streams[backend].input.chunks + streams[backend].output.chunks
  }

  /// Each piece that a client takes starts its time anew: its deadline tells when that was.
  private mutating func lastMoved(_ exchange: UInt32) -> Int64 {
    let deadline = streams[exchanges[exchange].client].deadline
    guard deadline != .max, let listener = listener(of: exchange) else { return milliseconds }
    let isTunnel = exchanges[exchange].kind == .tunnel || exchanges[exchange].flags.contains(.grpc)
    let began = deadline - (isTunnel ? listener.tunnelTimeout : listener.idleTimeout)
    // The request's own deadline may come before that time is up.
    return max(began, exchanges[exchange].started / 1_000_000)
  }
}
