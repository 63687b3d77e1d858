import HTTP2
import Testing

typealias Fields = [(String, String)]

/// The text of a head, or why it is malformed.
func translate(
  _ kind: HeadTranslator.Kind, _ fields: Fields, end: Bool = true, listSize: Int = 16_384, count: Int = 100
) -> Result<String, MessageError> {
  var translator = HeadTranslator()
  translator.begin(kind, maxListSize: listSize, maxFields: count)
  for (name, value) in fields { translator.add(Array(name.utf8).span, Array(value.utf8).span) }
  translator.finish(end: end)
  if let error = translator.error { return .failure(error) }
  return .success(text(translator.text.bytes))
}

func text(_ bytes: Span<UInt8>) -> String {
  var array: [UInt8] = []
  for index in bytes.indices { array.append(bytes[index]) }
  return String(decoding: array, as: UTF8.self)
}

let get: Fields = [(":method", "GET"), (":scheme", "http"), (":path", "/a?b"), (":authority", "example.com")]

@Suite struct HeadTranslatorTests {
  @Test func aRequestBecomesAnHTTP1Head() {
    #expect(
      translate(.request, get + [("accept", "*/*"), ("te", "trailers")])
        == .success("GET /a?b HTTP/1.1\r\nhost: example.com\r\naccept: */*\r\nte: trailers\r\n"))
  }

  @Test func pseudoHeadersComeInAnyOrder() {
    #expect(translate(.request, get.reversed()) == .success("GET /a?b HTTP/1.1\r\nhost: example.com\r\n"))
  }

  @Test func cookieCrumbsBecomeOneField() {
    #expect(
      translate(.request, get + [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")])
        == .success("GET /a?b HTTP/1.1\r\nhost: example.com\r\nx: y\r\ncookie: a=1; b=2\r\n"))
  }

  @Test func hostMayRepeatOrReplaceTheAuthority() {
    #expect(
      translate(.request, get + [("host", "EXAMPLE.com")]) == .success("GET /a?b HTTP/1.1\r\nhost: example.com\r\n"))
    #expect(
      translate(.request, get.dropLast() + [("host", "b.example")])
        == .success("GET /a?b HTTP/1.1\r\nhost: b.example\r\n"))
  }

  @Test func connectHasAnAuthorityOnly() {
    #expect(
      translate(.request, [(":method", "CONNECT"), (":authority", "a:443")])
        == .success("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n"))
  }

  @Test func extendedConnectIsAnUpgrade() {
    let fields: Fields = [
      (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat"), (":authority", "a"),
      ("sec-websocket-version", "13"),
    ]
    #expect(
      translate(.request, fields, end: false)
        == .success(
          "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n")
    )
  }

  @Test func aResponseBecomesAnHTTP1Head() {
    #expect(
      translate(.response, [(":status", "200"), ("content-type", "text/html")], end: false)
        == .success("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n"))
  }

  @Test func trailersAreLines() {
    #expect(translate(.trailers, [("grpc-status", "0")]) == .success("grpc-status: 0\r\n"))
  }

  @Test(arguments: malformedRequests) func malformedRequestsAreRefused(_ row: Malformed) {
    #expect(translate(.request, row.fields, end: row.end) == .failure(row.error), "\(row.fields)")
  }

  @Test func malformedResponsesAreRefused() {
    let rows: [(Fields, MessageError)] = [
      ([], .missingPseudo), ([("a", "b")], .missingPseudo), ([(":status", "99")], .malformedStatus),
      ([(":status", "600")], .malformedStatus), ([(":status", "2OO")], .malformedStatus),
      ([(":status", "200"), (":status", "200")], .repeatedPseudo), ([(":status", "101")], .switchingProtocols),
      ([(":path", "/")], .unknownPseudo), ([(":status", "200"), ("connection", "close")], .connectionField),
      ([(":status", "200"), ("te", "trailers")], .unsupportedTE), ([(":status", "103")], .malformedStatus),
      ([(":status", "200"), ("content-length", "1"), ("content-length", "1")], .repeatedLength),
    ]
    for (fields, error) in rows { #expect(translate(.response, fields) == .failure(error), "\(fields)") }
  }

  @Test func malformedTrailersAreRefused() {
    #expect(translate(.trailers, [(":status", "200")]) == .failure(.pseudoInTrailers))
    #expect(translate(.trailers, [("content-length", "1")]) == .failure(.forbiddenTrailer))
    #expect(translate(.trailers, [("transfer-encoding", "chunked")]) == .failure(.connectionField))
    #expect(translate(.trailers, [("host", "a")]) == .failure(.forbiddenTrailer))
    #expect(translate(.trailers, [("a", "b")], end: false) == .failure(.trailersWithoutEnd))
  }

  @Test func theListHasLimits() {
    let many = get + (0..<50).map { ("x\($0)", "y") }
    #expect(translate(.request, many, listSize: 500) == .failure(.listTooLarge))
    #expect(translate(.request, many, count: 53) == .failure(.tooManyFields))
    // RFC 9113 §6.5.2: 32 bytes for each field, though they are nowhere.
    let size = get.reduce(0) { $0 + $1.0.utf8.count + $1.1.utf8.count + 32 }
    #expect(translate(.request, get, listSize: size - 1) == .failure(.listTooLarge))
    #expect(throws: Never.self) { try translate(.request, get, listSize: size).get() }
  }

  @Test func noByteOfAValueCanEndALine() {
    for byte in UInt8.min...UInt8.max {
      let value = [UInt8(ascii: "a"), byte, UInt8(ascii: "b")]
      var translator = HeadTranslator()
      translator.begin(.request, maxListSize: 1000, maxFields: 10)
      for (name, value) in get { translator.add(Array(name.utf8).span, Array(value.utf8).span) }
      translator.add(Array("x".utf8).span, value.span)
      translator.finish(end: true)
      let isAllowed = byte >= 0x20 && byte != 0x7f || byte == 0x09
      #expect((translator.error == nil) == isAllowed, "byte \(byte)")
    }
  }
}

