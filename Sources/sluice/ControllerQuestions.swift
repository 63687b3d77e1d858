internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Octavia

/// Where the controller is, and what it wants to see.
struct ControllerOptions: ParsableArguments {
  @Option(help: "The controller's address.") var url = "http://127.0.0.1:9876"
  @Option(help: "A token of Keystone, where the controller wants one; else $OS_TOKEN.") var token: String?

  func asking<Value>(_ body: (ControllerPlace) async throws -> Value) async throws -> Value {
    let place = ControllerPlace(url: url, token: token ?? ProcessInfo.processInfo.environment["OS_TOKEN"])
    do {
      return try await body(place)
    } catch {
      // One that was answered is at the right place.
      let isSilent = (error as? StepFailure)?.isPassing ?? true
      throw Failure("\(error)", hint: isSilent ? "is the controller at \(url)?" : nil)
    }
  }

  func show(_ columns: [String], json: Bool, _ list: ControllerPlace.List) async throws {
    let answer = try await asking { try await $0.list(list) }
    if json { return print(answer.json) }
    var table = TextTable(columns.map { ($0, .left) })
    for row in answer.rows { table.add(row.map { .init($0) }) }
    print(table.render(colours: Terminal.hasColours), terminator: "")
  }
}

struct ControllerExplain: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Tell why a load balancer has its status, and what runs now.")

  @Argument(help: "The load balancer's name or identifier.") var loadBalancer: String
  @OptionGroup var options: ControllerOptions
  @Flag(help: "Print JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let text = try await options.asking { try await ExplanationText.fetch(loadBalancer, $0) }
      print(json ? text.json : text.lines.joined(separator: "\n"))
    }
  }
}

struct ControllerHosts: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hosts", abstract: "Show the existing hosts of compute: static, and who has them.")
  @OptionGroup var options: ControllerOptions
  @Flag(help: "Print JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      try await options.show(["HOST", "STATE", "AMPHORA, OR WHY NOT"], json: json, .hosts)
    }
  }
}

struct ControllerIssue: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "issue",
    abstract: "Write the certificate, key and file that an existing host needs to lend itself to amphorae.",
    discussion: """
      Bring the folder to the host, as the directory that the controller's file says, and run there:
      sluice amphora --host DIRECTORY/host.yaml
      """)

  @Argument(help: "The controller's settings, in YAML.") var file: String
  @Argument(help: "The host's name in it.") var host: String
  @Option(help: "The folder to write; it must not hold any of the files.") var output: String?

  func run() async throws {
    try await reportingFailures {
      let settings = try OctaviaFiles.read(file) { try Settings(file: file, text: $0) }
      let folder = output ?? host
      let manager = FileManager.default
      for name in ["server.pem", "client-ca.pem", "host.yaml"] where manager.fileExists(atPath: "\(folder)/\(name)") {
        throw Failure("\(folder)/\(name) is there already", hint: "choose another folder with --output")
      }
      let files: [(file: String, text: String)]
      do {
        files = try await Controller(settings: settings, binary: OctaviaFiles.binary, logger: .init(label: "sluice"))
          .issue(host: host)
      } catch { throw Failure("\(error)", hint: "hosts: in \(file) must name it") }
      try manager.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      for (name, text) in files {
        guard
          manager.createFile(
            atPath: "\(folder)/\(name)", contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        else { throw Failure("\(folder)/\(name) cannot be written") }
      }
      print("\(folder): bring it to \(host), and run there: sluice amphora --host …/host.yaml")
    }
  }
}

struct ControllerFloating: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "floating-ip", abstract: "Floating addresses of load balancers.",
    subcommands: [List.self, Associate.self, Disassociate.self], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show which load balancer has which address.")
    @OptionGroup var options: ControllerOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
      try await reportingFailures {
        try await options.show(["ADDRESS", "VIP", "LOAD BALANCER", "TROUBLE"], json: json, .floatingAddresses)
      }
    }
  }

  struct Associate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Map a floating address to a load balancer's VIP.")
    @Argument(help: "The load balancer's name or identifier.") var loadBalancer: String
    @Argument(help: "The address; without it, the first that is free.") var address: String?
    @Option(help: "The pool to take it from.") var pool: String?
    @OptionGroup var options: ControllerOptions

    func run() async throws {
      try await reportingFailures {
        let done = try await options.asking { try await $0.associate(loadBalancer, address: address, pool: pool) }
        print("\(done) is mapped to \(loadBalancer)")
      }
    }
  }

  struct Disassociate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Give a load balancer's floating address back.")
    @Argument(help: "The load balancer's name or identifier.") var loadBalancer: String
    @OptionGroup var options: ControllerOptions

    func run() async throws {
      try await reportingFailures {
        try await options.asking { try await $0.disassociate(loadBalancer) }
        print("\(loadBalancer) has no floating address any more")
      }
    }
  }
}
