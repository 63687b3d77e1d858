import Balance
import HTTP
import Kernel
import Model
import Reactor

/// Requests that wait for a backend with room.
extension Worker {
  mutating func enqueue(_ exchange: UInt32, _ row: Int, _ pool: CompiledPool) {
    guard pools[row].queued < pool.model.queue.length else { return failExchange(exchange, status: 503, .queueFull) }
    exchanges[exchange].phase = .queued
    if exchanges[exchange].queuedUntil == 0 {
      exchanges[exchange].queuedUntil = milliseconds + pool.queueTimeout
      link(exchange, row, after: pools[row].queueTail)
    } else {
      // It has waited already: another worker was faster, and its place is still the first.
      link(exchange, row, after: Exchange.none)
    }
    pools[row].queued += 1
    exchanges[exchange].flags.insert(.queued)
    shared.waiting.add(pool: row, 1)
    // Room that another worker makes at this very moment is noticed by the sweep.
    wakeForSweep()
    setDeadline(exchanges[exchange].client, min(exchanges[exchange].queuedUntil, exchanges[exchange].deadline))
  }

  private mutating func link(_ exchange: UInt32, _ row: Int, after previous: UInt32) {
    let next = previous == Exchange.none ? pools[row].queueHead : exchanges[previous].next
    exchanges[exchange].previous = previous
    exchanges[exchange].next = next
    if previous == Exchange.none { pools[row].queueHead = exchange } else { exchanges[previous].next = exchange }
    if next == Exchange.none { pools[row].queueTail = exchange } else { exchanges[next].previous = exchange }
  }

  mutating func dequeue(_ exchange: UInt32) {
    guard exchanges[exchange].flags.contains(.queued) else { return }
    let row = Int(exchanges[exchange].pool)
    let (previous, next) = (exchanges[exchange].previous, exchanges[exchange].next)
    if previous == Exchange.none { pools[row].queueHead = next } else { exchanges[previous].next = next }
    if next == Exchange.none { pools[row].queueTail = previous } else { exchanges[next].previous = previous }
    pools[row].queued -= 1
    exchanges[exchange].flags.remove(.queued)
    shared.waiting.add(pool: row, -1)
  }

  /// A backend's connection became free. Whoever waits is served when the turn's events are through, not from within
  /// one: a queue of failing requests must not become a deep recursion.
  mutating func noteRoom(_ row: Int) {
    let isWantedElsewhere = shared.waiting.count(pool: row) > pools[row].queued
    if isWantedElsewhere, pools[row].queued == 0 || pools[row].yields {
      // In turns with the other workers, which would else wait for as long as somebody waits here.
      pools[row].yields = false
      return shared.wakeOthers(number)
    }
    pools[row].yields = isWantedElsewhere
    willServe(row)
  }

  private mutating func willServe(_ row: Int) {
    guard pools[row].queueHead != Exchange.none else { return }
    guard !pools[row].hasRoom else { return }
    pools[row].hasRoom = true
    rowsWithRoom.append(row)
  }

  mutating func noteRoomEverywhere() {
    for row in pools.indices { willServe(row) }
  }

  /// Those who wait longest in a pool try again, until one must wait on.
  mutating func serveQueues() {
    while let row = rowsWithRoom.popLast() {
      pools[row].hasRoom = false
      var turns = pools[row].queued
      while turns > 0, pools[row].queueHead != Exchange.none {
        turns -= 1
        let exchange = pools[row].queueHead
        dequeue(exchange)
        assign(exchange)
        if exchanges.isUsed(exchange), exchanges[exchange].flags.contains(.queued) { break }
      }
    }
  }
}
