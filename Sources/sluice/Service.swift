internal import Admin
internal import Foundation
internal import Logging
internal import Model
internal import Node
internal import UnixSignals

/// A node from its start to its end: what `run` and `demo` share.
struct Service {
  let config: ConfigFile
  /// Instead of the configured one.
  var socket: String?
  /// Printed after the node serves.
  var greeting: @Sendable (Topology) -> String? = { _ in nil }

  func run() async throws {
    // First of all, so that no signal finds the default action.
    let signals = await UnixSignalsSequence(trapping: .sighup, .sigterm, .sigint, .sigusr1, .sigpipe)
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "sluice")
    logger.logLevel = .warning

    let topology = try config.load()
    let node = try Node(version: Version.text) { post in try Drivers.open(topology, post: post) }
    let operations = Operations(node: node, config: config)
    let socket = socket ?? topology.admin.socket
    let admin: AdminServer
    do {
      admin = try await AdminServer.start(
        socket: socket, port: AdminServer.Port(topology.admin),
        scrape: topology.admin.metrics.map { AdminServer.Scrape(host: "\($0.address)", port: Int($0.port)) },
        operations: operations, logger: logger)
    } catch {
      throw Failure(error.message, hint: error.hint)
    }

    let inbox = Task { await node.run() }
    let remembering = Task { await operations.remember() }
    let exporting = Task { await operations.exporter.run() }
    let (ends, end) = AsyncStream<String>.makeStream()
    let listening = Task { await Service.heed(signals, operations) { end.yield($0) } }
    await node.begin(topology)
    do {
      try await node.settled()
    } catch {
      await admin.stop()
      node.ports.bgp.stop(.shutdown("sluice cannot serve"))
      node.ports.stopProbes()
      node.ports.stopPeers()
      throw Failure("cannot serve: \(error)", hint: "is the address free, and may this user have it?")
    }
    if await node.phase == .serving {
      Terminal.printError("sluice: serving \(Service.addresses(topology)); admin at \(socket)")
      if let greeting = greeting(topology) { Terminal.printNow(greeting) }
    }
    let watching = Task { await MaterialWatch(node: node).run() }
    for await name in ends {
      Terminal.printError("sluice: \(name): draining; a second signal ends at once")
      break
    }
    await operations.rolloutDriver.stop()
    await node.drained(within: await node.snapshot().topology.drainTimeout)
    node.ports.bgp.stop(await node.farewell)
    node.ports.stopPeers()
    node.ports.stopDataPlane()
    await admin.stop()
    await node.ports.store.settle()
    listening.cancel()
    remembering.cancel()
    exporting.cancel()
    watching.cancel()
    inbox.cancel()
    Terminal.printError("sluice: stopped")
  }

  /// Acts on signals. The first that asks for the end is told to `end`; the second ends the process.
  private static func heed(
    _ signals: UnixSignalsSequence, _ operations: Operations, end: @escaping @Sendable (String) -> Void
  ) async {
    var isEnding = false
    for await signal in signals {
      switch signal {
      case .sighup: await reload(operations)
      case .sigusr1: operations.node.ports.reopenLogs()
      case .sigterm, .sigint:
        if isEnding {
          let open = operations.node.ports.openConnections()
          Terminal.printError("sluice: \(signal): ending now, \(StatusText.count(open, "connection")) cut")
          exit(0)
        }
        isEnding = true
        // Beside this loop, which must hear a second signal.
        Task {
          await operations.node.leave()
          await operations.node.drain()
          end(signal.description)
        }
      // SIGPIPE: a peer that is gone is seen where it was written to.
      default: break
      }
    }
  }

  private static func reload(_ operations: Operations) async {
    do {
      let report = try await operations.reloading()
      let changes = report.changes.isEmpty ? "nothing changed" : report.changes.joined(separator: "; ")
      Terminal.printError("sluice: reloaded, generation \(report.generation): \(changes)")
    } catch {
      Terminal.printError("sluice: reload refused, the old configuration stays: \(error.message)")
    }
  }

  private static func addresses(_ topology: Topology) -> String {
    var list = topology.listeners.map { listener in
      "\(listener.name) (\(listener.transport.rawValue)) on "
        + listener.binds.map { "\($0.address)" }.joined(separator: ", ")
    }
    if let names = topology.names {
      list.append("dns on " + names.binds.map { "\(SocketAddress.ip($0))" }.joined(separator: ", "))
    }
    return list.joined(separator: "; ")
  }
}

extension AdminServer.Port {
  init?(_ admin: AdminEndpoints) {
    guard let bind = admin.bind, let token = admin.token else { return nil }
    self.init(host: "\(bind.address)", port: Int(bind.port), token: token, readToken: admin.readToken)
  }
}
