internal import Foundation
internal import Model
internal import OctaviaModel
internal import Yams

/// What is wrong with a controller's or an amphora's file, and where.
package struct SettingsError: Error, Sendable, CustomStringConvertible {
  package var description: String
}

/// One mapping of a YAML file; every key that nobody asked for is an error.
final class SettingsReader {
  private let file: String
  private let place: String
  private var values: [String: Node] = [:]
  private let mark: Mark?
  private var asked: Set<String> = []
  private var inner: [SettingsReader] = []

  init(file: String, text: String) throws {
    self.file = file
    place = ""
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch { throw SettingsError(description: "\(file): \(error)") }
    mark = node?.mark
    try fill(node ?? Node.mapping([:]))
  }

  private init(file: String, place: String, _ node: Node) throws {
    self.file = file
    self.place = place
    mark = node.mark
    try fill(node)
  }

  private func fill(_ node: Node) throws {
    guard case .mapping(let mapping) = node else { throw failure(node, "expected a mapping") }
    for (key, value) in mapping {
      guard let name = key.string, values[name] == nil else {
        throw failure(key, "a key twice, or one that is no text")
      }
      values[name] = value
    }
  }

  private func failure(_ node: Node?, _ text: String) -> SettingsError {
    let mark = node?.mark ?? mark
    return SettingsError(description: "\(file):\(mark?.line ?? 1):\(mark?.column ?? 1): \(text)")
  }

  private func path(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }

  func has(_ key: String) -> Bool { values[key] != nil }

  func text(_ key: String) throws -> String? {
    asked.insert(key)
    guard let node = values[key] else { return nil }
    guard case .scalar(let scalar) = node else { throw failure(node, "\(path(key)) is not a text") }
    return scalar.string
  }

  func value<Value>(_ key: String, _ expected: String, _ read: (String) -> Value?) throws -> Value? {
    guard let text = try text(key) else { return nil }
    guard let value = read(text) else { throw failure(values[key], "\(path(key)): \(text) is not \(expected)") }
    return value
  }

  func set<Value>(_ target: inout Value, _ key: String, _ expected: String, _ read: (String) -> Value?) throws {
    if let value = try value(key, expected, read) { target = value }
  }

  func number(_ target: inout Int, _ key: String, _ range: ClosedRange<Int>) throws {
    try set(&target, key, "a number in \(range.lowerBound)...\(range.upperBound)") {
      Int($0).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func duration(_ target: inout Duration, _ key: String) throws {
    try set(&target, key, "a duration such as 10s or 300ms") { Settings.duration($0) }
  }

  func choice<Value: RawRepresentable & CaseIterable>(_ target: inout Value, _ key: String) throws
  where Value.RawValue == String {
    let words = Value.allCases.map { $0.rawValue }.joined(separator: ", ")
    try set(&target, key, "one of \(words)") { Value(rawValue: $0) }
  }

  func section(_ key: String, _ read: (SettingsReader) throws -> Void) throws {
    asked.insert(key)
    guard let node = values[key] else { return }
    let reader = try SettingsReader(file: file, place: path(key), node)
    try read(reader)
    try reader.finish()
  }

  func list<Value>(_ key: String, _ read: (SettingsReader) throws -> Value) throws -> [Value]? {
    asked.insert(key)
    guard let node = values[key] else { return nil }
    guard case .sequence(let sequence) = node else { throw failure(node, "\(path(key)) is not a list") }
    return try sequence.enumerated().map { index, node in
      let reader = try SettingsReader(file: file, place: "\(path(key))[\(index)]", node)
      let value = try read(reader)
      try reader.finish()
      return value
    }
  }

  func texts(_ key: String) throws -> [String]? {
    asked.insert(key)
    guard let node = values[key] else { return nil }
    if case .scalar(let scalar) = node { return [scalar.string] }
    guard case .sequence(let sequence) = node else { throw failure(node, "\(path(key)) is not a list") }
    return try sequence.map { node in
      guard case .scalar(let scalar) = node else { throw failure(node, "\(path(key)) holds something that is no text") }
      return scalar.string
    }
  }

  func require(_ key: String) throws -> String {
    guard let text = try text(key) else { throw failure(nil, "\(path(key)) is missing") }
    return text
  }

  func finish() throws {
    for (key, node) in values where !asked.contains(key) {
      throw failure(node, "unknown key \(path(key)); known here: \(asked.sorted().joined(separator: ", "))")
    }
  }

  func refuse(_ key: String, _ text: String) -> SettingsError { failure(values[key], "\(path(key)): \(text)") }
}

extension Settings {
  static func duration(_ text: String) -> Duration? {
    let digits = text.prefix { $0.isNumber || $0 == "." }
    guard let number = Double(digits), number >= 0, number < 1e9 else { return nil }
    let scale: Double? =
      switch text.dropFirst(digits.count) {
      case "ms": 0.001
      case "s": 1
      case "m": 60
      case "h": 3600
      case "d": 86_400
      default: nil
      }
    return scale.map { .microseconds(Int64((number * $0 * 1_000_000).rounded())) }
  }

  static func endpoint(_ text: String) -> (String, Int)? {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (1...65_535).contains(port)
    else { return nil }
    let host = text[..<colon].trimmingCharacters(in: ["[", "]"])
    return IPAddress(host) == nil ? nil : (host, port)
  }
}
