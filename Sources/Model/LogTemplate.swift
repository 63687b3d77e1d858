/// What a line of the access log can say of an exchange; the names are those of the JSON form.
package enum LogField: String, Hashable, Sendable, CaseIterable {
  case time, listener, client, method, host, path
  case `protocol`, tls, status, route, pool, backend
  case grpcStatus = "grpc_status"
  /// What a client's site has to do with it, and what was done about it.
  case site
  case siteDeed = "site_deed"
  case tries
  case bytesIn = "bytes_in"
  case bytes
  case queue = "queue_us"
  case connect = "connect_us"
  case firstByte = "first_byte_us"
  case duration = "duration_us"
  /// Of a sampled request.
  case id
  case reason, detail
}

/// A line of the access log as the operator wants it: text with `{field}`s; `{{` is a brace.
package struct LogTemplate: Hashable, Sendable {
  package enum Part: Hashable, Sendable {
    case text([UInt8])
    case field(LogField)
  }

  package enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownField(String)
    case openBrace
    case control

    package var description: String {
      switch self {
      case .unknownField(let name):
        "there is no field {\(name)}; there are "
          + LogField.allCases.map { "{\($0.rawValue)}" }.joined(separator: ", ")
      case .openBrace: "a { has no }; {{ is a brace"
      case .control: "control characters would break the line"
      }
    }
  }

  package private(set) var parts: [Part] = []

  package init(_ text: String) throws(Fault) {
    var literal: [UInt8] = []
    var rest = Array(text.utf8)[...]
    func isOpen(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: "{") }
    while let byte = rest.popFirst() {
      guard byte >= 0x20, byte != 0x7f else { throw .control }
      guard isOpen(byte) else {
        literal.append(byte)
        continue
      }
      if isOpen(rest.first) {
        literal.append(rest.removeFirst())
        continue
      }
      guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { throw .openBrace }
      let name = String(decoding: rest[..<end], as: UTF8.self)
      guard let field = LogField(rawValue: name) else { throw .unknownField(name) }
      if !literal.isEmpty { parts.append(.text(literal)) }
      literal = []
      parts.append(.field(field))
      rest = rest[(end + 1)...]
    }
    if !literal.isEmpty { parts.append(.text(literal)) }
  }
}

/// Where RFC 5424 messages go, and how they are marked.
package struct SyslogTarget: Hashable, Sendable {
  /// A Unix datagram socket's path, or an address that takes UDP (RFC 5426).
  package var address: SocketAddress
  package var facility: Facility

  package enum Facility: String, Hashable, Sendable, CaseIterable {
    case user, daemon, local0, local1, local2, local3, local4, local5, local6, local7

    /// RFC 5424 §6.2.1.
    package var code: Int {
      switch self {
      case .user: 1
      case .daemon: 3
      case .local0: 16
      case .local1: 17
      case .local2: 18
      case .local3: 19
      case .local4: 20
      case .local5: 21
      case .local6: 22
      case .local7: 23
      }
    }
  }

  package init(address: SocketAddress = .unix("/dev/log"), facility: Facility = .daemon) {
    self.address = address
    self.facility = facility
  }
}
