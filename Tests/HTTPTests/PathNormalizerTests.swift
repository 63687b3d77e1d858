import HTTP
import Testing
import Wire

/// The normal form of a path; nil when it is refused.
private func normalize(_ path: String) -> String? {
  var scratch: [UInt8] = []
  let bytes = Array(path.utf8)
  switch PathNormalizer.normalize(bytes.span, into: &scratch) {
  case .normal: return path
  case .rewritten: return String(decoding: scratch, as: UTF8.self)
  case .refused: return nil
  }
}

@Suite struct PathNormalizerTests {
  @Test(arguments: [
    ("/", "/"), ("", "/"), ("/a/b", "/a/b"), ("/a/", "/a/"), ("/%61dmin", "/admin"), ("/%41%7e%2D", "/A~-"),
    ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/admin/../x", "/x"), ("/..", "/"), ("/../../x", "/x"), ("/a/..", "/"),
    ("/a/b/..", "/a/"), ("/a/.", "/a/"), ("/.", "/"), ("/%2e%2e/x", "/x"), ("/a/%2E./b", "/b"), ("//a///b//", "/a/b/"),
    ("/a//../b", "/b"), ("/...", "/..."), ("/.a", "/.a"), ("/a..", "/a.."), ("/..a/b", "/..a/b"), ("/a.b/c", "/a.b/c"),
    ("/%2f", "/%2F"), ("/a%2fb", "/a%2Fb"), ("/%c3%a9", "/%C3%A9"), ("/%20", "/%20"), ("/%252e%252e", "/%252e%252e"),
    ("/a;b=c/d", "/a;b=c/d"), ("/a\\b", "/a\\b"), ("/a%2f.b", "/a%2F.b"), ("/.well-known/x", "/.well-known/x"),
    ("/0123456/.", "/0123456/"), ("/012345//", "/012345/"), ("/0123456/./a", "/0123456/a"),
  ])
  func pathsBecomeTheirNormalForm(path: String, normal: String) {
    #expect(normalize(path) == normal)
    #expect(normalize(normal) == normal, "the normal form is its own")
  }

  @Test(arguments: [
    "/%", "/%4", "/%zz", "/a%2", "/%00", "/a%00b", "a", "*", "/..;/x", "/..;a/x", "/.;/x", "/a/..%2fb", "/a%2f../b",
    "/a%2f..%2fb", "/..%5cb", "/..\\b", "/a\\..\\b", "/a\\..", "/%2e%2e%3bx/", "/%2e%2e%2f", "/a%5C%2e%2e",
    "/a;x%2f../b",
  ])
  func hiddenDotSegmentsAndBadEscapesAreRefused(path: String) {
    #expect(normalize(path) == nil)
  }

  @Test func theShortcutNeverSkipsWork() {
    var random = Random(seed: 17)
    let parts = ["/", ".", "..", "a", "bcd", "%2e", "%41", "\\", ";", "efghijkl"]
    for _ in 0..<5000 {
      let path = "/" + (0..<random.below(10)).map { _ in random.pick(parts) }.joined()
      guard let normal = normalize(path) else { continue }
      let segments = normal.split(separator: "/", omittingEmptySubsequences: false)
      #expect(!segments.contains(".") && !segments.contains("..") && !normal.contains("//"))
      #expect(!normal.contains("%2e") && !normal.contains("%41"))
      #expect(normalize(normal) == normal)
    }
  }
}
