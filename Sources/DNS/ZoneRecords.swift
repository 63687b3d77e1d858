/// The records of a zone file in their order, each with its place.
///
/// PERF: flat: 24 bytes a record, and its names and data one behind the other. With arrays of their own for each name, data
/// and word a file of 250 MB took 9 GB.
package struct ZoneRecords: Sendable {
  struct Entry: Sendable, BitwiseCopyable {
    /// In `bytes`: the owner, and the data.
    var name: UInt32
    var data: UInt32
    var ttl: UInt32
    var line: UInt32
    var column: UInt16
    /// In `files`.
    var file: UInt16
    var type: RecordType
    var dataLength: UInt16
  }

  /// What offsets of 32 bits reach in a zone, where each record has ten bytes more and each owner a second form.
  package static let mostBytes = 1 << 31

  private(set) var entries: [Entry] = []
  private(set) var bytes: [UInt8] = []
  private var files: [String] = []
  private var used = 0
  private let limit: Int

  package init(limit: Int = mostBytes) { self.limit = limit }

  /// - Parameter records: in the order that they are to be in; what there is no room for is left out.
  package init(_ records: some Sequence<PlacedRecord>) {
    self.init()
    for placed in records { _ = append(placed.record, file: placed.place.file, placed.place.line, placed.place.column) }
  }

  /// False where there is no room for it.
  mutating func append(_ record: Record, file: String, _ line: Int, _ column: Int) -> Bool {
    used += record.name.wire.count + record.data.count + 10
    guard used <= limit else { return false }
    if files.last != file, !files.contains(file) { files.append(file) }
    // A file that is read on after one that it includes is not the last.
    let number = files.last == file ? files.count - 1 : files.firstIndex(of: file) ?? 0
    var name = UInt32(truncatingIfNeeded: bytes.count)
    if let before = entries.last?.name, isSame(record.name, at: Int(before)) {
      name = before
    } else {
      bytes += record.name.wire
    }
    let data = UInt32(truncatingIfNeeded: bytes.count)
    bytes += record.data
    entries.append(
      Entry(
        name: name, data: data, ttl: record.ttl, line: UInt32(clamping: line), column: UInt16(clamping: column),
        file: UInt16(clamping: number), type: record.type, dataLength: UInt16(clamping: record.data.count)))
    return true
  }

  private func isSame(_ name: Name, at start: Int) -> Bool {
    start + name.wire.count <= bytes.count
      && Octets.equal(name.wire.span, at: 0, bytes.span, at: start, count: name.wire.count)
  }

  // MARK: One of them

  func data(of index: Int) -> ArraySlice<UInt8> {
    let entry = entries[index]
    return bytes[Int(entry.data)..<Int(entry.data) + Int(entry.dataLength)]
  }

  func name(of index: Int) -> Name {
    let start = Int(entries[index].name)
    return Name(unchecked: Array(bytes[start..<start + (Name.length(in: bytes.span, at: start) ?? 0)]))
  }

  func place(of index: Int) -> ZonePlace {
    let entry = entries[index]
    return ZonePlace(file: files[Int(entry.file)], line: Int(entry.line), column: Int(entry.column))
  }
}

extension ZoneRecords: RandomAccessCollection {
  package var startIndex: Int { 0 }
  package var endIndex: Int { entries.count }

  package subscript(index: Int) -> PlacedRecord {
    let entry = entries[index]
    return PlacedRecord(
      Record(name(of: index), entry.type, ttl: entry.ttl, data: Array(data(of: index))), at: place(of: index))
  }
}
