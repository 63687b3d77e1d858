internal import Admin
internal import ArgumentParser
internal import Wire

/// What an order to the node is called, where it is sent, and how its answer reads.
protocol OrderWord {
  associatedtype Report: Decodable
  static var configuration: CommandConfiguration { get }
  /// What it is about, for the help; the node itself needs none.
  static var subject: ArgumentHelp { get }
  /// - Parameter subject: whom it is about, fit for a path; empty for the node itself.
  static func path(_ subject: String) -> String
  static func render(_ report: Report) -> String
}

/// An order about the node: `sluice bgp drain`.
struct OrderCommand<Word: OrderWord>: AsyncParsableCommand {
  static var configuration: CommandConfiguration { Word.configuration }
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws { try await reportingFailures { try await Word.send("", socket, json) } }
}

/// An order about one thing of it: `sluice rollout pause web`.
struct SubjectOrderCommand<Word: OrderWord>: AsyncParsableCommand {
  static var configuration: CommandConfiguration { Word.configuration }
  @Argument(help: Word.subject) var name: String
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures { try await Word.send(PathSegment.encode(name), socket, json) }
  }
}

extension OrderWord {
  static var subject: ArgumentHelp { "" }

  fileprivate static func send(_ subject: String, _ socket: SocketOption, _ json: Bool) async throws {
    let (report, raw) = try await socket.node.post(path(subject), as: Report.self)
    print(json ? String(decoding: raw, as: UTF8.self) : render(report), terminator: "")
  }
}
