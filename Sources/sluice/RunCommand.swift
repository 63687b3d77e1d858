internal import ArgumentParser

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Serve what a file says.",
    discussion: """
      SIGHUP reads the file again, SIGUSR1 opens the access log again, SIGUSR2 starts the binary anew and hands over \
      to it. SIGTERM and SIGINT stop: no new connections, \
      open ones may end until drain-timeout; a second one ends now.
      """)

  @Argument(help: "The configuration, in YAML.") var file: String
  @Option(help: "Where to write this process's number, while it serves.") var pidFile: String?
  @Option(help: "The admin socket, instead of the file's admin.socket.") var socket: String?

  func run() async throws {
    try await reportingFailures {
      try await Service(config: ConfigFile(source: .path(file)), socket: socket, pidFile: pidFile).run()
    }
  }
}