struct Malformed: Sendable {
  var fields: Fields
  var error: MessageError
  var end = true
}

func replacing(_ name: String, _ value: String?) -> Fields {
  get.compactMap { $0.0 == name ? value.map { (name, $0) } : $0 }
}

let malformedRequests: [Malformed] = [
  Malformed(fields: [], error: .missingPseudo),
  Malformed(fields: replacing(":method", nil), error: .missingPseudo),
  Malformed(fields: replacing(":scheme", nil), error: .missingPseudo),
  Malformed(fields: replacing(":path", nil), error: .missingPseudo),
  Malformed(fields: replacing(":authority", nil), error: .missingPseudo),
  Malformed(fields: replacing(":path", ""), error: .malformedPath),
  Malformed(fields: replacing(":path", "a"), error: .malformedPath),
  Malformed(fields: replacing(":path", "*"), error: .malformedPath),
  Malformed(fields: replacing(":path", "/ HTTP/1.1\r\nx: y"), error: .malformedPath),
  Malformed(fields: replacing(":path", "/a b"), error: .malformedPath),
  Malformed(fields: replacing(":path", "/\u{0}"), error: .malformedPath),
  Malformed(fields: replacing(":path", "/é"), error: .malformedPath),
  Malformed(fields: replacing(":method", ""), error: .malformedMethod),
  Malformed(fields: replacing(":method", "GET /x HTTP/1.1"), error: .malformedMethod),
  Malformed(fields: replacing(":method", "G\r\nT"), error: .malformedMethod),
  Malformed(fields: replacing(":scheme", "ftp"), error: .malformedScheme),
  Malformed(fields: replacing(":authority", "a\r\nx: y"), error: .malformedAuthority),
  Malformed(fields: replacing(":authority", "user@a"), error: .malformedAuthority),
  Malformed(fields: replacing(":authority", "a/b"), error: .malformedAuthority),
  Malformed(fields: replacing(":authority", ""), error: .malformedAuthority),
  Malformed(fields: get + [(":path", "/")], error: .repeatedPseudo),
  Malformed(fields: get + [(":method", "GET")], error: .repeatedPseudo),
  Malformed(fields: get + [(":status", "200")], error: .unknownPseudo),
  Malformed(fields: get + [(":foo", "bar")], error: .unknownPseudo),
  Malformed(fields: get + [(":protocol", "websocket")], error: .forbiddenPseudo),
  Malformed(fields: [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")], error: .forbiddenPseudo),
  Malformed(fields: [(":method", "CONNECT"), (":authority", "a:1"), (":scheme", "http")], error: .forbiddenPseudo),
  Malformed(fields: [(":method", "CONNECT")], error: .missingPseudo),
  Malformed(
    fields: [(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "a")], error: .missingPseudo),
  Malformed(fields: [(":method", "CONNECT"), (":protocol", "h3"), (":authority", "a")], error: .malformedProtocol),
  Malformed(fields: Array(get.prefix(3)) + [("a", "b"), (":authority", "a")], error: .latePseudo),
  Malformed(fields: get + [("Accept", "*/*")], error: .upperCaseName),
  Malformed(fields: get + [("a b", "c")], error: .malformedName),
  Malformed(fields: get + [("a:", "c")], error: .malformedName),
  Malformed(fields: get + [("", "c")], error: .emptyName),
  Malformed(fields: get + [("x\r\ny", "c")], error: .malformedName),
  Malformed(fields: get + [("x", "a\r\nb: c")], error: .malformedValue),
  Malformed(fields: get + [("x", "a\nb")], error: .malformedValue),
  Malformed(fields: get + [("x", "a\u{0}b")], error: .malformedValue),
  Malformed(fields: get + [("x", " a")], error: .blankAroundValue),
  Malformed(fields: get + [("x", "a\t")], error: .blankAroundValue),
  Malformed(fields: get + [("connection", "close")], error: .connectionField),
  Malformed(fields: get + [("connection", "x")], error: .connectionField),
  Malformed(fields: get + [("keep-alive", "1")], error: .connectionField),
  Malformed(fields: get + [("proxy-connection", "close")], error: .connectionField),
  Malformed(fields: get + [("transfer-encoding", "chunked")], error: .connectionField),
  Malformed(fields: get + [("upgrade", "websocket")], error: .connectionField),
  Malformed(fields: get + [("http2-settings", "AAMAAABk")], error: .connectionField),
  Malformed(fields: get + [("te", "gzip")], error: .unsupportedTE),
  Malformed(fields: get + [("te", "trailers, gzip")], error: .unsupportedTE),
  Malformed(fields: get + [("host", "other")], error: .hostDiffers),
  Malformed(fields: get + [("host", "example.com"), ("host", "example.com")], error: .repeatedHost),
  Malformed(fields: get + [("content-length", "1"), ("content-length", "1")], error: .repeatedLength, end: false),
  Malformed(fields: get + [("content-length", "1, 1")], error: .malformedLength, end: false),
  Malformed(fields: get + [("content-length", "+1")], error: .malformedLength, end: false),
  Malformed(fields: get + [("content-length", "-1")], error: .malformedLength, end: false),
  Malformed(fields: get + [("content-length", "01")], error: .malformedLength, end: false),
  Malformed(fields: get + [("content-length", "")], error: .malformedLength, end: false),
  Malformed(fields: get + [("content-length", "5")], error: .lengthMismatch, end: true),
]
