import Reactor

/// What log lines say of where requests came in and went, as text: nearly all go where others went shortly before.
///
/// PERF: two copies; to put the same together from the World's names cost 550 instructions more, among them seven retains and
/// releases.
struct LogPlaces: ~Copyable {
  /// Of one World's epoch in its worker; what is not there has no number.
  struct Key: Equatable, BitwiseCopyable {
    var epoch: UInt32
    var listener: UInt32
    var route: UInt32
    var pool: UInt32
    var slot: UInt32

    fileprivate var row: Int { Int((route &* 31 &+ slot) &* 31 &+ pool ^ listener) & (LogPlaces.rows - 1) }
  }

  /// Ranges of `text`.
  struct Place {
    let listener: Range<Int>
    let server: Range<Int>
  }

  fileprivate static let rows = 256
  private static let capacity = 32 * 1024

  private(set) var text = ByteRegion(capacity: LogPlaces.capacity)
  private var known: [(key: Key, place: Place)?] = Array(repeating: nil, count: LogPlaces.rows)

  func find(_ key: Key) -> Place? {
    guard let entry = known[key.row], entry.key == key else { return nil }
    return entry.place
  }

  /// Keeps a place. A text that is longer than all the room is left out.
  mutating func note(
    _ key: Key, listener: (inout ByteRegion) -> Void, server: (inout ByteRegion) -> Void
  ) -> Place {
    for _ in 0..<2 {
      let start = text.count
      listener(&text)
      let middle = text.count
      server(&text)
      if !text.overflowed {
        let place = Place(listener: start..<middle, server: middle..<text.count)
        known[key.row] = (key, place)
        return place
      }
      forget()
    }
    return Place(listener: 0..<0, server: 0..<0)
  }

  /// Names and numbers have changed.
  mutating func forget() {
    text.clear()
    for row in known.indices { known[row] = nil }
  }
}
