/// How many connections to accept at one event of a listening socket, which is level-triggered: what is left comes again in
/// the next turn.
///
/// PERF: an accept that finds nobody costs 1.9 µs, since the kernel makes a socket and a file before it looks. So as many are
/// accepted as came last time, more while the socket is never emptied.
struct AcceptBurst: BitwiseCopyable {
  static let limit = 128

  private(set) var size = 1
  /// The turn that took `size`, and so may have left some.
  private var fullTurn: UInt64 = .max

  /// At an event.
  mutating func begin(turn: UInt64) {
    // The event has come again at once: there are more than `size` for each turn.
    if fullTurn != .max, turn == fullTurn &+ 1 { size = min(size * 4, AcceptBurst.limit) }
    fullTurn = .max
  }

  /// - Parameter isEmptied: nobody was left.
  mutating func end(turn: UInt64, accepted: Int, isEmptied: Bool) {
    if isEmptied { size = max(1, accepted) } else { fullTurn = turn }
  }
}
