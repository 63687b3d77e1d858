import Admin
import Testing

@testable import sluice

@Suite struct TextTableTests {
  @Test func columnsAreAsWideAsTheirWidestCell() {
    var table = TextTable([("NAME", .left), ("N", .right), ("WHY", .left)])
    table.add(["a", "1", "short"])
    table.add(["longer", "1000", ""])
    #expect(
      table.render(colours: false) == """
        NAME       N  WHY
        a          1  short
        longer  1000

        """)
  }

  @Test func coloursDoNotMoveColumns() {
    var table = TextTable([("A", .left), ("B", .left)])
    table.add([.init("down", .red), "x"])
    let plain = table.render(colours: false)
    let coloured = table.render(colours: true)
    #expect(coloured.contains("\u{1b}[31mdown\u{1b}[0m  x"))
    #expect(coloured.replacing(/\u{1b}\[[0-9]+m/, with: "") == plain)
  }

  @Test func whatAPeerSaysCannotMoveTheCursor() {
    var table = TextTable([("A", .left)])
    table.add([.init("\u{1b}[2Jx\ny\u{7f}")])
    #expect(table.render(colours: false) == "A\n [2Jx y\n")
  }

  @Test func aRowMayBeShorterThanTheTable() {
    var table = TextTable([("A", .left), ("B", .left)])
    table.add(["x"])
    #expect(table.render(colours: true).hasSuffix("x\n"))
  }
}

@Suite struct StatusTextTests {
  @Test(
    arguments: [
      (0, "0s"), (59.9, "59s"), (60, "1m00s"), (3_599, "59m59s"), (3_720, "1h02m"), (86_400 * 3 + 3_600 * 4, "3d4h"),
      (-1, "0s"),
      (.infinity, "11574074d1h"),
    ] as [(Double, String)])
  func durationsShowTheirTwoLargestUnits(seconds: Double, text: String) {
    #expect(StatusText.duration(seconds) == text)
  }

  @Test(
    arguments: [
      (0, "0"), (999, "999"), (1_000, "1.0K"), (1_536, "1.5K"), (10 << 10, "10K"), (20 << 20, "20M"),
      (UInt64.max, "16384P"),
    ] as [(UInt64, String)])
  func bytesHaveABinaryUnit(number: UInt64, text: String) { #expect(StatusText.bytes(number) == text) }

  @Test func aBackendsLineSaysWhatIsInEffect() {
    var backend = BackendReport(
      name: "b1", address: "10.0.0.1:80", state: "drain", verdict: "up", reason: "probe succeeded", sinceSeconds: 61,
      weight: 100, effectiveWeight: 0, priority: 0)
    backend.inFlight = 3
    let report = StatusReport(
      phase: .serving, generation: 2, uptimeSeconds: 5, version: "1", workers: 1,
      listeners: [ListenerReport(name: "web", protocol: "http", binds: ["127.0.0.1:80", "[::1]:80"])],
      pools: [PoolReport(name: "p", policy: "p2c", backends: [backend])])
    let lines = StatusText.render(report, colours: false).split(separator: "\n").map(String.init)
    #expect(lines[0] == "sluice 1  serving  generation 2  up 5s  1 worker")
    #expect(lines[2].hasPrefix("web") && lines[2].hasSuffix("127.0.0.1:80, [::1]:80"))
    #expect(lines.contains("pool p  p2c"))
    #expect(
      lines.last?.split(separator: " ").map(String.init)
        == "b1 drain up 1m01s 0 of 100 3 0 0 0 0 probe succeeded".split(separator: " ").map(String.init))
  }
}

@Suite struct TopTextTests {
  @Test(arguments: [(5, "a\nb\n\nc"), (4, "a\nb\n\nc"), (3, "a\nb\n… 2 more lines"), (1, "a\nb\n\nc")])
  func aPictureIsAsLongAsTheTerminal(lines: Int, shown: String) {
    #expect(TopText.fit("a\nb\n\nc\n", lines: lines) == shown)
  }
}
