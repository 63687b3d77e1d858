import HTTP
import Wire

/// A parsed head, copied out so that two can be compared.
struct Parsed: Equatable {
  var length = 0
  var method = Method.get
  var status: UInt16 = 0
  var version: UInt8 = 1
  var form = RequestHead.TargetForm.origin
  var target = ""
  var path = ""
  var query: String?
  var host = ""
  var hostName = ""
  var port: UInt16?
  var body = BodyFraming.none
  var keepAlive = true
  var expects = false
  var upgrade = false
  var fields: [Field] = []

  struct Field: Equatable {
    var name: String
    var value: String
    var id: FieldName
    var isHopByHop: Bool
  }

  func value(_ name: String) -> String? { fields.first { $0.name.lowercased() == name }?.value }
  var hopByHop: [String] { fields.filter(\.isHopByHop).map(\.name) }
}

enum Outcome: Equatable {
  case head(Parsed)
  case partial
  case refused(HeadError)

  var head: Parsed? { if case .head(let parsed) = self { parsed } else { nil } }
  var error: HeadError? { if case .refused(let error) = self { error } else { nil } }
}

private func fieldList(_ table: borrowing FieldTable, _ bytes: [UInt8]) -> [Parsed.Field] {
  (0..<table.count).map {
    let field = table[$0]
    return Parsed.Field(
      name: text(bytes, field.nameRange), value: text(bytes, field.valueRange), id: field.name,
      isHopByHop: field.isHopByHop)
  }
}

private func text(_ bytes: [UInt8], _ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

/// Parses a request whose bytes arrive up to each of `cuts`, then whole.
func parseRequest(_ bytes: [UInt8], cuts: [Int] = [], limits: HeadLimits = HeadLimits()) -> Outcome {
  var head = RequestHead()
  var scanned = 0
  for cut in cuts + [bytes.count] {
    do {
      guard let length = try head.parse(bytes.span.extracting(0..<cut), scanned: &scanned, limits: limits) else {
        continue
      }
      var parsed = Parsed()
      parsed.length = length
      parsed.method = head.method
      parsed.version = head.minorVersion
      parsed.form = head.targetForm
      parsed.target = text(bytes, head.targetRange)
      parsed.path = text(bytes, head.pathRange)
      parsed.query = head.hasQuery ? text(bytes, head.queryRange) : nil
      parsed.host = text(bytes, head.hostRange)
      parsed.hostName = text(bytes, head.hostNameRange)
      parsed.port = head.hostPort
      parsed.body = head.body
      parsed.keepAlive = head.keepAlive
      parsed.expects = head.expectsContinue
      parsed.upgrade = head.upgrade
      parsed.fields = fieldList(head.fields, bytes)
      return .head(parsed)
    } catch {
      return .refused(error)
    }
  }
  return .partial
}

func parseRequest(_ text: String, limits: HeadLimits = HeadLimits()) -> Outcome {
  parseRequest(Array(text.utf8), limits: limits)
}

/// Parses a response whose bytes arrive up to each of `cuts`, then whole.
func parseResponse(_ bytes: [UInt8], to method: Method = .get, cuts: [Int] = []) -> Outcome {
  var head = ResponseHead()
  var scanned = 0
  for cut in cuts + [bytes.count] {
    do {
      let piece = bytes.span.extracting(0..<cut)
      guard let length = try head.parse(piece, method: method, scanned: &scanned, limits: HeadLimits()) else {
        continue
      }
      var parsed = Parsed()
      parsed.length = length
      parsed.status = head.status
      parsed.version = head.minorVersion
      parsed.target = text(bytes, head.reasonRange)
      parsed.body = head.body
      parsed.keepAlive = head.keepAlive
      parsed.upgrade = head.upgrade
      parsed.fields = fieldList(head.fields, bytes)
      return .head(parsed)
    } catch {
      return .refused(error)
    }
  }
  return .partial
}

func parseResponse(_ text: String, to method: Method = .get) -> Outcome { parseResponse(Array(text.utf8), to: method) }

extension Random {
  /// Ascending positions inside `0..<count`, up to `most` of them.
  mutating func cuts(_ count: Int, most: UInt32) -> [Int] {
    guard count > 0 else { return [] }
    return (0..<below(most + 1)).map { _ in Int(below(UInt32(count))) }.sorted()
  }

  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[Int(below(UInt32(choices.count)))] }
  mutating func chance(_ percent: UInt32) -> Bool { below(100) < percent }
}
