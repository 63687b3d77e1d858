// fuzz: HTTP Wire Model
import HTTP
import Wire

/// A chunked body: pieces give the same content, and the content written as one chunk decodes to itself.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  let whole = decode(bytes, [])
  let pieces = decode(bytes, cuts(bytes))
  require(
    pieces.error == whole.error && pieces.content == whole.content && pieces.end == whole.end,
    "pieces decode as the whole")

  var passing = ChunkDecoder()
  if let progress = try? passing.advance(bytes.span, from: 0) {
    require(whole.error == nil && progress.content == whole.content.count, "passing through counts the content")
    require(
      progress.isFinished == (whole.end != nil) && progress.end == whole.end ?? bytes.count, "both end at one place")
  }
  guard !whole.content.isEmpty else { return 0 }
  let again = Array("\(String(whole.content.count, radix: 16))\r\n".utf8) + whole.content + Array("\r\n0\r\n\r\n".utf8)
  require(decode(again, []).content == whole.content, "content survives a chunk")
  return 0
}

private func decode(_ bytes: [UInt8], _ cuts: [Int]) -> (content: [UInt8], end: Int?, error: ChunkError?) {
  var decoder = ChunkDecoder()
  var content: [UInt8] = []
  var position = 0
  for cut in cuts + [bytes.count] {
    do {
      pieces: while true {
        switch try decoder.next(bytes.span.extracting(0..<cut), from: &position) {
        case .data(let range): content += bytes[range]
        case .trailers: continue
        case .more: break pieces
        case .finished(let end): return (content, end, nil)
        }
      }
    } catch {
      return (content, nil, error)
    }
  }
  return (content, nil, nil)
}
