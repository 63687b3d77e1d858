import HTTP
package import Health
import Model
package import Routing

/// What an answer to an HTTP probe must be.
package struct HTTPExpectation: Sendable {
  package var method: String
  package var statuses: [ClosedRange<Int>]
  /// Searched in the body's first 64 KiB, chunks decoded.
  package var body: Regex?

  package init(method: String = "GET", statuses: [ClosedRange<Int>], body: Regex? = nil) {
    self.method = method
    self.statuses = statuses
    self.body = body
  }

  /// Only HEAD and CONNECT change how the answer is framed.
  fileprivate var framing: Method { method == "HEAD" ? .head : method == "CONNECT" ? .connect : .get }
}

/// Reads the answer to an HTTP probe, in whatever pieces it comes, up to where the outcome is certain.
///
/// Without a body pattern that is the end of the head; with one it is the end of the
/// body (a pattern may speak of its end), or 64 KiB.
package struct HTTPCheck: Sendable {
  private enum Step: Sendable {
    case head
    case length(Int64)
    case chunks(ChunkDecoder)
    case untilClose
  }

  private let expectation: HTTPExpectation
  private var step = Step.head
  /// A head that is not complete yet, and how far it was searched.
  private var pending: [UInt8] = []
  private var scanned = 0
  private var isAnswered = false
  private var content: [UInt8] = []

  package init(_ expectation: HTTPExpectation) { self.expectation = expectation }

  /// What it waits for, in words.
  package var awaited: String {
    if case .head = step { return isAnswered ? "response head" : "response" }
    return "response body"
  }

  /// Takes what was received; nil: more is needed.
  package mutating func take(_ bytes: Span<UInt8>, _ tools: inout CheckTools) -> ProbeOutcome? {
    guard case .head = step else { return takeBody(bytes, from: 0, &tools) }
    isAnswered = isAnswered || !bytes.isEmpty
    if pending.isEmpty { return takeHead(bytes, &tools) }
    pending.append(bytes, bytes.indices)
    let whole = pending
    pending = []
    return takeHead(whole.span, &tools)
  }

  /// The peer has closed.
  package mutating func end(_ tools: inout CheckTools) -> ProbeOutcome {
    switch step {
    case .head:
      .failure(isAnswered ? "connection closed within the response head" : "connection closed without a response")
    case .length, .chunks: .failure("connection closed within the response body")
    case .untilClose: judge(&tools)
    }
  }

  private mutating func takeHead(_ bytes: Span<UInt8>, _ tools: inout CheckTools) -> ProbeOutcome? {
    var start = 0
    while true {
      let rest = bytes.extracting(start..<bytes.count)
      do throws(HeadError) {
        let length = try tools.head.parse(
          rest, method: expectation.framing, scanned: &scanned, limits: tools.limits)
        guard let length else {
          pending.append(rest, rest.indices)
          return nil
        }
        start += length
      } catch {
        return .failure("invalid response: \(error.reason)")
      }
      // RFC 9110 §15.2: any number of interim responses may precede the final one.
      if !tools.head.isInterim { return beginBody(bytes, from: start, &tools) }
    }
  }

  private mutating func beginBody(
    _ bytes: Span<UInt8>, from start: Int, _ tools: inout CheckTools
  ) -> ProbeOutcome? {
    let outcome = ProbeOutcome.status(Int(tools.head.status), expected: expectation.statuses)
    guard outcome == .success, expectation.body != nil else { return outcome }
    switch tools.head.body {
    case .none: return judge(&tools)
    case .length(let length): step = .length(length)
    case .chunked: step = .chunks(ChunkDecoder())
    case .untilClose: step = .untilClose
    }
    return takeBody(bytes, from: start, &tools)
  }

  private mutating func takeBody(
    _ bytes: Span<UInt8>, from start: Int, _ tools: inout CheckTools
  ) -> ProbeOutcome? {
    var isComplete = false
    switch step {
    case .head: return nil
    case .untilClose: collect(bytes, start..<bytes.count)
    case .length(let length):
      let count = Int(min(length, Int64(bytes.count - start)))
      collect(bytes, start..<start + count)
      step = .length(length - Int64(count))
      isComplete = length == Int64(count)
    case .chunks(var decoder):
      var position = start
      decoding: while true {
        do throws(ChunkError) {
          switch try decoder.next(bytes, from: &position) {
          case .data(let range): collect(bytes, range)
          case .trailers: continue
          case .more: break decoding
          case .finished:
            isComplete = true
            break decoding
          }
        } catch {
          return .failure("invalid response body: \(error.reason)")
        }
      }
      step = .chunks(decoder)
    }
    return isComplete || content.count == CheckTools.window ? judge(&tools) : nil
  }

  private mutating func collect(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    content.append(bytes, range.prefix(CheckTools.window - content.count))
  }

  private func judge(_ tools: inout CheckTools) -> ProbeOutcome {
    guard let body = expectation.body else { return .success }
    return tools.mismatch(body, content.span, "body") ?? .success
  }
}
