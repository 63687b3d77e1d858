internal import Admin
internal import ArgumentParser
internal import Foundation
internal import Wire

struct CanaryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "canary",
    abstract: "Move clients to backends of another version, step by step, while it does no worse than the others.",
    discussion: """
      Backends are told apart by `version` in the configuration. At every look, errors and latencies of the canary are \
      compared with those of the other backends at the same time; a canary that is worse goes back to 0% by itself. \
      `sluice rollout show POOL` prints the evidence, also afterwards.
      """)

  @Argument(help: "The pool.") var pool: String
  @Argument(help: "The version, as backends of the pool carry it.") var version: String
  @Option(help: "Shares of the clients in percent, comma-separated (default: 1,5,25,50,100).") var steps: String?
  @OptionGroup var options: CanaryOptions

  func validate() throws {
    if steps?.split(separator: ",").contains(where: { Int($0) == nil }) == true {
      throw ValidationError("The steps must be whole percents such as 1,5,25,50,100.")
    }
  }

  func run() async throws {
    try await reportingFailures {
      try await options.begin(pool, version, steps: steps?.split(separator: ",").compactMap { Int($0) })
    }
  }
}

struct SwitchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "switch", abstract: "Move all clients to backends of another version at once (blue/green).",
    discussion: """
      It is held and watched like a canary's last step, and `sluice rollout rollback` switches back, then or later. \
      With no other version to compare with, --most-errors says what ends it.
      """)

  @Argument(help: "The pool.") var pool: String
  @Argument(help: "The version, as backends of the pool carry it.") var version: String
  @OptionGroup var options: CanaryOptions

  func run() async throws { try await reportingFailures { try await options.begin(pool, version, steps: [100]) } }
}

/// What a canary and a switch share.
struct CanaryOptions: ParsableArguments {
  @Option(
    help: "Before the first step, copies of so many percent of the requests; their answers are judged and thrown away.")
  var mirror: Double?
  @Option(help: ArgumentHelp("On each step, at least (default: 60).", valueName: "time")) var hold: Seconds?
  @Option(help: "Answers of the new version on each step, at least (default: 500).") var samples: Int?
  @Option(help: ArgumentHelp("Without enough answers for this it pauses (default: 3600).", valueName: "time"))
  var patience: Seconds?
  @Option(help: "The greatest chance that a version that is not worse is stopped, in percent (default: 1).")
  var falseAlarms: Double?
  @Option(help: "More errors than this, in percent of a step's answers, end it whatever the other versions do.")
  var mostErrors: Double?
  @Option(help: "Requests that one backend can carry at once: a step that needs more backends than are up waits.")
  var capacity: Int?
  @Option(help: "Requests a second that one backend can answer, likewise.") var rate: Int?
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func begin(_ pool: String, _ version: String, steps: [Int]?) async throws {
    var request = CanaryRequest(pool: pool, version: version)
    request.steps = steps
    request.mirror = mirror.map { $0 / 100 }
    (request.hold, request.samples, request.patience) = (hold?.count, samples, patience?.count)
    (request.capacity, request.rate) = (capacity, rate)
    (request.falseAlarms, request.mostErrors) = (falseAlarms.map { $0 / 100 }, mostErrors.map { $0 / 100 })
    let body = Array(try JSONEncoder().encode(request))
    let (report, raw) = try await socket.node.post("/v1/rollouts/canary", body: body, as: RolloutReport.self)
    if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
    print(RolloutText.render(report, colours: Terminal.hasColours), terminator: "")
  }
}

struct RolloutShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show a pool's rollout with its evidence, also when it is over.")

  @Argument(help: "The pool.") var pool: String
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await socket.node.get(
        "/v1/rollouts/\(PathSegment.encode(pool))", as: RolloutReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print(RolloutText.render(report, colours: Terminal.hasColours, isWhole: true), terminator: "")
    }
  }
}
