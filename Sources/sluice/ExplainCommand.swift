internal import Admin
internal import ArgumentParser
internal import Foundation
internal import Wire

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Say what the node would do with a request, or did with a sampled one, and why.",
    discussion: """
      The running node's own code decides, on what it knows now; nothing is sent.
        sluice explain GET https://shop.example.com/api/x -H 'Cookie: a=1' --from 203.0.113.7
        sluice explain --recent
        sluice explain --request 4bf92f3577b34da6a3ce929d0e0e4736
      """)

  @Argument(help: "The method, such as GET.") var method: String?
  @Argument(help: "The URL. Its port, or its scheme, says which listener is meant.") var url: String?
  @Option(name: .customShort("H"), help: "A header field, \"Name: value\"; may be repeated.") var header: [String] = []
  @Option(help: "The client's address (default: 127.0.0.1).") var from: String?
  @Option(help: "The listener, where the URL leaves a doubt.") var listener: String?
  @Option(help: "A sampled request instead, by its trace id or its request id.") var request: String?
  @Flag(help: "List the sampled requests that are kept.") var recent = false
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func validate() throws {
    let ways = [request != nil, recent, method != nil].count { $0 }
    guard ways == 1, method == nil || url != nil else {
      throw ValidationError("Give a method and a URL, or --request with an id, or --recent.")
    }
  }

  func run() async throws {
    try await reportingFailures {
      if let request {
        let (report, raw) = try await socket.node.get(
          "/v1/samples/\(PathSegment.encode(request))", as: SamplesReport.self)
        show(raw) { ExplainText.render(report.samples, colours: $0) }
      } else if recent {
        let (report, raw) = try await socket.node.get("/v1/samples", as: SamplesReport.self)
        show(raw) { ExplainText.list(report, colours: $0) }
      } else {
        var asked = ExplainRequest(method: method ?? "", url: url ?? "")
        (asked.headers, asked.from, asked.listener) = (header, from, listener)
        let (report, raw) = try await socket.node.post(
          "/v1/explain", body: Array(try JSONEncoder().encode(asked)), as: ExplainReport.self)
        show(raw) { ExplainText.render(report, colours: $0) }
      }
    }
  }

  private func show(_ raw: [UInt8], _ text: (_ colours: Bool) -> String) {
    print(json ? String(decoding: raw, as: UTF8.self) : text(Terminal.hasColours), terminator: "")
  }
}
