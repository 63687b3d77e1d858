internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle

/// The one thread that the API's server and client run on, for the life of the process.
enum Loop {
  static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}

/// Serves the API on a Unix socket and, by choice, on a loopback port; and metrics alone on a port for scrapers.
package struct AdminServer: Sendable {
  package struct Port: Hashable, Sendable {
    package var host: String
    package var port: Int
    package var token: String
    /// For looking only.
    package var readToken: String?

    package init(host: String, port: Int, token: String, readToken: String? = nil) {
      self.readToken = readToken
      self.host = host
      self.port = port
      self.token = token
    }
  }

  /// Where metrics are served to whoever asks.
  package struct Scrape: Hashable, Sendable {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
      self.host = host
      self.port = port
    }
  }

  /// A process that has served the API until now, and another that goes on with it.
  package struct TakeOver: Sendable {
    /// Called when everything that may fail has been done; returns when the other has closed its ports.
    package var release: @Sendable () async throws -> Void
    /// Puts a file in another's place.
    package var rename: @Sendable (_ from: String, _ to: String) throws -> Void

    package init(
      release: @escaping @Sendable () async throws -> Void, rename: @escaping @Sendable (String, String) throws -> Void
    ) {
      self.release = release
      self.rename = rename
    }
  }

  private let socket: String
  private let service: Running
  private let ports: [Running]

  private struct Running: Sendable {
    let group: ServiceGroup
    let task: Task<Void, any Error>

    /// Requests under way may end; after `patience` they are cut.
    func stop(patience: Duration = .seconds(1)) async {
      await group.triggerGracefulShutdown()
      let end = Task {
        try await Task.sleep(for: patience)
        task.cancel()
      }
      _ = await task.result
      end.cancel()
    }
  }

  /// Returns when the API answers on all its addresses.
  /// - Throws: `Failure`, with nothing left behind, when one of them cannot be had.
  package static func start(
    socket: String, port: Port?, scrape: Scrape? = nil, operations: some AdminOperations, logger: Logger,
    takeOver: TakeOver? = nil
  ) async throws(Failure) -> AdminServer {
    let file = SocketFile(path: socket)
    try await file.prepare(isTakeOver: takeOver != nil)
    var services: [Running] = []
    var place = socket
    do {
      services.append(
        try await serve(
          .unixDomainSocket(path: file.draft), AdminRouter.build(operations, rule: .fileSystem), logger))
      try await takeOver?.release()
      try file.publish(rename: takeOver?.rename)
      let patience: Duration = takeOver == nil ? .zero : .seconds(5)
      if let port {
        place = "\(port.host):\(port.port)"
        services.append(
          try await serve(
            .hostname(port.host, port: port.port),
            AdminRouter.build(operations, rule: .token(operator: port.token, reader: port.readToken)), logger,
            patience: patience))
      }
      if let scrape {
        place = "\(scrape.host):\(scrape.port)"
        services.append(
          try await serve(
            .hostname(scrape.host, port: scrape.port), AdminRouter.metricsOnly(operations), logger, patience: patience))
      }
    } catch {
      for service in services { await service.stop() }
      file.remove(isPublished: takeOver == nil)
      if let failure = error as? Failure { throw failure }
      throw Failure(
        message: "the admin API cannot listen on \(place): \(error)", hint: "is the address free and allowed?")
    }
    return AdminServer(socket: socket, service: services[0], ports: Array(services.dropFirst()))
  }

  /// Ends all connections, and removes the socket file.
  /// - Parameter isTakenOver: the file is another process's now.
  package func stop(isTakenOver: Bool = false) async {
    if !isTakenOver { SocketFile(path: socket).remove() }
    for service in [service] + ports { await service.stop() }
  }

  /// Closes all but the Unix socket, for a process that is about to take them over.
  package func stopPorts() async { for port in ports { await port.stop() } }

  /// Tries again for as long as `patience`: whoever had the address is leaving.
  private static func serve(
    _ address: BindAddress, _ router: Router<BasicRequestContext>, _ logger: Logger, patience: Duration
  ) async throws -> Running {
    let deadline = ContinuousClock.now + patience
    while true {
      do {
        return try await serve(address, router, logger)
      } catch {
        guard ContinuousClock.now < deadline else { throw error }
        try await Task.sleep(for: .milliseconds(20))
      }
    }
  }

  private static func serve(
    _ address: BindAddress, _ router: Router<BasicRequestContext>, _ logger: Logger
  ) async throws -> Running {
    let (running, signal) = AsyncThrowingStream<Void, any Error>.makeStream()
    let limits = HTTP1Channel.Configuration.DecoderConfiguration(
      maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)
    let application = Application(
      router: router,
      server: .http1(
        configuration: .init(
          additionalChannelHandlers: [Patience()], idleTimeout: .seconds(30), httpDecoderConfiguration: limits)),
      configuration: .init(
        address: address, availableConnectionsDelegate: MaximumAvailableConnections(256, logger: logger)),
      onServerRunning: { _ in signal.yield() },
      eventLoopGroupProvider: .shared(Loop.group),
      logger: logger)
    let group = ServiceGroup(configuration: .init(services: [application], logger: logger))
    let task = Task {
      do {
        try await group.run()
        signal.finish()
      } catch {
        signal.finish(throwing: error)
        throw error
      }
    }
    for try await _ in running { return Running(group: group, task: task) }
    throw Failure(message: "the admin API stopped while it started", hint: "start again")
  }
}

extension AdminServer {
  /// Why the API cannot be served.
  package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    package var message: String
    package var hint: String

    package var description: String { "\(message); \(hint)" }
  }
}
