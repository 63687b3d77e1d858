import Testing

@testable import Proxy

/// A listening socket's queue, in virtual turns.
private struct Queue {
  var burst = AcceptBurst()
  var waiting = 0
  var turn: UInt64 = 0
  var vain = 0

  mutating func passTurn(arriving: Int = 0) {
    waiting += arriving
    if waiting > 0 {
      burst.begin(turn: turn)
      let taken = min(waiting, burst.size)
      waiting -= taken
      let isEmptied = taken < burst.size
      if isEmptied { vain += 1 }
      burst.end(turn: turn, accepted: taken, isEmptied: isEmptied)
    }
    turn += 1
  }
}

@Suite struct AcceptBurstTests {
  @Test func oneAtATimeIsNeverAskedForTwice() {
    var queue = Queue()
    for _ in 0..<1000 {
      queue.passTurn(arriving: 1)
      #expect(queue.waiting == 0)
      for _ in 0..<3 { queue.passTurn() }
    }
    #expect(queue.vain == 0)
  }

  @Test func aFloodIsTakenWithinFewTurns() {
    var queue = Queue()
    queue.passTurn(arriving: 1000)
    var turns = 1
    while queue.waiting > 0 {
      queue.passTurn()
      turns += 1
    }
    // 1 + 4 + 16 + 64, then 128 a turn.
    #expect(turns == 12)
  }

  @Test func steadyArrivalsAreMetWithoutWaiting() {
    var queue = Queue()
    for _ in 0..<20 { queue.passTurn(arriving: 50) }
    for _ in 0..<100 {
      queue.passTurn(arriving: 50)
      #expect(queue.waiting == 0)
    }
  }

  @Test func afterAFloodItIsCarefulAgain() {
    var queue = Queue()
    queue.passTurn(arriving: 1000)
    while queue.waiting > 0 { queue.passTurn() }
    for _ in 0..<3 { queue.passTurn() }
    queue.passTurn(arriving: 1)
    let vain = queue.vain
    queue.passTurn()
    queue.passTurn(arriving: 1)
    #expect(queue.vain == vain && queue.burst.size == 1)
  }
}
