internal import Admin
internal import ArgumentParser
internal import Foundation

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show listeners, pools and backends with their health and load.")

  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await socket.node.get("/v1/status", as: StatusReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print(StatusText.render(report, colours: Terminal.hasColours), terminator: "")
    }
  }
}

struct ReloadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload", abstract: "Let the node read its file again and take it over, whole or not at all.")

  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await socket.node.post("/v1/reload", as: ChangeReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print("generation \(report.generation) is in force")
      for change in report.changes { print("  \(change)") }
      if report.changes.isEmpty { print("  nothing changed") }
    }
  }
}

struct EventsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "events", abstract: "Show what happened, oldest first.")

  @OptionGroup var socket: SocketOption
  @Option(help: "Only events with a greater number.") var after: UInt64 = 0
  @Flag(name: .shortAndLong, help: "Go on with what happens next.") var follow = false
  @Flag(help: "Print one JSON object per event.") var json = false

  func run() async throws {
    try await reportingFailures {
      var after = after
      repeat {
        let (report, _) = try await socket.node.get("/v1/events?after=\(after)", as: EventsReport.self)
        for event in report.events { Terminal.printNow(json ? try encoded(event) : text(event)) }
        after = report.next
        if follow { try await Task.sleep(for: .seconds(1)) }
      } while follow
    }
  }

  private func text(_ event: EventsReport.Event) -> String {
    let subject = event.subject.isEmpty ? "" : "\(event.subject)  "
    let cause = event.cause.map { "  ← #\($0)" } ?? ""
    return "\(event.time)  #\(event.id)  \(event.kind.padding(to: 9))  \(subject)\(event.message.printable)\(cause)"
  }

  private func encoded(_ event: EventsReport.Event) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(event), as: UTF8.self)
  }
}
