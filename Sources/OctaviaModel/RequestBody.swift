package import Model

/// A request's body against a resource's schema: either every field in its normal form, or the first refusal.
///
/// The refusals are those of WSME, the library behind the original API: which field is named, and how, is part of
/// what clients show to people.
package struct RequestBody: Sendable {
  package enum Purpose: Sendable { case create, update }

  /// The whole document must be `{root: {...}}`.
  package static func parse(_ document: JSON, _ kind: Kind, _ purpose: Purpose) throws(APIError) -> JSONObject {
    guard case .object(let root) = document else { throw APIError(400, "Request is not in valid JSON format") }
    if let stray = root.keys.first(where: { $0 != kind.root }) {
      throw APIError(400, "Unknown argument: \"\(stray)\"")
    }
    guard let body = root[kind.root] else { throw APIError(400, "Missing argument: \"\(kind.argument)\"") }
    return try parse(value: body, root: kind.root, argument: kind.argument, schema: kind.schema, purpose)
  }

  /// The body's one object.
  package static func parse(
    value: JSON, root: String, argument: String, schema: Schema, _ purpose: Purpose
  ) throws(APIError) -> JSONObject {
    let place: Field.Places = purpose == .create ? .create : .update
    do throws(Refusal) {
      return try object(value, schema, place, filled: purpose == .create)
    } catch {
      switch error {
      case .field(let name, let value, let reason): throw .invalidInput(name, value, reason)
      case .value(let reason): throw .invalidInput(argument, .object([root: value]), reason)
      case .unknown(let path, let names):
        let place = ([argument, root] + path).joined(separator: ".")
        throw APIError(
          400, "Unknown attribute\(names.count > 1 ? "s" : "") for argument \(place): \(names.joined(separator: ", "))")
      }
    }
  }

  private enum Refusal: Error {
    case field(String, JSON, String)
    /// A value that could not even be converted: the whole body is to blame.
    case value(String)
    case unknown(path: [String], [String])
  }

  private static func object(
    _ value: JSON, _ schema: Schema, _ place: Field.Places, filled: Bool
  ) throws(Refusal) -> JSONObject {
    guard case .object(let given) = value else {
      throw .value("'\(value.pythonText)' object has no attribute 'keys'")
    }
    let stray = given.keys.filter { schema.accepts($0, in: place) == nil }
    guard stray.isEmpty else { throw .unknown(path: [], stray) }
    var result = JSONObject()
    for field in schema.fields where field.places.contains(place) {
      if let value = given[field.name] {
        do throws(Refusal) {
          result[field.name] = try self.value(value, field.type, field.name, place)
        } catch .unknown(let path, let names) {
          throw .unknown(path: [field.name] + path, names)
        }
      } else if filled, field.places.contains(.required), !(place == .nested && field.name.hasSuffix("_id")) {
        throw .field(field.name, .null, "Mandatory field missing.")
      } else if filled, let byDefault = field.byDefault {
        result[field.name] = byDefault
      }
    }
    return result
  }

  private static func value(
    _ value: JSON, _ type: FieldType, _ name: String, _ place: Field.Places
  ) throws(Refusal) -> JSON {
    if value.isNull { return .null }
    func refuse(_ reason: String) -> Refusal { .field(name, value, reason) }
    switch type {
    case .uuid:
      guard case .string(let text) = value, Text.isUUID(text) else { throw refuse("Value should be UUID format") }
    case .text(let max, let min, let pattern):
      guard case .string(let text) = value else { throw refuse("Value should be string") }
      if text.unicodeScalars.count < min { throw refuse("Value should have a minimum character requirement of \(min)") }
      if text.unicodeScalars.count > max { throw refuse("Value should have a maximum character requirement of \(max)") }
      if let pattern, !pattern.matches(text) { throw refuse("Value should match the pattern \(pattern.text)") }
    case .bool: return try bool(value)
    case .int(let min, let max):
      let number = try integer(value)
      if let min, number < min { throw refuse("Value should be greater or equal to \(min)") }
      if let max, number > max { throw refuse("Value should be lower or equal to \(max)") }
      return .int(number)
    case .decimal(let allowed):
      let number: Double? =
        switch value {
        case .double(let number): number
        case .int(let number): Double(number)
        case .string(let text): Double(text)
        default: nil
        }
      guard let number else { throw .value("could not convert string to float: '\(value.pythonText)'") }
      guard allowed.contains(number) else { throw refuse(oneOf(allowed.map { "\($0)" })) }
      return .double(number)
    case .number(let allowed):
      let number = try integer(value)
      guard allowed.contains(number) else { throw refuse(oneOf(allowed.map { "\($0)" })) }
      return .int(number)
    case .choice(let allowed):
      guard case .string(let text) = value, allowed.contains(text) else { throw refuse(oneOf(allowed)) }
    case .address:
      guard case .string(let text) = value, IPAddress(text) != nil else {
        throw refuse("Value should be IPv4 or IPv6 format")
      }
    case .cidr:
      guard case .string(let text) = value, let prefix = cidr(text) else {
        throw refuse("Value should be IPv4 or IPv6 CIDR format")
      }
      return .string(prefix)
    case .url:
      guard case .string(let text) = value, Text.isURL(text) else { throw refuse("Value must be a valid URL string") }
    case .path:
      guard case .string(let text) = value, Text.isPath(text) else {
        throw refuse("Value must be a valid URL Path string")
      }
    case .alpn:
      guard case .string(let text) = value, ["h2", "http/1.1", "http/1.0"].contains(text) else {
        throw refuse("Value should be a valid ALPN protocol ID")
      }
    case .list(let element):
      guard case .array(let list) = value else { throw .value("Value not a valid list: \(value.pythonText)") }
      var result: [JSON] = []
      for item in list { result.append(try self.value(item, element, name, place)) }
      return .array(result)
    case .map(let element):
      guard case .object(let given) = value else { throw .value("Value not a valid dict: \(value.pythonText)") }
      var result = JSONObject()
      for member in given.members {
        // A header's value may come as true or as a number.
        let text: JSON =
          member.value.string == nil && !member.value.isNull ? .string(member.value.pythonText) : member.value
        result[member.key] = try self.value(text, element, name, place)
      }
      return .object(result)
    case .part(let schema):
      let inner: Field.Places = place == .update ? .update : .create
      return .object(try object(value, schema, inner, filled: place != .update))
    case .nested(let kind):
      return .object(try nested(value, kind))
    case .date: throw refuse("Cannot set read only field.")
    }
    return value
  }

  /// A pool may be named only, and is then defined elsewhere in the request: its other fields are not required.
  private static func nested(_ value: JSON, _ kind: Kind) throws(Refusal) -> JSONObject {
    if kind == .pool, case .object(let given) = value, given.keys == ["name"] { return given }
    return try object(value, kind.schema, .nested, filled: true)
  }

  private static func bool(_ value: JSON) throws(Refusal) -> JSON {
    switch value {
    case .bool: return value
    case .int(0), .int(1): return .bool(value == .int(1))
    case .string(let text):
      switch text.lowercased() {
      case "true", "on", "yes", "1", "t", "y": return true
      case "false", "off", "no", "0", "f", "n": return false
      default: break
      }
    default: break
    }
    throw .value("Value not an unambiguous boolean: \(value.pythonText)")
  }

  private static func integer(_ value: JSON) throws(Refusal) -> Int {
    switch value {
    case .int(let number): return number
    case .bool(let flag): return flag ? 1 : 0
    case .double(let number) where number == number.rounded() && abs(number) < 1e15: return Int(number)
    case .string(let text): if let number = Int(text) { return number }
    default: break
    }
    throw .value("invalid literal for int() with base 10: \(JSON.array([value]).pythonText.dropFirst().dropLast())")
  }

  private static func oneOf(_ allowed: [String]) -> String {
    "Value should be one of: \(allowed.joined(separator: ", "))"
  }

  private static func cidr(_ text: String) -> String? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let address = IPAddress(String(parts[0])) else { return nil }
    let length = parts.count == 2 ? Int(parts[1]) : address.width
    guard let length, let prefix = IPPrefix(address.masked(to: length) ?? address, length: length) else { return nil }
    return prefix.description
  }
}

extension IPAddress {
  /// The network's own address: the bits beyond `length` cleared.
  package func masked(to length: Int) -> IPAddress? {
    guard (0...width).contains(length) else { return nil }
    if family == .v4 {
      return IPAddress(v4: length == 0 ? 0 : UInt32(truncatingIfNeeded: low) & ~UInt32(0) << UInt32(32 - length))
    }
    let high = length >= 64 ? self.high : length == 0 ? 0 : self.high & ~UInt64(0) << UInt64(64 - length)
    let low = length <= 64 ? 0 : self.low & ~UInt64(0) << UInt64(128 - length)
    return IPAddress(v6: high, low)
  }
}
