import Model
import Routing

/// How one kind of scalar is read, and how a diagnostic names what was expected.
struct Kind<Value> {
  enum Parsed {
    case value(Value)
    /// Not of this kind; with more words than "expected …, found …" when they help.
    case wrong(hint: String? = nil)
  }

  let expected: String
  let parse: (Scalar) -> Parsed

  init(_ expected: String, parse: @escaping (Scalar) -> Parsed) {
    self.expected = expected
    self.parse = parse
  }

  /// From what reads the text, quoted or not.
  init(_ expected: String, text: @escaping (String) -> Value?) {
    self.init(expected) { scalar in text(scalar.text).map(Parsed.value) ?? .wrong() }
  }
}

extension Kind<Int> {
  static func integer(_ range: ClosedRange<Int>) -> Kind {
    let bounds =
      range.upperBound == .max ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
    return Kind("a whole number \(bounds)") { scalar in
      guard let value = Units.number(scalar.text[...]).map(Int.init), range.contains(value) else { return .wrong() }
      return scalar.isQuoted ? .wrong(hint: "without quotes") : .value(value)
    }
  }
}

extension Kind<Bool> {
  static var boolean: Kind {
    Kind("true or false") { scalar in
      switch (scalar.isQuoted, scalar.text) {
      case (false, "true"): .value(true)
      case (false, "false"): .value(false)
      case (false, "yes"), (false, "on"): .wrong(hint: "did you mean `true`?")
      case (false, "no"), (false, "off"): .wrong(hint: "did you mean `false`?")
      default: .wrong()
      }
    }
  }
}

extension Kind<Duration> {
  static func duration(atLeast least: Duration = .milliseconds(1)) -> Kind {
    let bound = least == .zero ? "" : " of at least \(Units.text(least))"
    return Kind("a duration\(bound) such as 500ms, 2s, 1m, 1h or 1d") { scalar in
      if let value = Units.duration(scalar.text) { return value >= least ? .value(value) : .wrong() }
      return .wrong(hint: Units.number(scalar.text[...]) == nil ? nil : "did you mean `\(scalar.text.shortened)s`?")
    }
  }
}

extension Kind<Int64> {
  static func size(_ range: ClosedRange<Int64>) -> Kind {
    Kind(
      "a size from \(Units.text(size: range.lowerBound)) to \(Units.text(size: range.upperBound)) such as 64KiB, 10MiB or plain bytes"
    ) {
      scalar in
      if let value = Units.size(scalar.text) { return range.contains(value) ? .value(value) : .wrong() }
      let digits = scalar.text.prefix { $0.isNumber }
      let hints = [
        "K": "KiB", "KB": "KiB", "kB": "KiB", "k": "KiB", "M": "MiB", "MB": "MiB", "m": "MiB", "G": "GiB", "GB": "GiB",
      ]
      return .wrong(hint: hints[String(scalar.text.dropFirst(digits.count))].map { "did you mean `\(digits)\($0)`?" })
    }
  }
}

extension Kind<Double> {
  static func share(_ range: ClosedRange<Double> = 0...1) -> Kind {
    Kind("a share from \(Int(range.lowerBound * 100))% to \(Int(range.upperBound * 100))%") { scalar in
      if let value = Units.share(scalar.text) { return range.contains(value) ? .value(value) : .wrong() }
      guard let bare = Units.share(scalar.text + "%") else { return .wrong() }
      // 0.2 is a share in most programs; 20 can only be a percentage.
      if bare <= 0.01, scalar.text.contains(".") {
        return .wrong(hint: "did you mean `\(Int((bare * 10_000).rounded()))%`?")
      }
      return .wrong(hint: "did you mean `\(scalar.text)%`?")
    }
  }

  static func decimal(_ range: ClosedRange<Double>) -> Kind {
    Kind("a number from \(range.lowerBound) to \(range.upperBound)") { text in
      guard text.utf8.count <= 20, text.utf8.allSatisfy({ $0.isASCIIDigit || $0 == UInt8(ascii: ".") }),
        let value = Double(text), range.contains(value)
      else { return nil }
      return value
    }
  }
}

