// fuzz: HTTP Wire Model
import HTTP
import Wire

/// A request head: parsed whole, in pieces, and again from its parts, it is the same request.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  let whole = Seen(bytes, cuts: [])
  let pieces = Seen(bytes, cuts: cuts(bytes))
  require(pieces == whole || pieces == .partial && whole.isRefused, "pieces parse as the whole")
  guard case .head(let facts, let text, let path) = whole else { return 0 }
  let again = Seen(text, cuts: [])
  guard case .head(let sameFacts, _, _) = again else {
    require(false, "a head written from its parts parses")
    return 0
  }
  require(sameFacts == facts, "a head written from its parts means the same")
  checkPath(path)
  return 0
}

/// What one way of parsing saw.
enum Seen: Equatable {
  case partial
  case refused(HeadError)
  /// The facts, the head written anew from its parts, and the path.
  case head([String], [UInt8], [UInt8])

  var isRefused: Bool { if case .refused = self { true } else { false } }

  init(_ bytes: [UInt8], cuts: [Int]) {
    var head = RequestHead()
    var scanned = 0
    for cut in cuts + [bytes.count] {
      do {
        let piece = bytes.span.extracting(0..<cut)
        guard let length = try head.parse(piece, scanned: &scanned, limits: HeadLimits()) else { continue }
        require(length <= cut && length == head.length, "the head ends inside the bytes")
        var text = bytes[head.methodRange] + [0x20] + bytes[head.targetRange]
        text += Array(" HTTP/1.\(head.minorVersion)\r\n".utf8)
        var facts = [
          "\(head.method) \(head.targetForm) \(head.keepAlive) \(head.expectsContinue) \(head.upgrade) \(head.body)",
          String(decoding: bytes[head.hostNameRange], as: UTF8.self), "\(head.hostPort ?? 0) \(head.hasQuery)",
          String(decoding: bytes[head.pathAndQueryRange], as: UTF8.self),
        ]
        for index in 0..<head.fieldCount {
          let field = head.fields[index]
          text += bytes[field.nameRange] + [0x3a, 0x20] + bytes[field.valueRange] + [0x0d, 0x0a]
          facts.append("\(field.name) \(field.isHopByHop)")
          require(bytes[head.fields.line(index)].suffix(2) == [0x0d, 0x0a], "a line ends in CRLF")
          for byte in bytes[field.valueRange] {
            require(byte == 9 || byte >= 0x20 && byte != 0x7f, "a value holds no control")
          }
        }
        text += [0x0d, 0x0a]
        self = .head(facts, Array(text), Array(bytes[head.pathRange]))
        return
      } catch {
        self = .refused(error)
        return
      }
    }
    self = .partial
  }
}

/// A normal path stays as it is.
func checkPath(_ path: [UInt8]) {
  var scratch: [UInt8] = []
  guard PathNormalizer.normalize(path.span, into: &scratch) == .rewritten else { return }
  var second: [UInt8] = []
  require(PathNormalizer.normalize(scratch.span, into: &second) == .normal, "a normal path is normal")
}
