import Balance
import HTTP
import Model
import Reactor

/// Pools whose clients are divided by version. A pool that is not costs one comparison.
extension Worker {
  mutating func adoptVersions(_ row: Int, _ pool: CompiledPool) {
    while versionPickers.count <= row { versionPickers.append([]) }
    guard let split = pool.split else {
      if !versionPickers[row].isEmpty { versionPickers[row] = [] }
      return
    }
    versionPickers[row].removeLast(max(0, versionPickers[row].count - split.tables.count))
    for (group, table) in split.tables.enumerated() {
      if group < versionPickers[row].count {
        versionPickers[row][group].update(table: table)
      } else {
        versionPickers[row].append(Picker(table: table, seed: random.next()))
      }
    }
  }

  /// Which version the request in `incoming` goes to: the one that it asks for, else its client's, else a share's.
  mutating func chooseVersion(_ exchange: UInt32, _ split: CompiledSplit, _ pool: CompiledPool, source: IPAddress) {
    let wanted = Int(exchanges[exchange].wanted)
    let group: UInt8
    if let asked = askedVersion(split) {
      group = asked
    } else if wanted >= 0, let own = split.group(ofBackend: wanted) {
      group = own
    } else {
      group = split.group(of: stickyHash(split, pool, source))
    }
    enter(exchange, group, split)
  }

  /// The same for a connection without a request.
  mutating func chooseVersion(
    bySource exchange: UInt32, _ split: CompiledSplit, _ pool: CompiledPool, _ source: IPAddress
  ) {
    let wanted = Int(exchanges[exchange].wanted)
    enter(exchange, wanted >= 0 ? split.group(ofBackend: wanted) : nil, split, else: sourceHash(split, pool, source))
  }

  private mutating func enter(_ exchange: UInt32, _ own: UInt8?, _ split: CompiledSplit, else hash: UInt64 = 0) {
    let group = own ?? split.group(of: hash)
    exchanges[exchange].version = group
    let wanted = Int(exchanges[exchange].wanted)
    if wanted >= 0, !split.holds(group, backend: wanted) { exchanges[exchange].wanted = -1 }
  }

  /// The version that the request names, if the pool has it.
  private mutating func askedVersion(_ split: CompiledSplit) -> UInt8? {
    if let name = split.rules.header, let line = head.fields.index(of: name, in: incoming.bytes),
      let asked = version(at: head.fields[line].valueRange, split)
    {
      return asked
    }
    guard !split.cookieName.isEmpty, let value = cookie(split.cookieName) else { return nil }
    return version(at: value, split)
  }

  private mutating func version(at range: Range<Int>, _ split: CompiledSplit) -> UInt8? {
    for (group, label) in split.labels.enumerated() where incoming.bytes.isEqual(range, label.span) {
      return UInt8(clamping: group)
    }
    return nil
  }

  private mutating func stickyHash(_ split: CompiledSplit, _ pool: CompiledPool, _ source: IPAddress) -> UInt64 {
    switch split.rules.sticky {
    case .header(let name):
      guard let line = head.fields.index(of: name, in: incoming.bytes) else { return random.next() }
      return pool.keys.hash(incoming.bytes(head.fields[line].valueRange))
    case .cookie(let name):
      guard let value = cookie(Array(name.utf8)) else { return random.next() }
      return pool.keys.hash(incoming.bytes(value))
    case .source, .uri, nil: return sourceHash(split, pool, source)
    }
  }

  private mutating func sourceHash(_ split: CompiledSplit, _ pool: CompiledPool, _ source: IPAddress) -> UInt64 {
    split.rules.sticky == .source ? pool.keys.hash(source) : random.next()
  }

  /// A backend of the exchange's version; nil: none of it has room, so that any other that serves may take it.
  mutating func pickOfVersion(_ exchange: UInt32, _ row: Int, _ request: PickRequest) -> Int? {
    let group = Int(exchanges[exchange].version)
    guard group < versionPickers[row].count else { return nil }
    return versionPickers[row][group].pick(request, loads: loads, random: &random, now: now)
  }

  /// The same for a datagram's client.
  mutating func pickOfVersion(_ pool: CompiledPool, _ split: CompiledSplit, _ request: PickRequest, source: IPAddress)
    -> Int?
  {
    let group = Int(split.group(of: sourceHash(split, pool, source)))
    guard group < versionPickers[Int(pool.row)].count else { return nil }
    return versionPickers[Int(pool.row)][group].pick(request, loads: loads, random: &random, now: now)
  }

  /// What a request took, for policies that learn from it.
  mutating func observeLatency(_ row: Int, _ backend: Int, _ latency: Int64, failed: Bool = false) {
    pickers[row].observe(latency: latency, backend: backend, failed: failed, now: now)
    for group in versionPickers[row].indices {
      versionPickers[row][group].observe(latency: latency, backend: backend, failed: failed, now: now)
    }
  }
}
