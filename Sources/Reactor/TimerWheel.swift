/// A hierarchical timer wheel: 4 levels of 64 slots, 4 ms a tick, up to 18 hours ahead.
///
/// A timer is armed, moved and disarmed in constant time. It may fire late by a tick,
/// never early. Owners that often push a deadline back leave the timer where it is and
/// re-arm it when it fires early for them, so that a busy connection costs nothing here.
/// Source: Varghese and Lauck, "Hashed and hierarchical timing wheels", scheme 7.
package struct TimerWheel: ~Copyable {
  package static let tickMilliseconds: Int64 = 4
  private static let none = UInt32.max
  private static let levels = 4
  private static let horizon: Int64 = 1 << 24

  private struct Node: BitwiseCopyable {
    var token: UInt64 = 0
    /// In ticks; -1: not armed.
    var expiry: Int64 = -1
    var next = TimerWheel.none
    var previous = TimerWheel.none
    /// The list that holds it: level * 64 + slot, or `due`.
    var list: Int32 = -1
  }

  private static let due = Int32(levels * 64)

  private var nodes: Slab<Node>
  private var heads: [UInt32]
  private var occupied: [UInt64]
  /// The last tick that was worked off.
  private var tick: Int64
  private var armed = 0

  package init(limit: Int, now milliseconds: Int64) {
    nodes = Slab(limit: limit, blank: Node())
    heads = Array(repeating: TimerWheel.none, count: Int(TimerWheel.due) + 1)
    occupied = Array(repeating: 0, count: TimerWheel.levels)
    tick = milliseconds / TimerWheel.tickMilliseconds
  }

  /// A disarmed timer for `token`; nil when the limit is reached.
  package mutating func insert(token: UInt64) -> UInt32? {
    guard let timer = nodes.insert() else { return nil }
    nodes[timer].token = token
    return timer
  }

  package mutating func remove(_ timer: UInt32) {
    unlink(timer)
    nodes.remove(timer)
  }

  /// Makes sure that the timer fires at `milliseconds` or earlier: moves it only when it is armed for later.
  package mutating func arm(_ timer: UInt32, by milliseconds: Int64) {
    let expiry = max(tick + 1, (milliseconds + TimerWheel.tickMilliseconds - 1) / TimerWheel.tickMilliseconds)
    let current = nodes[timer].expiry
    if current >= 0, current <= expiry { return }
    unlink(timer)
    nodes[timer].expiry = expiry
    link(timer)
  }

  package mutating func disarm(_ timer: UInt32) { unlink(timer) }

  /// Works off the time until `milliseconds`; then `nextDue` returns what fired.
  package mutating func advance(to milliseconds: Int64) {
    let target = milliseconds / TimerWheel.tickMilliseconds
    while tick < target {
      if armed == 0 {
        tick = target
        return
      }
      tick += 1
      if tick & 63 == 0 { cascade() }
      let slot = Int(tick & 63)
      if occupied[0] & (1 << UInt64(slot)) != 0 { moveToDue(slot) }
    }
  }

  /// The token of a timer that has fired, once per firing. The timer is disarmed.
  package mutating func nextDue() -> UInt64? {
    let timer = heads[Int(TimerWheel.due)]
    guard timer != TimerWheel.none else { return nil }
    unlink(timer)
    return nodes[timer].token
  }

  /// Milliseconds until something may fire; nil: nothing is armed.
  package func wait(from milliseconds: Int64) -> Int64? {
    if armed == 0 { return nil }
    if heads[Int(TimerWheel.due)] != TimerWheel.none { return 0 }
    // Rotate so that bit 0 is the next tick's slot; beyond the rotation's end a cascade is due anyway.
    let position = UInt64(tick + 1) & 63
    let rotated = position == 0 ? occupied[0] : occupied[0] >> position
    let untilCascade = position == 0 ? 0 : 64 - Int64(position)
    let ticks = rotated == 0 ? untilCascade + 1 : Int64(rotated.trailingZeroBitCount) + 1
    return max(0, (tick + min(ticks, untilCascade + 1)) * TimerWheel.tickMilliseconds - milliseconds)
  }

  private mutating func cascade() {
    var level = 1
    while level < TimerWheel.levels {
      let slot = Int(tick >> Int64(6 * level)) & 63
      let list = level * 64 + slot
      occupied[level] &= ~(1 << UInt64(slot))
      var timer = heads[list]
      heads[list] = TimerWheel.none
      while timer != TimerWheel.none {
        let next = nodes[timer].next
        armed -= 1
        nodes[timer].list = -1
        link(timer)
        timer = next
      }
      if slot != 0 { break }
      level += 1
    }
  }

  private mutating func moveToDue(_ slot: Int) {
    occupied[0] &= ~(1 << UInt64(slot))
    var timer = heads[slot]
    heads[slot] = TimerWheel.none
    while timer != TimerWheel.none {
      let next = nodes[timer].next
      push(timer, on: TimerWheel.due)
      timer = next
    }
  }

  private mutating func link(_ timer: UInt32) {
    let expiry = nodes[timer].expiry
    let distance = min(max(expiry - tick, 0), TimerWheel.horizon - 1)
    armed += 1
    if distance == 0 { return push(timer, on: TimerWheel.due) }
    var level = 0
    while distance >= 1 << Int64(6 * (level + 1)) { level += 1 }
    // Beyond the horizon a timer waits in the last level and is linked again when it cascades.
    let slot = Int((tick + distance) >> Int64(6 * level)) & 63
    occupied[level] |= 1 << UInt64(slot)
    push(timer, on: Int32(level * 64 + slot))
  }

  private mutating func push(_ timer: UInt32, on list: Int32) {
    let head = heads[Int(list)]
    nodes[timer].list = list
    nodes[timer].next = head
    nodes[timer].previous = TimerWheel.none
    if head != TimerWheel.none { nodes[head].previous = timer }
    heads[Int(list)] = timer
  }

  private mutating func unlink(_ timer: UInt32) {
    let node = nodes[timer]
    guard node.list >= 0 else { return }
    if node.previous == TimerWheel.none {
      heads[Int(node.list)] = node.next
    } else {
      nodes[node.previous].next = node.next
    }
    if node.next != TimerWheel.none { nodes[node.next].previous = node.previous }
    if node.list < TimerWheel.due, heads[Int(node.list)] == TimerWheel.none {
      occupied[Int(node.list) / 64] &= ~(1 << UInt64(node.list % 64))
    }
    nodes[timer].list = -1
    nodes[timer].expiry = -1
    armed -= 1
  }
}