extension Kind<Rate> {
  static var rate: Kind { Kind("a rate such as 100/s or 100/s burst 200", text: Units.rate) }
}

extension Kind<IPPrefix> {
  static var prefix: Kind {
    Kind("an address or a prefix such as 192.0.2.1, 10.0.0.0/8 or fd00::/8") { scalar in
      if let prefix = IPPrefix(scalar.text) { return .value(prefix) }
      let parts = scalar.text.split(separator: "/")
      guard parts.count == 2, let address = IPAddress(String(parts[0])), let length = Int(parts[1]),
        let meant = IPPrefix(address, length: length)
      else { return .wrong() }
      return .wrong(hint: "the host bits must be zero; did you mean `\(meant)`?")
    }
  }
}

extension Kind<SocketAddress> {
  static var socketAddress: Kind {
    Kind("an address and a port such as 192.0.2.1:80, \"[2001:db8::1]:80\" or unix:/path") { scalar in
      let text = scalar.text
      if let address = SocketAddress(text) {
        if case .ip(let endpoint) = address, endpoint.port == 0 { return .wrong(hint: "the port must be 1 to 65535") }
        if case .unix(let path) = address, path.utf8.count < 2 || path.utf8.contains(0) { return .wrong() }
        return .value(address)
      }
      return .wrong(hint: SocketAddress.hint(text))
    }
  }
}

extension SocketAddress {
  /// Why a text is no address, where that can be told.
  fileprivate static func hint(_ text: String) -> String? {
    if text.hasPrefix("unix:") {
      return text.utf8.count > 112 ? "a Unix socket's path has at most 107 bytes" : "the path begins with / or @"
    }
    if text.hasPrefix("/") { return "did you mean `unix:\(text.shortened)`?" }
    if let address = IPAddress(text) {
      return address.family == .v4
        ? "the port is missing" : "the port is missing; an IPv6 address stands in brackets before it"
    }
    guard let colon = text.lastIndex(of: ":") else {
      return UInt16(text) == nil ? nil : "the address before the port is missing"
    }
    let host = String(text[..<colon])
    let port = String(text[text.index(after: colon)...])
    if let address = IPAddress(host), address.family == .v6 { return "did you mean `[\(host)]:\(port.shortened)`?" }
    if IPAddress(host) != nil || host.hasPrefix("[") {
      return UInt16(port) == nil ? "the port must be 1 to 65535" : nil
    }
    if host.isEmpty || host == "*" {
      return "for every address write `0.0.0.0:\(port.shortened)` or `[::]:\(port.shortened)`"
    }
    return host.contains(where: \.isLetter) ? "host names are not resolved" : nil
  }
}

extension Kind<String> {
  static var text: Kind {
    Kind("text") { $0.isNothing ? .wrong() : .value($0.text) }
  }

  static var nonEmpty: Kind {
    Kind("text that is not empty") { $0.isNothing || $0.text.isEmpty ? .wrong() : .value($0.text) }
  }

  static var absolutePath: Kind {
    Kind("an absolute path") { $0.hasPrefix("/") && !$0.utf8.contains(0) ? $0 : nil }
  }

  static var regex: Kind {
    Kind("a PCRE2 regular expression") { scalar in
      if scalar.isNothing { return .wrong() }
      do {
        _ = try Regex(scalar.text)
        return .value(scalar.text)
      } catch let error as RegexError {
        return .wrong(hint: "\(error.message) at offset \(error.offset)")
      } catch {
        return .wrong()
      }
    }
  }
}

extension Kind where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of an enumeration's words.
  static var word: Kind { .choice(Value.allCases.map { ($0.rawValue, $0) }) }
}

extension Kind {
  static func choice(_ words: [(String, Value)]) -> Kind {
    let names = words.map(\.0)
    let list = names.count == 1 ? names[0] : names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    return Kind(list) { scalar in
      if let found = words.first(where: { $0.0 == scalar.text }) { return .value(found.1) }
      return .wrong(hint: Nearest.word(to: scalar.text, among: names).map { "did you mean `\($0)`?" })
    }
  }
}
