internal import Model

/// What is to be said, cut into messages that fit a record.
extension Message {
  /// Of what a message holds beside its fixed fields, with room to spare.
  private static let room = Channel.messageLimit - 1_024

  static func batches(
    reports: [PeerReport], removed: [PeerReportKey], isWhole: Bool
  ) -> [ReportBatch] {
    var batches: [ReportBatch] = []
    var batch = ReportBatch(isWhole: isWhole, isLast: false, reports: [], removed: [])
    var size = 0
    func cost(_ key: PeerReportKey) -> Int { 4 + key.name.utf8.count }
    for report in reports {
      let next = cost(report.key) + report.body.count
      if size + next > room {
        batches.append(batch)
        batch = ReportBatch(isWhole: false, isLast: false, reports: [], removed: [])
        size = 0
      }
      batch.reports.append(report)
      size += next
    }
    for key in removed {
      if size + cost(key) > room {
        batches.append(batch)
        batch = ReportBatch(isWhole: false, isLast: false, reports: [], removed: [])
        size = 0
      }
      batch.removed.append(key)
      size += cost(key)
    }
    batch.isLast = true
    batches.append(batch)
    return batches
  }

  /// As many as fit one message, from the front.
  static func batch(registers: [Register]) -> ArraySlice<Register> {
    var size = 0
    let end = registers.firstIndex { register in
      let key = register.key
      size += 16 + key.pool.utf8.count + key.backend.utf8.count + register.value.utf8.count
      size += register.stamp.node.utf8.count
      return size > room
    }
    return registers[..<(end ?? registers.endIndex)]
  }

  /// By pool. What cannot be said, since a name is too long, is left out.
  /// - Parameter upTo: said with the last one.
  static func batches(entries: [PersistenceEntry], upTo: UInt64) -> [EntryBatch] {
    let fitting = entries.filter { max($0.pool.utf8.count, $0.backend.utf8.count) <= PeerReport.textLimit }
    var batches: [EntryBatch] = []
    for (_, group) in Dictionary(grouping: fitting, by: \.pool).sorted(by: { $0.key < $1.key }) {
      var batch = EntryBatch(upTo: 0, entries: [])
      var names: Set<String> = []
      var size = 0
      for entry in group {
        let next = 14 + (names.contains(entry.backend) ? 0 : 1 + entry.backend.utf8.count)
        if size + next > room {
          batches.append(batch)
          (batch, names, size) = (EntryBatch(upTo: 0, entries: []), [], 0)
        }
        names.insert(entry.backend)
        batch.entries.append(entry)
        size += next
      }
      batches.append(batch)
    }
    if batches.isEmpty { batches.append(EntryBatch(upTo: 0, entries: [])) }
    batches[batches.count - 1].upTo = upTo
    return batches
  }
}
