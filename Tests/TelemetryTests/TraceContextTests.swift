import Model
import Telemetry
import Testing

@Suite struct TraceContextTests {
  private static let trace = "0af7651916cd43dd8448eb211c80319c"

  private func parse(_ text: String) -> TraceContext? { TraceContext(Array(text.utf8).span) }

  @Test func theRecommendationsExample() throws {
    let context = try #require(parse("00-\(TraceContextTests.trace)-b7ad6b7169203331-01"))
    #expect(context.traceID == TraceContextTests.trace)
    #expect(TraceContext.hexadecimal(context.parent) == "b7ad6b7169203331" && context.isSampled)
    #expect(try !#require(parse("00-\(TraceContextTests.trace)-00000000000000a1-fe")).isSampled)
  }

  @Test func aLaterVersionMaySayMoreBehindADash() {
    #expect(parse("01-\(TraceContextTests.trace)-b7ad6b7169203331-01") != nil)
    #expect(parse("fe-\(TraceContextTests.trace)-b7ad6b7169203331-01-x") != nil)
    #expect(parse("fe-\(TraceContextTests.trace)-b7ad6b7169203331-01x") == nil)
  }

  @Test(arguments: [
    "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
    "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-010",
    "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", " 0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
  ])
  func whatIsNotExactlySoIsNone(text: String) { #expect(parse(text) == nil) }

  @Test func anExportRequest() {
    var request = TracedRequest(
      context: TraceContext(high: 1, low: 2, parent: 0, isSampled: true), span: 3, started: 1_700_000_000_000_001,
      client: Endpoint(IPAddress(192, 0, 2, 1), 99))
    (request.method, request.path, request.listener, request.status) = ("GET", "/a\"\n", "web", 502)
    (request.ended, request.tries, request.ending) = (1_700_000_000_000_009, 2, "backend-reset")
    request.lastTry = .init(
      span: 4, started: 1_700_000_000_000_005, backend: "b", address: .ip(Endpoint(IPAddress(10, 0, 0, 1), 80)))
    let text = OTLP.request([request], service: "shop", node: "", version: "1")
    #expect(
      text.hasPrefix(
        #"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},{"key":"service.version","value":{"stringValue":"1"}}]},"scopeSpans":[{"scope":{"name":"sluice","version":"1"},"spans":[{"traceId":"00000000000000010000000000000002","spanId":"0000000000000003","name":"GET web","kind":2,"flags":1,"startTimeUnixNano":"1700000000000001000","endTimeUnixNano":"1700000000000009000","attributes":["#
      ))
    #expect(text.contains(#""url.path","value":{"stringValue":"/a\"\u000a"}"#))
    #expect(text.contains(#""spanId":"0000000000000004","parentSpanId":"0000000000000003","name":"GET","kind":3"#))
    #expect(text.contains(#"{"key":"http.request.resend_count","value":{"intValue":"1"}}"#))
    #expect(text.hasSuffix(#""status":{"code":2}}]}]}]}"#))
  }
}
