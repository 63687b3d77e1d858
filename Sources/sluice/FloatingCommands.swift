internal import Admin
internal import ArgumentParser
internal import Foundation

struct FloatingCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "floating-ip", abstract: "Public addresses that are mapped 1:1 to servers.",
    subcommands: [
      FloatingPools.self, FloatingList.self, FloatingAllocate.self, FloatingAssociate.self, FloatingMove.self,
      FloatingDisassociate.self, FloatingRelease.self,
    ], defaultSubcommand: FloatingList.self)
}

struct FloatingOptions: ParsableArguments {
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func report() async throws -> (FloatingReport, [UInt8]) {
    try await socket.node.get("/v1/floating-ips", as: FloatingReport.self)
  }

  func send(_ verb: FloatingVerb, _ body: FloatingOrderBody) async throws {
    let bytes = [UInt8](try JSONEncoder().encode(body))
    let (done, raw) = try await socket.node.post(
      "/v1/floating-ips/\(verb.rawValue)", body: bytes, as: FloatingReport.Address.self)
    if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
    print(
      verb == .release
        ? "\(done.address) is released" : "\(done.address) is mapped to \(done.fixed ?? "nobody")")
  }
}

struct FloatingPools: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "pools", abstract: "Show the pools of addresses.")
  @OptionGroup var options: FloatingOptions

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await options.report()
      if options.json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      var table = TextTable([
        ("POOL", .left), ("ALLOCATED", .right), ("DEVICE", .left), ("VIP", .left), ("ADDRESSES", .left),
      ])
      for pool in report.pools {
        table.add([
          .init(pool.name), "\(pool.allocated)", .init(pool.device ?? ""), .init(pool.vip ?? ""),
          .init(pool.ranges.joined(separator: ", ")),
        ])
      }
      print(table.render(colours: Terminal.hasColours), terminator: "")
    }
  }
}

struct FloatingList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "Show the allocated addresses.")
  @OptionGroup var options: FloatingOptions

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await options.report()
      if options.json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      for trouble in report.troubles { print("trouble: \(trouble.printable)") }
      var table = TextTable([("ADDRESS", .left), ("POOL", .left), ("MAPPED TO", .left), ("FAILOVER", .left)])
      for entry in report.addresses {
        table.add([
          .init(entry.address), .init(entry.pool), .init(entry.fixed ?? ""), .init(entry.failover ?? ""),
        ])
      }
      print(
        table.isEmpty ? "no address is allocated\n" : table.render(colours: Terminal.hasColours), terminator: "")
    }
  }
}

struct FloatingAllocate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "allocate", abstract: "Take an address from a pool.")
  @Argument(help: "The pool; without it, whichever has room.") var pool: String?
  @Option(help: "This address, instead of the first that is free.") var address: String?
  @OptionGroup var options: FloatingOptions

  func run() async throws {
    try await reportingFailures { try await options.send(.allocate, .init(address: address, pool: pool)) }
  }
}

struct FloatingAssociate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "associate", abstract: "Map an address that is mapped to nobody to a server.")
  @Argument(help: "The floating address.") var address: String
  @Argument(help: "The server's fixed address.") var fixed: String
  @OptionGroup var options: FloatingOptions

  func run() async throws {
    try await reportingFailures { try await options.send(.associate, .init(address: address, fixed: fixed)) }
  }
}

struct FloatingMove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "move", abstract: "Map an address to another server, in one step.")
  @Argument(help: "The floating address.") var address: String
  @Argument(help: "The server's fixed address.") var fixed: String
  @OptionGroup var options: FloatingOptions

  func run() async throws {
    try await reportingFailures { try await options.send(.move, .init(address: address, fixed: fixed)) }
  }
}

struct FloatingDisassociate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "disassociate", abstract: "Map an address to nobody; it stays allocated.")
  @Argument(help: "The floating address.") var address: String
  @OptionGroup var options: FloatingOptions

  func run() async throws {
    try await reportingFailures { try await options.send(.disassociate, .init(address: address)) }
  }
}

struct FloatingRelease: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Give an address that is mapped to nobody back to its pool.")
  @Argument(help: "The floating address.") var address: String
  @OptionGroup var options: FloatingOptions

  func run() async throws {
    try await reportingFailures { try await options.send(.release, .init(address: address)) }
  }
}
