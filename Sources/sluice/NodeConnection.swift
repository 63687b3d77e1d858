internal import Admin
internal import ArgumentParser
internal import Foundation

/// Where the running node is.
struct SocketOption: ParsableArguments {
  static let standard = "/run/sluice/admin.sock"

  @Option(help: "The node's admin socket (default: $SLUICE_SOCKET, else \(standard)).")
  var socket: String?

  var path: String { socket ?? ProcessInfo.processInfo.environment["SLUICE_SOCKET"] ?? SocketOption.standard }

  var node: NodeConnection { NodeConnection(client: AdminClient(socket: path)) }
}

/// The running node, with its refusals and silences turned into words.
struct NodeConnection {
  let client: AdminClient

  func get<Report: Decodable>(_ path: String, as: Report.Type) async throws -> (Report, [UInt8]) {
    try decode(try await asking { () async throws(AdminClient.Failure) in try await client.get(path) })
  }

  func post<Report: Decodable>(_ path: String, body: [UInt8] = [], as: Report.Type) async throws -> (Report, [UInt8]) {
    try decode(try await asking { () async throws(AdminClient.Failure) in try await client.post(path, body: body) })
  }

  func put<Report: Decodable>(_ path: String, body: [UInt8], as: Report.Type) async throws -> (Report, [UInt8]) {
    try decode(try await asking { () async throws(AdminClient.Failure) in try await client.put(path, body: body) })
  }

  private func asking(
    _ exchange: () async throws(AdminClient.Failure) -> AdminClient.Answer
  ) async throws(Failure) -> AdminClient.Answer {
    do {
      return try await exchange()
    } catch {
      throw Failure(error, socket: client.socket)
    }
  }

  private func decode<Report: Decodable>(_ answer: AdminClient.Answer) throws(Failure) -> (Report, [UInt8]) {
    let decoder = JSONDecoder()
    guard (200..<300).contains(answer.status) else {
      guard let report = try? decoder.decode(ErrorReport.self, from: Data(answer.body)) else {
        throw Failure(
          "the node answered with status \(answer.status)", hint: "is it of this version (\(Version.text))?")
      }
      let details = (report.diagnostics ?? []).map { "\n\($0)" }.joined()
      throw Failure(report.error + details, hint: report.hint, code: report.diagnostics == nil ? .failed : .badConfig)
    }
    guard let report = try? decoder.decode(Report.self, from: Data(answer.body)) else {
      throw Failure("the node's answer is not understood", hint: "is it of this version (\(Version.text))?")
    }
    return (report, answer.body)
  }
}

extension Failure {
  init(_ failure: AdminClient.Failure, socket: String) {
    let elsewhere = "or name its socket with --socket or SLUICE_SOCKET"
    switch failure {
    case .absent:
      self.init(
        "no node answers at \(socket): there is no such socket", hint: "is `sluice run` running? start it, \(elsewhere)"
      )
    case .refused:
      self.init(
        "no node answers at \(socket): it was left behind by one that died",
        hint: "start `sluice run` again, \(elsewhere)")
    case .notPermitted:
      self.init("no permission for \(socket)", hint: "use sudo, or join the group that owns the socket")
    case .timedOut:
      self.init(
        "the node at \(socket) does not answer in time",
        hint: "it may be overloaded or stopped: try again, then look at its log")
    case .broken(let reason):
      self.init(
        "the connection to \(socket) broke: \(reason)",
        hint: "is it a sluice node's socket, and does the node still run?")
    case .tooLarge:
      self.init(
        "the node's answer is too large",
        hint: "ask the API directly: curl --unix-socket \(socket) http://sluice/v1/status")
    }
  }
}
