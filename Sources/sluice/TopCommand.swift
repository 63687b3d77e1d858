internal import Admin
internal import ArgumentParser
internal import Foundation
internal import Kernel

struct TopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top", abstract: "Show live rates and latencies, once a second, until interrupted.")

  @OptionGroup var socket: SocketOption
  @Option(
    name: .shortAndLong,
    help: "What backends are sorted by: \(TopText.Order.allCases.map(\.rawValue).joined(separator: ", ")).")
  var sort = TopText.Order.rate
  @Option(name: .shortAndLong, help: "Seconds between two pictures.") var interval = 1.0
  @Option(name: .shortAndLong, help: "End after so many pictures (0: never).") var count = 0

  func validate() throws {
    guard (0.1...3_600).contains(interval) else { throw ValidationError("the interval must be 0.1 to 3600 seconds") }
  }

  func run() async throws {
    try await reportingFailures {
      var last = try await picture()
      var shown = 0
      repeat {
        try await Task.sleep(for: .seconds(interval))
        let next = try await picture()
        let text = TopText.render(next.report, since: last.report, seconds: next.time - last.time, sort: sort)
        Terminal.printNow(Terminal.hasColours ? picture(text) : text)
        last = next
        shown += 1
      } while count == 0 || shown < count
    }
  }

  /// Home, the picture, and what is left of an older one away: no flicker. Lines that are too long are cut, not broken.
  private func picture(_ text: String) -> String {
    let lines = System.terminalLines(STDOUT_FILENO) ?? .max
    return "\u{1b}[H\u{1b}[2J\u{1b}[?7l" + TopText.fit(text, lines: lines - 1) + "\u{1b}[?7h"
  }

  private func picture() async throws -> (report: StatusReport, time: Double) {
    let (report, _) = try await socket.node.get("/v1/status", as: StatusReport.self)
    return (report, report.uptimeSeconds)
  }
}

extension TopText.Order: ExpressibleByArgument {}
