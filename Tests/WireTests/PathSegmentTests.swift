import Testing
import Wire

@Suite struct PathSegmentTests {
  @Test(arguments: ["10.0.0.1:80", "unix:/run/a b.sock", "[::1]:80", "é%2F", "", "~._-"])
  func encodingRoundTripsAndLeavesOneSegment(name: String) {
    let encoded = PathSegment.encode(name)
    #expect(!encoded.contains("/") && !encoded.contains(":") && !encoded.contains("?"))
    #expect(PathSegment.decode(encoded) == name)
  }

  @Test(arguments: ["%", "%2", "%2g", "%ff", "%C3"])
  func whatIsNotEncodedUTF8IsNil(text: String) { #expect(PathSegment.decode(text) == nil) }
}
