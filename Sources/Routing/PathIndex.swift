/// The paths of all groups in one hash table: (group, text) to the routes for exactly that
/// path and the routes for it and all below it.
struct PathIndex: Sendable {
  struct Entry: BitwiseCopyable, Sendable {
    var hash: UInt64 = 0
    var group = UInt32.max
    var text = Piece()
    var exact = Piece()
    var prefix = Piece()

    var isEmpty: Bool { group == .max }
  }

  private var entries: ContiguousArray<Entry>
  private let mask: Int

  init(_ paths: [Entry], in text: ByteText) {
    let capacity = tableCapacity(paths.count)
    entries = ContiguousArray(repeating: Entry(), count: capacity)
    mask = capacity - 1
    for path in paths {
      var hash = PathIndex.start(path.group)
      for byte in text.bytes[path.text.range] { hash = mix(hash, byte) }
      var index = slot(hash, mask)
      while !entries[index].isEmpty { index = (index + 1) & mask }
      entries[index] = path
      entries[index].hash = hash
    }
  }

  static func start(_ group: UInt32) -> UInt64 { hashStart ^ UInt64(group) &* 0x9e37_79b9_7f4a_7c15 }

  /// The entry of the group for the first `count` bytes of the path; nil when there is none.
  func find(
    _ hash: UInt64, _ group: UInt32, _ path: borrowing Span<UInt8>, _ count: Int, _ text: borrowing Span<UInt8>
  ) -> Entry? {
    var index = slot(hash, mask)
    while !entries[index].isEmpty {
      let entry = entries[index]
      if entry.hash == hash, entry.group == group, text.extracting(entry.text.range).equals(path, count: count) {
        return entry
      }
      index = (index + 1) & mask
    }
    return nil
  }
}
