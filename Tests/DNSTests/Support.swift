import DNS
import Model
import Testing
import Wire

/// A name in a test's own text.
func named(_ text: String) -> Name { Name(text) ?? .root }

/// What the tests of this target share: a responder with its buffers, and the vectors' text.
final class Server {
  var responder: Responder
  /// Answers in place what can be.
  var short: Responder
  private(set) var shortAnswers = 0
  var writer = MessageWriter()
  let zones: Zones
  let view: DynamicView

  init(_ zones: [Zone], view: [CompiledSet?] = [], settings: Responder.Settings = .init()) {
    responder = Responder(settings, seed: 1)
    short = Responder(settings, seed: 2)
    self.zones = Zones(zones)
    self.view = DynamicView(view)
    responder.prepare(for: self.view)
    short.prepare(for: self.view)
  }

  func ask(
    _ bytes: [UInt8], from address: IPAddress = IPAddress(192, 0, 2, 200), over transport: Responder.Transport = .udp,
    at seconds: Int64 = 0, places: some PlaceSource = NoPlaces()
  ) -> (outcome: Responder.Outcome, bytes: [UInt8]) {
    let moment = Responder.Moment(
      now: Instant(nanoseconds: seconds * 1_000_000_000), unixSeconds: UInt32(1_700_000_000 + seconds))
    let outcome = responder.answer(
      bytes.span, from: .init(address, transport), at: moment, zones: zones, view: view, places: places, into: &writer)
    if transport == .udp { compareShort(bytes, from: address, places, outcome) }
    return (outcome, outcome == .respond ? writer.message : [])
  }

  /// The short way says what the long one says, but for the addresses that are drawn.
  private func compareShort(
    _ query: [UInt8], from address: IPAddress, _ places: some PlaceSource, _ outcome: Responder.Outcome
  ) {
    var memory = query + [UInt8](repeating: 0xa5, count: 4096)
    var message = memory.mutableSpan
    let count = short.answerInPlace(
      &message, query.count, from: address, zones: zones, view: view, places: places)
    let answer = Array(memory[..<count])
    guard count > 0 else {
      #expect(memory == query + [UInt8](repeating: 0xa5, count: 4096))
      return
    }
    shortAnswers += 1
    let long = writer.message
    let isSame = answer == long || !view.sets.isEmpty && answer.count == long.count && answer[..<12] == long[..<12]
    #expect(outcome == .respond && isSame, "\(query): \(answer), \(long)")
  }

  /// The decoded response; nil when none came or it is not well formed.
  func ask(_ message: Message, over transport: Responder.Transport = .udp) -> Message? {
    guard let bytes = message.encoded() else { return nil }
    let (outcome, response) = ask(bytes, over: transport)
    return outcome == .respond ? try? Message(response) : nil
  }

  func ask(_ name: String, _ type: RecordType, udpSize: UInt16? = 1232) -> Message? {
    guard let name = Name(name) else { return nil }
    return ask(.query(name, type, id: 7, udpSize: udpSize))
  }
}

/// A query and what must come back, sections as sets.
struct Vector: CustomStringConvertible, Sendable {
  var name: Name
  var type: RecordType
  var udpSize: UInt16?
  var head = ""
  var answers: Set<Record> = []
  var authorities: Set<Record> = []
  var additionals: Set<Record> = []

  var description: String { "\(name) \(type) \(udpSize.map(String.init) ?? "none")" }

  static func read(_ text: String) -> [Vector] {
    var vectors: [Vector] = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      switch words[0] {
      case "?":
        guard let name = Name(String(words[1])), let type = RecordType(String(words[2])) else { continue }
        vectors.append(Vector(name: name, type: type, udpSize: UInt16(words[3])))
      case "=": vectors[vectors.count - 1].head = words.dropFirst().joined(separator: " ")
      default:
        let parsed = ZoneFile(Array(line.dropFirst(3).utf8), file: "vectors", origin: .root)
        guard let record = parsed.records.first?.record, !parsed.hasErrors else {
          vectors[vectors.count - 1].head += " unreadable: \(line)"
          continue
        }
        switch words[0] {
        case "an": vectors[vectors.count - 1].answers.insert(record)
        case "au": vectors[vectors.count - 1].authorities.insert(record)
        default: vectors[vectors.count - 1].additionals.insert(record)
        }
      }
    }
    return vectors
  }

  /// What differs in a response; empty when nothing does.
  func differences(_ response: Message?) -> String {
    guard let response else { return "no response" }
    var text = ""
    var head = response.code.description
    if response.isAuthoritative { head += " aa" }
    if response.isTruncated { head += " tc" }
    if head != self.head { text += "  expected \(self.head), came \(head)\n" }
    // A truncated answer is asked again over TCP; what it holds does not matter.
    if response.isTruncated, self.head.hasSuffix("tc") { return text }
    // A compressed name has the case of what it points to, so names in data compare without case.
    func plain(_ records: some Sequence<Record>) -> [Record] {
      records.map { record in
        var record = record
        if [.ns, .cname, .ptr, .mx, .soa].contains(record.type) {
          record.data = record.data.map { $0 &- 65 < 26 ? $0 | 32 : $0 }
        }
        return record
      }
    }
    for (section, listed, given) in [
      ("answer", Array(answers), response.answers), ("authority", Array(authorities), response.authorities),
      ("additional", Array(additionals), response.additionals.filter { $0.type != .opt }),
    ] {
      let (expected, came) = (Set(plain(listed)), plain(given))
      for record in expected.subtracting(came) { text += "  missing in \(section): \(record)\n" }
      for record in Set(came).subtracting(expected) { text += "  too much in \(section): \(record)\n" }
      if Set(came).count != came.count { text += "  twice in \(section)\n" }
    }
    return text
  }
}
