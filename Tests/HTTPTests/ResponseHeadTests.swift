import HTTP
import Testing

@Suite struct ResponseHeadTests {
  /// RFC 9112 §6.3, in its order: method, status line and fields; body, whether the connection persists.
  @Test(arguments: [
    (Method.get, "1.1 200 OK", "Content-Length: 5", BodyFraming.length(5), true),
    (.get, "1.1 200 OK", "Content-Length: 0", .none, true),
    (.get, "1.1 200 OK", "Transfer-Encoding: chunked", .chunked, true),
    (.get, "1.1 200 OK", "", .untilClose, false),
    (.get, "1.0 200 OK", "", .untilClose, false),
    (.get, "1.0 200 OK", "Content-Length: 5", .length(5), false),
    (.get, "1.0 200 OK", "Content-Length: 5\r\nConnection: keep-alive", .length(5), true),
    (.get, "1.1 200 OK", "Content-Length: 5\r\nConnection: close", .length(5), false),
    (.get, "1.1 404 Not Found", "Content-Length: 9", .length(9), true),
    (.get, "1.1 500 ", "Content-Length: 9", .length(9), true),
    (.get, "1.1 304 Not Modified", "Content-Length: 5", .none, true),
    (.get, "1.1 304 Not Modified", "Transfer-Encoding: chunked", .none, true),
    (.get, "1.1 204 No Content", "", .none, true),
    (.get, "1.1 204 No Content", "Content-Length: 0", .none, true),
    (.get, "1.1 100 Continue", "", .none, true),
    (.get, "1.1 103 Early Hints", "Link: </a>", .none, true),
    (.get, "1.1 101 Switching Protocols", "Connection: upgrade\r\nUpgrade: websocket", .none, false),
    (.head, "1.1 200 OK", "Content-Length: 5", .none, true),
    (.head, "1.1 200 OK", "Transfer-Encoding: chunked", .none, true),
    (.head, "1.1 200 OK", "", .none, true),
    (.head, "1.0 200 OK", "", .none, false),
    (.connect, "1.1 200 OK", "Content-Length: 5", .none, false),
    (.connect, "1.1 407 No", "Content-Length: 5", .length(5), true),
    (.post, "1.1 200", "Content-Length: 5", .length(5), true),
    (.post, "1.1 201 \u{e9}\u{e9}", "Content-Length: 5", .length(5), true),
    (.put, "1.1 599 Custom", "Content-Length: 5", .length(5), true),
  ])
  func framingFollowsMethodStatusAndFields(
    method: Method, line: String, fields: String, body: BodyFraming, keepAlive: Bool
  ) {
    let head = parseResponse("HTTP/\(line)\r\n\(fields.isEmpty ? "" : fields + "\r\n")\r\n", to: method).head
    #expect(head?.body == body)
    #expect(head?.keepAlive == keepAlive)
    #expect(head.map { line.contains(" \($0.status)") } == true)
  }

  @Test(arguments: [
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", HeadError.lengthAndEncoding),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", .repeatedLength),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", .malformedLength),
    ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .malformedLength),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .unsupportedEncoding),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .malformedEncoding),
    ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .encodingInHTTP10),
    ("HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .malformedEncoding),
    ("HTTP/1.1 100 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .malformedEncoding),
    ("HTTP/2.0 200 OK\r\n\r\n", .unsupportedVersion), ("HTTP/1.2 200 OK\r\n\r\n", .unsupportedVersion),
    ("HTTP/1.1 099 OK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1 600 OK\r\n\r\n", .malformedStatusLine),
    ("HTTP/1.1 20 OK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1 2000 OK\r\n\r\n", .malformedStatusLine),
    ("HTTP/1.1 +20 OK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1  200 OK\r\n\r\n", .malformedStatusLine),
    ("HTTP/1.1\t200 OK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1 200\tOK\r\n\r\n", .malformedStatusLine),
    ("http/1.1 200 OK\r\n\r\n", .malformedStatusLine), ("\r\nHTTP/1.1 200 OK\r\n\r\n", .malformedStatusLine),
    ("ICY 200 OK\r\n\r\n", .malformedStatusLine), ("200 OK\r\n", .malformedStatusLine),
    ("HTTP/1.1\r\n", .malformedStatusLine), ("<html>\n", .malformedStatusLine),
    ("HTTP/1.1 200 OK\n\n", .bareLF), ("HTTP/1.1 200 O\rK\r\n\r\n", .bareCR),
    ("HTTP/1.1 200 O\0K\r\n\r\n", .controlCharacter), ("HTTP/1.1 200 OK\r\nX: y\n\r\n", .bareLF),
    ("HTTP/1.1 200 OK\r\nX : y\r\n\r\n", .spaceBeforeColon), ("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", .lineFolding),
    ("HTTP/1.1 200 OK\r\nConnection: content-length\r\n\r\n", .connectionStripsFraming),
  ])
  func whatIsAmbiguousIsRefused(text: String, error: HeadError) {
    #expect(parseResponse(text).error == error)
    let bytes = Array(text.utf8)
    #expect(parseResponse(bytes, cuts: Array(0..<bytes.count)).error == error)
  }

  @Test func theReasonIsARange() {
    #expect(parseResponse("HTTP/1.1 404 Not  here\r\n\r\n").head?.target == "Not  here")
    #expect(parseResponse("HTTP/1.1 404\r\n\r\n").head?.target == "")
  }

  @Test func interimHeadsAreTold() throws {
    for (status, isInterim) in [(100, true), (102, true), (103, true), (101, false), (200, false)] {
      var head = ResponseHead()
      var scanned = 0
      let bytes = Array("HTTP/1.1 \(status) X\r\n\r\n".utf8)
      _ = try head.parse(bytes.span, method: .get, scanned: &scanned, limits: HeadLimits())
      #expect(head.isInterim == isInterim)
      #expect(head.upgrade == (status == 101))
    }
  }

  @Test func hopByHopFieldsAreMarked() {
    let head = parseResponse(
      "HTTP/1.1 204 X\r\nConnection: X-A\r\nX-A: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a\r\n\r\n"
    ).head
    #expect(head?.hopByHop == ["Connection", "X-A", "Keep-Alive"])
  }
}
