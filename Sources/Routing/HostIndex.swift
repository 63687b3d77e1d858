/// Host names to groups of routes: one lookup finds the exact name, and a walk from the last
/// label to the first finds every wildcard above it.
struct HostIndex: Sendable {
  /// No group.
  static let none = UInt32.max

  private let exact: NameTable
  private let wildcards: NameTable

  /// Names are lower case and differ from each other; a wildcard is what follows its "*.".
  init(exact: [(text: Piece, group: UInt32)], wildcards: [(text: Piece, group: UInt32)], in text: ByteText) {
    self.exact = NameTable(exact, in: text, backwards: false)
    self.wildcards = NameTable(wildcards, in: text, backwards: true)
  }

  /// A host's length without its trailing dot.
  static func length(_ host: borrowing Span<UInt8>) -> Int {
    host.count > 0 && host[host.count - 1] == UInt8(ascii: ".") ? host.count - 1 : host.count
  }

  /// The group of routes for exactly this name.
  func exactGroup(_ host: Span<UInt8>, _ text: Span<UInt8>) -> UInt32 {
    let name = host.extracting(first: HostIndex.length(host))
    guard name.count > 0, name.count <= exact.longest else { return HostIndex.none }
    var hash = hashStart
    for index in name.indices { hash = mix(hash, lowered(name[index])) }
    return exact.find(hash, name, text)
  }

  /// A walk over the wildcards above a host, from the shortest to the longest.
  struct Walk: BitwiseCopyable {
    fileprivate var position: Int
    fileprivate let count: Int
    fileprivate var hash = hashStart
  }

  /// nil when there are no wildcards at all.
  func walk(_ host: borrowing Span<UInt8>) -> Walk? {
    guard wildcards.longest > 0 else { return nil }
    let count = HostIndex.length(host)
    return Walk(position: count, count: count)
  }

  /// The next group of routes for names that end in "." and a suffix of the host; `none` at the end.
  func next(_ walk: inout Walk, _ host: Span<UInt8>, _ text: Span<UInt8>) -> UInt32 {
    // A label stands before the dot, so the name's first byte is never one that counts.
    while walk.position > 1, walk.count - walk.position <= wildcards.longest {
      let byte = host[walk.position - 1]
      var group = HostIndex.none
      if byte == UInt8(ascii: "."), walk.position < walk.count {
        group = wildcards.find(walk.hash, host.extracting(walk.position..<walk.count), text)
      }
      walk.hash = mix(walk.hash, lowered(byte))
      walk.position -= 1
      if group != HostIndex.none { return group }
    }
    walk.position = 0
    return HostIndex.none
  }
}

/// A hash table from lower-case names to groups.
private struct NameTable: Sendable {
  struct Entry: BitwiseCopyable, Sendable {
    var hash: UInt64 = 0
    var text = Piece()
    var group = HostIndex.none
  }

  private var entries: ContiguousArray<Entry>
  private let mask: Int
  /// The longest name's bytes; 0: no names.
  private(set) var longest = 0

  init(_ names: [(text: Piece, group: UInt32)], in text: ByteText, backwards: Bool) {
    let capacity = tableCapacity(names.count)
    entries = ContiguousArray(repeating: Entry(), count: capacity)
    mask = capacity - 1
    for name in names {
      let bytes = text.bytes[name.text.range]
      let hash = backwards ? bytes.reversed().reduce(hashStart, mix) : bytes.reduce(hashStart, mix)
      var index = slot(hash, mask)
      while entries[index].group != HostIndex.none { index = (index + 1) & mask }
      entries[index] = Entry(hash: hash, text: name.text, group: name.group)
      longest = max(longest, bytes.count)
    }
  }

  func find(_ hash: UInt64, _ name: Span<UInt8>, _ text: Span<UInt8>) -> UInt32 {
    var index = slot(hash, mask)
    while entries[index].group != HostIndex.none {
      let entry = entries[index]
      if entry.hash == hash, name.equalsLowered(text.extracting(entry.text.range)) { return entry.group }
      index = (index + 1) & mask
    }
    return HostIndex.none
  }
}

/// A power of two that leaves at least half of the places empty.
func tableCapacity(_ count: Int) -> Int {
  var capacity = 2
  while capacity < count * 2 { capacity *= 2 }
  return capacity
}
