import HTTP
import Testing

/// What a well-formed request means.
@Suite struct RequestHeadTests {
  @Test func originFormIsSplitIntoItsParts() throws {
    let head = try #require(
      parseRequest("GET /a/b?x=1&y=? HTTP/1.1\r\nHost: Example.COM:8080\r\nAccept:*/*\r\n\r\nbody").head)
    #expect(head.method == .get)
    #expect(head.form == .origin)
    #expect(head.target == "/a/b?x=1&y=?")
    #expect(head.path == "/a/b")
    #expect(head.query == "x=1&y=?")
    #expect(head.host == "Example.COM:8080")
    #expect(head.hostName == "Example.COM")
    #expect(head.port == 8080)
    #expect(head.body == .none)
    #expect(head.keepAlive)
    #expect(head.length == 65)
    #expect(head.fields.map(\.name) == ["Host", "Accept"])
    #expect(head.value("accept") == "*/*")
  }

  @Test(arguments: [
    ("GET", Method.get, true, true), ("HEAD", .head, true, true), ("POST", .post, false, false),
    ("PUT", .put, true, false), ("DELETE", .delete, true, false), ("OPTIONS", .options, true, true),
    ("TRACE", .trace, true, true), ("PATCH", .patch, false, false), ("PROPFIND", .other, false, false),
    ("get", .other, false, false), ("GETS", .other, false, false), ("M-SEARCH", .other, false, false),
  ])
  func methodsAreKnownByTheirExactName(name: String, method: Method, idempotent: Bool, safe: Bool) {
    let head = parseRequest("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n").head
    #expect(head?.method == method)
    #expect(method.isIdempotent == idempotent)
    #expect(method.isSafe == safe)
    #expect(method == .other || method.name.description == name)
  }

  /// RFC 9112 §3.2.2: the authority of the target overrides Host.
  @Test(
    arguments: [
      ("GET http://t.example/p?q", "t.example", "t.example", nil, "/p", "q"),
      ("GET HTTPS://t.example:443/", "t.example:443", "t.example", 443, "/", nil),
      ("GET http://t.example", "t.example", "t.example", nil, "", nil),
      ("GET http://t.example?q=/x", "t.example", "t.example", nil, "", "q=/x"),
      ("OPTIONS http://[::1]:81", "[::1]:81", "[::1]", 81, "", nil),
    ] as [(String, String, String, UInt16?, String, String?)])
  func absoluteFormNamesTheHost(start: String, host: String, name: String, port: UInt16?, path: String, query: String?)
  {
    let head = parseRequest("\(start) HTTP/1.1\r\nHost: other.example\r\n\r\n").head
    #expect(head?.form == .absolute)
    #expect(head?.host == host)
    #expect(head?.hostName == name)
    #expect(head?.port == port)
    #expect(head?.path == path)
    #expect(head?.query == query)
  }

  @Test func connectTakesAnAuthority() {
    let head = parseRequest("CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n").head
    #expect(head?.form == .authority)
    #expect(head?.hostName == "db.example")
    #expect(head?.port == 5432)
    #expect(head?.path == "")
  }

  @Test func optionsTakesAnAsterisk() {
    let head = parseRequest("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").head
    #expect(head?.form == .asterisk)
    #expect(head?.hostName == "a")
  }

  @Test(arguments: [
    ("1.1", "", true), ("1.1", "Connection: close\r\n", false), ("1.1", "Connection: keep-alive, CLOSE\r\n", false),
    ("1.1", "Connection: a\r\nConnection: close\r\n", false), ("1.1", "Connection: closed\r\n", true),
    ("1.0", "", false), ("1.0", "Connection: Keep-Alive\r\n", true), ("1.0", "Connection: keep-alive,close\r\n", false),
    ("1.0", "Proxy-Connection: keep-alive\r\n", false), ("1.1", "Connection: ,, ,\r\n", true),
  ])
  func persistenceFollowsVersionAndConnection(version: String, lines: String, keepAlive: Bool) {
    #expect(parseRequest("GET / HTTP/\(version)\r\nHost: a\r\n\(lines)\r\n").head?.keepAlive == keepAlive)
  }

  @Test(arguments: [
    ("", BodyFraming.none), ("Content-Length: 0\r\n", .none), ("Content-Length: 5\r\n", .length(5)),
    ("content-length:\t 4611686018427387903 \r\n", .length(4_611_686_018_427_387_903)),
    ("Transfer-Encoding: chunked\r\n", .chunked), ("TRANSFER-ENCODING:Chunked\t\r\n", .chunked),
  ])
  func framingFollowsTheFields(lines: String, body: BodyFraming) {
    #expect(parseRequest("POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n").head?.body == body)
  }

  @Test func hopByHopFieldsAreMarked() {
    let lines = """
      Connection: x-Mine, keep-alive\r
      Keep-Alive: timeout=5\r
      X-mine: 1\r
      x-mine: 2\r
      TE: trailers\r
      Upgrade: websocket\r
      Proxy-Connection: keep-alive\r
      HTTP2-Settings: AAMAAABkAAQAAP__\r
      X-Yours: 3\r

      """
    let head = parseRequest("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n").head
    #expect(
      head?.hopByHop == [
        "Connection", "Keep-Alive", "X-mine", "x-mine", "TE", "Upgrade", "Proxy-Connection", "HTTP2-Settings",
      ])
    #expect(head?.upgrade == false, "Connection does not name Upgrade")
  }

  /// RFC 9110 §7.6.1: a client must not have a proxy drop what is meant for everybody.
  @Test(arguments: ["Cookie", "Authorization", "X-Forwarded-For", "X-Request-ID", "Cache-Control", "Via", "Forwarded"])
  func connectionDoesNotStripEndToEndFields(name: String) {
    let head = parseRequest("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, \(name)\r\n\(name): 1\r\n\r\n").head
    #expect(head?.hopByHop == ["Connection"])
  }

  @Test(arguments: [
    ("Connection: Upgrade\r\nUpgrade: websocket\r\n", "1.1", true),
    ("Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n", "1.1", true),
    ("Connection: upgrade\r\nUpgrade: websocket\r\n", "1.0", false),
    ("Upgrade: websocket\r\n", "1.1", false), ("Connection: upgrade\r\n", "1.1", false),
    ("Connection: upgrade\r\nUpgrade: h2c\r\n", "1.1", false),
    ("Connection: upgrade\r\nUpgrade: websocket, H2C\r\n", "1.1", false),
    ("Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n", "1.1", false),
  ])
  func upgradeNeedsBothFieldsAndATunnelledProtocol(lines: String, version: String, upgrade: Bool) {
    #expect(parseRequest("GET / HTTP/\(version)\r\nHost: a\r\n\(lines)\r\n").head?.upgrade == upgrade)
  }

  @Test func expectationsAreOfHTTP11() {
    #expect(parseRequest("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n").head?.expects == true)
    #expect(parseRequest("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").head?.expects == false)
  }

  @Test func namesWithUnderscoresAreWhatCGIWouldMakeOfThem() {
    let head = parseRequest("GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\nx_other: 2\r\n\r\n").head
    #expect(head?.fields.map(\.id) == [.host, .xForwardedFor, .other])
  }

  @Test(arguments: [
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer",
    "upgrade", "http2-settings", "expect", "via", "forwarded", "x-forwarded-for", "x-forwarded-proto",
    "x-forwarded-host", "x-request-id", "x-real-ip", "authorization", "proxy-authorization", "proxy-authenticate",
    "cookie", "set-cookie", "content-type", "content-encoding", "content-range", "cache-control", "date", "server",
    "location", "retry-after", "max-forwards", "user-agent", "referer",
  ])
  func knownNamesAreRecognisedInAnyCase(name: String) throws {
    let identifier = name.replacing("-", with: "").lowercased()
    for spelling in [name, name.uppercased()] {
      let value = name == "transfer-encoding" ? "chunked" : "1"
      let response = try #require(parseResponse("HTTP/1.1 200 \r\n\(spelling): \(value)\r\n\r\n").head)
      #expect("\(response.fields[0].id)".lowercased() == identifier)
    }
  }

  @Test func oneEmptyLineBeforeTheRequestIsIgnored() {
    #expect(parseRequest("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").head?.length == 29)
  }

  @Test func obsoleteTextPassesInValues() {
    #expect(
      parseRequest(Array("GET / HTTP/1.0\r\nX: ".utf8) + [0xe9, 0x80, 0xff] + Array("\r\n\r\n".utf8)).head != nil)
  }
}
