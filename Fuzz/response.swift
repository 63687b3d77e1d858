// fuzz: HTTP Wire Model
import HTTP
import Wire

/// A response head, in the light of the method that the first byte picks: pieces change nothing.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let all = unsafe input(data, count)
  guard let choice = all.first else { return 0 }
  let method = Method.allCases[Int(choice) % Method.allCases.count]
  let bytes = Array(all.dropFirst())
  let whole = parse(bytes, method, [])
  let pieces = parse(bytes, method, cuts(bytes))
  require(pieces == whole || pieces == "partial" && whole.hasPrefix("refused"), "pieces parse as the whole")
  return 0
}

private func parse(_ bytes: [UInt8], _ method: Method, _ cuts: [Int]) -> String {
  var head = ResponseHead()
  var scanned = 0
  for cut in cuts + [bytes.count] {
    do {
      let piece = bytes.span.extracting(0..<cut)
      guard let length = try head.parse(piece, method: method, scanned: &scanned, limits: HeadLimits()) else {
        continue
      }
      require(length <= cut && (100...599).contains(head.status), "the head is inside the bytes")
      require(head.body != .untilClose || !head.keepAlive, "a body that ends with the connection is the last")
      require(!(method == .head || head.status < 200) || head.body == .none, "no body where none can be")
      var facts = "\(length) \(head.status) \(head.keepAlive) \(head.upgrade) \(head.body) \(head.reasonRange)"
      for index in 0..<head.fieldCount {
        let field = head.fields[index]
        facts += " \(field.name) \(field.nameRange) \(field.valueRange) \(field.isHopByHop)"
      }
      return facts
    } catch {
      return "refused \(error)"
    }
  }
  return "partial"
}
