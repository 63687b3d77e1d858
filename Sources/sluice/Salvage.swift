internal import Foundation
internal import Node
internal import Telemetry

/// Reads what another version has written: a part that has another form here is as in the defaults, and all else is kept.
struct Salvage {
  /// Single elements are given up so often; then the whole list is that they are in.
  private static let singles = 24
  private static let most = 64

  /// What was given up, by its path.
  private(set) var lost: Set<String> = []

  /// - Parameters:
  ///   - found: JSON; what it lacks is as in `defaults`.
  ///   - place: where it is from, for `lost`; empty: the root.
  mutating func decode<Value: Codable>(_ found: Any, defaults: Value, at place: String = "") throws -> Value {
    let known = try JSONSerialization.jsonObject(with: Data(try Handover.encode(defaults)))
    var object = Salvage.merge(found, over: known)
    for attempt in 0..<Salvage.most {
      do {
        return try Salvage.plain(object)
      } catch let error as DecodingError {
        let path = error.path.isEmpty ? Salvage.culprit(of: object, known, as: Value.self) : error.path
        var names: [String] = place.isEmpty ? [] : [place]
        let next = Salvage.without(
          path[...], of: object, known, givesUpLists: attempt >= Salvage.singles, names: &names)
        lost.insert(names.joined(separator: "."))
        guard let next else { return defaults }
        object = next
      }
    }
    lost.insert(place)
    return defaults
  }

  private static func plain<Value: Decodable>(_ object: Any) throws -> Value {
    let data = try JSONSerialization.data(withJSONObject: object, options: .fragmentsAllowed)
    return try JSONDecoder().decode(Value.self, from: data)
  }

  /// The first part that cannot be read: of a number out of range the decoder does not say where it is.
  private static func culprit<Value: Decodable>(of object: Any, _ known: Any, as: Value.Type) -> [any CodingKey] {
    guard let object = object as? [String: Any], let known = known as? [String: Any] else { return [] }
    for (name, part) in object.sorted(by: { $0.key < $1.key }) {
      var one = known
      one[name] = part
      do {
        _ = try plain(one) as Value
      } catch let error as DecodingError where error.path.isEmpty {
        return [Name(stringValue: name)]
      } catch {}
    }
    return []
  }

  private struct Name: CodingKey {
    let stringValue: String
    let intValue: Int? = nil
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
  }

  /// What was given up, for people; nil: nothing.
  var words: String? {
    guard !lost.isEmpty else { return nil }
    let names = lost.sorted().map { $0.isEmpty ? "all" : $0 }
    return names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
  }

  /// What is found, and what it lacks as it is known.
  static func merge(_ found: Any, over known: Any) -> Any {
    guard let found = found as? [String: Any], let known = known as? [String: Any] else { return found }
    var result = known
    for (key, value) in found { result[key] = known[key].map { merge(value, over: $0) } ?? value }
    return result
  }

  /// - Returns: the same with the default in the path's place; an element that has none is left out. nil: it is the whole.
  private static func without(
    _ path: ArraySlice<any CodingKey>, of value: Any, _ known: Any?, givesUpLists: Bool, names: inout [String]
  ) -> Any? {
    guard let key = path.first, let known else { return known }
    if var list = value as? [Any] {
      guard !givesUpLists, let index = key.intValue, list.indices.contains(index) else { return known }
      list.remove(at: index)
      return list
    }
    guard var object = value as? [String: Any], let inner = object[key.stringValue] else { return known }
    let fallback = (known as? [String: Any])?[key.stringValue]
    if fallback == nil, givesUpLists { return known }
    names.append(key.stringValue)
    object[key.stringValue] = without(path.dropFirst(), of: inner, fallback, givesUpLists: givesUpLists, names: &names)
    return object
  }
}

extension DecodingError {
  /// Of the part that has another form.
  fileprivate var path: [any CodingKey] {
    switch self {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
      .dataCorrupted(let context):
      context.codingPath
    @unknown default: []
    }
  }
}

extension Salvage {
  /// A whole state.
  /// - Throws: where nothing of it can be read.
  mutating func state(_ bytes: [UInt8]) throws -> HandoverState {
    guard var found = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else {
      throw Failure("no JSON object")
    }
    let ledger = try ledger(entries("ledger", of: &found))
    let memory = try decode(found.removeValue(forKey: "memory") ?? [:], defaults: NodeMemory(), at: "memory")
    var state = try decode(found, defaults: HandoverState())
    (state.ledger, state.memory) = (ledger, memory)
    return state
  }

  /// The same for counters.
  mutating func ledger(_ bytes: [UInt8]) throws -> StatisticsLedger {
    guard let found = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else {
      throw Failure("no JSON object")
    }
    return try ledger(found)
  }

  private mutating func ledger(_ found: [String: Any]) throws -> StatisticsLedger {
    var (found, ledger) = (found, StatisticsLedger())
    for (name, value) in entries("listeners", of: &found) {
      ledger.listeners[name] = try decode(value, defaults: ListenerStatistics(), at: "listeners")
    }
    for (name, value) in entries("responseTimes", of: &found) {
      ledger.responseTimes[name] = try decode(value, defaults: LatencyHistogram(), at: "responseTimes")
    }
    var pools = entries("backends", of: &found)
    for pool in pools.keys {
      for (name, value) in entries(pool, of: &pools) {
        ledger.backends[pool, default: [:]][name] = try decode(value, defaults: BackendStatistics(), at: "backends")
      }
    }
    ledger.droppedLogLines = (found["droppedLogLines"] as? NSNumber)?.uint64Value ?? 0
    for value in found["loops"] as? [Any] ?? [] {
      ledger.loops.append(try decode(value, defaults: WorkerStatistics(), at: "loops"))
    }
    return ledger
  }

  private mutating func entries(_ key: String, of object: inout [String: Any]) -> [String: Any] {
    guard let value = object.removeValue(forKey: key) else { return [:] }
    if let value = value as? [String: Any] { return value }
    lost.insert(key)
    return [:]
  }
}
