internal import ArgumentParser
internal import Foundation
internal import Model

struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Serve three built-in backends, to try Sluice without writing a file.")

  @Option(help: "Where to listen, on 127.0.0.1.") var port: UInt16 = 8080
  @Option(help: "The admin socket (default: one of this user's below /tmp).") var socket: String?

  func validate() throws {
    if port == 0 { throw ValidationError("The port must be 1 to 65535.") }
  }

  func run() async throws {
    try await reportingFailures {
      let socket = socket ?? "/tmp/sluice-demo-\(getuid())/admin.sock"
      var topology = try Demo.topology(port: port, socket: socket)
      try await Demo.startBackends(&topology)
      let ready = topology
      let service = Service(
        config: ConfigFile(source: .embedded({ () throws(Failure) in ready })),
        greeting: { _ in DemoCommand.greeting(port: port, socket: socket) })
      try await service.run()
    }
  }

  static func greeting(port: UInt16, socket: String) -> String {
    """

    Sluice serves http://127.0.0.1:\(port)/ from three backends: one, two and slow.

    Try, in another terminal:
      curl http://127.0.0.1:\(port)/                    # again and again: each answer names its backend
      export SLUICE_SOCKET=\(socket)
      sluice status                                  # health, weights, load
      sluice drain web/one                           # no new requests go there
      sluice ready web/one
      sluice weight web/slow 10
      sluice events

    Ctrl-C stops it.
    """
  }
}
