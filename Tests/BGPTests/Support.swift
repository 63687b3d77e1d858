import BGP
import Model
import Testing
import Wire

let epoch = Instant(nanoseconds: 1_000_000_000)

func prefix(_ text: String) -> IPPrefix { IPPrefix(text) ?? IPPrefix(host: .anyV4) }
func address(_ text: String) -> IPAddress { IPAddress(text) ?? .anyV4 }

func hex(_ text: some StringProtocol) -> [UInt8] {
  var result: [UInt8] = []
  var high: UInt8?
  for character in text.utf8 {
    guard let digit = UInt8(String(UnicodeScalar(character)), radix: 16) else { continue }
    if let first = high {
      result.append(first << 4 | digit)
      high = nil
    } else {
      high = digit
    }
  }
  return result
}

func decode(_ bytes: [UInt8], _ options: CodecOptions = CodecOptions()) throws -> Message {
  try Message.decode(bytes.span, options: options)
}

// MARK: Messages by hand

func message(_ type: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
  let count = length ?? 19 + body.count
  return Array(repeating: 255, count: 16) + [UInt8(count >> 8), UInt8(count & 255), type] + body
}

/// An OPEN of AS 65002 with identifier 10.0.0.2, unless told otherwise.
func open(
  version: UInt8 = 4, autonomousSystem: UInt16 = 65002, hold: UInt16 = 90, identifier: [UInt8] = [10, 0, 0, 2],
  parameters: [UInt8] = [], parameterLength: Int? = nil
) -> [UInt8] {
  let body: [UInt8] =
    [version, UInt8(autonomousSystem >> 8), UInt8(autonomousSystem & 255), UInt8(hold >> 8), UInt8(hold & 255)]
    + identifier + [UInt8(parameterLength ?? parameters.count)] + parameters
  return message(1, body)
}

func capability(_ code: UInt8, _ value: [UInt8], length: Int? = nil) -> [UInt8] {
  let inner = [code, UInt8(length ?? value.count)] + value
  return [2, UInt8(inner.count)] + inner
}

func update(withdrawn: [UInt8] = [], _ attributes: [[UInt8]] = [], nlri: [UInt8] = []) -> [UInt8] {
  let all = attributes.flatMap { $0 }
  return message(
    2,
    [UInt8(withdrawn.count >> 8), UInt8(withdrawn.count & 255)] + withdrawn
      + [UInt8(all.count >> 8), UInt8(all.count & 255)] + all + nlri)
}

func attribute(_ flags: UInt8, _ type: UInt8, _ value: [UInt8], length: Int? = nil) -> [UInt8] {
  let count = length ?? value.count
  return flags & 0x10 != 0
    ? [flags, type, UInt8(count >> 8), UInt8(count & 255)] + value : [flags, type, UInt8(count)] + value
}

let origin = attribute(0x40, 1, [0])
let path = attribute(0x40, 2, [2, 1, 0, 0, 0xfd, 0xea])
let hop = attribute(0x40, 3, [192, 0, 2, 2])
let net: [UInt8] = [24, 203, 0, 113]
let required = [origin, path, hop]

// MARK: A session and its surroundings

/// Our AS is 65001 with identifier 10.0.0.1; the peer's 65002 with 10.0.0.2.
struct Rig {
  var session: Session
  var random = Random(seed: 1)
  var now = epoch
  var effects: [SessionEffect] = []
  let outgoing = ConnectionID(.outgoing, 1)
  let incoming = ConnectionID(.incoming, 1)

  static let settings = SessionSettings(localAS: 65001, identifier: 0x0a00_0001, peerAS: .exactly(65002))

  init(_ settings: SessionSettings = Rig.settings) { session = Session(settings) }

  /// The effects of one event.
  @discardableResult mutating func on(_ event: SessionEvent) -> [SessionEffect] {
    effects = []
    session.handle(event, at: now, random: &random, into: &effects)
    return effects
  }

  @discardableResult mutating func after(_ duration: Duration, _ event: SessionEvent = .timer) -> [SessionEffect] {
    now = now + duration
    return on(event)
  }

  static let peerOpen = Open(
    autonomousSystem: 65002, holdTime: 90, identifier: 0x0a00_0002,
    capabilities: [
      .multiprotocol(.v4), .multiprotocol(.v6), .routeRefresh, .extendedMessage, .fourOctetAS(65002),
      .enhancedRouteRefresh,
    ])

  mutating func bring(to state: SessionState, with open: Open = Rig.peerOpen) {
    if state == .idle { return }
    on(.start)
    if state == .connect { return }
    if state == .active {
      on(.failed(outgoing))
      return
    }
    on(.connected(outgoing))
    if state == .openSent { return }
    on(.received(outgoing, open.encode()))
    if state == .openConfirm { return }
    on(.received(outgoing, Message.keepaliveBytes))
  }

  static func at(_ state: SessionState, _ settings: SessionSettings = Rig.settings, open: Open = Rig.peerOpen) -> Rig {
    var rig = Rig(settings)
    rig.bring(to: state, with: open)
    return rig
  }
}

extension [SessionEffect] {
  /// The messages that went out, decoded.
  var messages: [Message] {
    compactMap { effect in
      guard case .send(_, let bytes) = effect else { return nil }
      return try? Message.decode(bytes.span, options: CodecOptions())
    }
  }

  var notification: Notification? {
    for case .notification(let notification) in messages { return notification }
    return nil
  }

  var updates: [Update] { compactMap { if case .update(let update) = $0 { update } else { nil } } }
  var closed: [ConnectionID] { compactMap { if case .close(let id) = $0 { id } else { nil } } }
  var connects: Int { count { if case .connect = $0 { true } else { false } } }
  var negotiated: Negotiated? {
    for case .established(let negotiated) in self { return negotiated }
    return nil
  }
}
