/// What ends a session: the error code, subcode and data of a NOTIFICATION (RFC 4271 §4.5).
///
/// As an error it carries its own consequence: whoever catches it sends it and closes.
package struct Notification: Error, Hashable, Sendable {
  package enum Code: UInt8, Sendable {
    case header = 1
    case open = 2
    case update = 3
    case holdTimerExpired = 4
    case stateMachine = 5
    case cease = 6
    /// RFC 7313 §5.
    case routeRefresh = 7
  }

  /// Why a session ends without anybody's mistake (RFC 4486, 8203, 8538, 9384).
  package enum Cease: UInt8, Sendable {
    case prefixLimit = 1
    case administrativeShutdown = 2
    case peerDeconfigured = 3
    case administrativeReset = 4
    case connectionRejected = 5
    case otherConfigurationChange = 6
    case collision = 7
    case outOfResources = 8
    case hardReset = 9
    case bfdDown = 10
  }

  package var code: UInt8
  package var subcode: UInt8
  package var data: [UInt8]

  package init(code: UInt8, subcode: UInt8, data: [UInt8] = []) {
    self.code = code
    self.subcode = subcode
    self.data = data
  }

  package init(_ code: Code, _ subcode: UInt8, _ data: [UInt8] = []) {
    self.init(code: code.rawValue, subcode: subcode, data: data)
  }

  package init(_ cease: Cease, _ data: [UInt8] = []) { self.init(.cease, cease.rawValue, data) }

  package var cease: Cease? { code == Code.cease.rawValue ? Cease(rawValue: subcode) : nil }
}

/// The reactions of RFC 4271 §6, named as there.
extension Notification {
  package static let connectionNotSynchronized = Notification(.header, 1)
  package static func badMessageLength(_ length: UInt16) -> Notification {
    Notification(.header, 2, [UInt8(length >> 8), UInt8(length & 255)])
  }
  package static func badMessageType(_ type: UInt8) -> Notification { Notification(.header, 3, [type]) }

  package static let malformedOpen = Notification(.open, 0)
  package static let unsupportedVersion = Notification(.open, 1, [0, 4])
  package static let badPeerAS = Notification(.open, 2)
  package static let badIdentifier = Notification(.open, 3)
  package static let unsupportedOptionalParameter = Notification(.open, 4)
  package static let unacceptableHoldTime = Notification(.open, 6)
  /// RFC 5492 §5: the data lists, in their wire form, the capabilities that the session needs.
  package static func unsupportedCapability(_ missing: [Capability]) -> Notification {
    Notification(.open, 7, missing.flatMap(\.encoded))
  }

  package static let malformedAttributeList = Notification(.update, 1)
  package static let invalidNetworkField = Notification(.update, 10)
  package static let holdTimerExpired = Notification(.holdTimerExpired, 0)
  package static let fsmError = Notification(.stateMachine, 0)
}

extension Notification {
  /// Shutdown communication (RFC 9003): at most 255 bytes of UTF-8, cut between characters.
  package init(_ cease: Cease, message: String) {
    var text: [UInt8] = []
    for character in message {
      let next = Array(String(character).utf8)
      guard text.count + next.count <= 255 else { break }
      text += next
    }
    self.init(cease, text.isEmpty ? [] : [UInt8(text.count)] + text)
  }

  /// The peer's words about a shutdown or reset; nil when there are none or they are malformed.
  /// Control characters become spaces, since the text ends up in logs and terminals.
  package var shutdownMessage: String? {
    guard cease == .administrativeShutdown || cease == .administrativeReset,
      let length = data.first, length > 0, data.count > Int(length),
      let text = String(validating: data[1...Int(length)], as: UTF8.self)
    else { return nil }
    return String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
  }

  /// RFC 8538 §3: a reset that ends graceful restart too, with the reason inside.
  package var asHardReset: Notification { Notification(.hardReset, [code, subcode] + data) }

  /// The reason inside a hard reset, or this.
  package var unwrapped: Notification {
    guard cease == .hardReset, data.count >= 2 else { return self }
    return Notification(code: data[0], subcode: data[1], data: Array(data[2...]))
  }
}

extension Notification: CustomStringConvertible {
  /// "6/2".
  package var number: String { "\(code)/\(subcode)" }

  /// "Cease: administrative shutdown (6/2)", and the peer's words if any.
  package var description: String {
    let names = Notification.names(code)
    let title = names.title + (names.subcodes[subcode].map { ": \($0)" } ?? "") + " (\(number))"
    if cease == .hardReset, data.count >= 2 { return "\(title): \(unwrapped)" }
    return shutdownMessage.map { "\(title): \"\($0)\"" } ?? title
  }

  private static func names(_ code: UInt8) -> (title: String, subcodes: [UInt8: String]) {
    switch Code(rawValue: code) {
    case .header: ("header", [1: "connection not synchronized", 2: "bad message length", 3: "bad message type"])
    case .open:
      (
        "OPEN",
        [
          1: "unsupported version", 2: "bad peer AS", 3: "bad BGP identifier", 4: "unsupported optional parameter",
          6: "unacceptable hold time", 7: "unsupported capability",
        ]
      )
    case .update:
      (
        "UPDATE",
        [
          1: "malformed attribute list", 2: "unrecognized well-known attribute", 3: "missing well-known attribute",
          4: "attribute flags", 5: "attribute length", 6: "invalid ORIGIN", 8: "invalid NEXT_HOP",
          9: "optional attribute", 10: "invalid network field", 11: "malformed AS_PATH",
        ]
      )
    case .holdTimerExpired: ("hold timer expired", [:])
    case .stateMachine:
      (
        "state machine",
        [
          1: "unexpected message in OpenSent", 2: "unexpected message in OpenConfirm",
          3: "unexpected message in Established",
        ]
      )
    case .cease:
      (
        "Cease",
        [
          1: "prefix limit", 2: "administrative shutdown", 3: "peer de-configured", 4: "administrative reset",
          5: "connection rejected", 6: "other configuration change", 7: "connection collision", 8: "out of resources",
          9: "hard reset", 10: "BFD down",
        ]
      )
    case .routeRefresh: ("ROUTE-REFRESH", [1: "invalid length"])
    case nil: ("unknown error", [:])
    }
  }
}
