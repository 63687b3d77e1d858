/// A JSON value that keeps the order of its keys: clients see the order in which a resource declares its fields.
package enum JSON: Hashable, Sendable {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case array([JSON])
  case object(JSONObject)

  package var string: String? { if case .string(let text) = self { text } else { nil } }
  package var int: Int? { if case .int(let number) = self { number } else { nil } }
  package var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
  package var array: [JSON]? { if case .array(let list) = self { list } else { nil } }
  package var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
  package var isNull: Bool { self == .null }
  /// The strings of a list; other elements are left out.
  package var strings: [String] { array?.compactMap(\.string) ?? [] }

  package subscript(_ key: String) -> JSON { object?[key] ?? .null }

  package static func strings(_ list: [String]) -> JSON { .array(list.map { .string($0) }) }
  package static func optional(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
  package static func object(_ members: KeyValuePairs<String, JSON>) -> JSON {
    .object(JSONObject(members.map { ($0.key, $0.value) }))
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .int(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }
}

/// Members in the order in which they were set. Objects are small: a linear search beats hashing.
package struct JSONObject: Hashable, Sendable {
  package struct Member: Hashable, Sendable {
    package var key: String
    package var value: JSON
  }

  package private(set) var members: [Member] = []

  package init() {}
  package init(_ members: [(String, JSON)]) { for (key, value) in members { self[key] = value } }

  package var keys: [String] { members.map(\.key) }
  package var isEmpty: Bool { members.isEmpty }

  package subscript(_ key: String) -> JSON? {
    get { members.first { $0.key == key }?.value }
    set {
      let index = members.firstIndex { $0.key == key }
      switch (index, newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append(Member(key: key, value: value))
      case (nil, nil): break
      }
    }
  }

  package mutating func merge(_ other: JSONObject) {
    for member in other.members { self[member.key] = member.value }
  }
}
