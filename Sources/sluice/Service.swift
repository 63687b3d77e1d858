internal import Admin
internal import Foundation
internal import Kernel
internal import Logging
internal import Model
internal import Node
internal import Telemetry
internal import UnixSignals

/// A node from its start to its end: what `run` and `demo` share.
struct Service {
  let config: ConfigFile
  /// Instead of the configured one.
  var socket: String?
  var pidFile: String?
  /// Printed after the node serves.
  var greeting: @Sendable (Topology) -> String? = { _ in nil }

  /// Why a process ends.
  private enum End: Sendable {
    case signal(String)
    case successor(Successor)
  }

  func run() async throws {
    // First of all, so that no signal finds the default action.
    let signals = await UnixSignalsSequence(trapping: .sighup, .sigterm, .sigint, .sigusr1, .sigusr2, .sigpipe)
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    let predecessor = try Predecessor.find()
    do {
      try await serve(signals, predecessor)
    } catch {
      predecessor?.fail((error as? Failure)?.message ?? "\(error)")
      throw error
    }
  }

  private func serve(_ signals: UnixSignalsSequence, _ predecessor: Predecessor?) async throws {
    let applied = predecessor?.state?.configuration
    let topology = try applied.map { (applied) throws(Failure) in try config.load(applied) } ?? config.load()
    let estate = Estate(predecessor)
    let node = try Node(version: Version.text) { post in try Drivers.open(topology, estate, post: post) }
    let (ends, end) = AsyncStream<End>.makeStream()
    let upgrade = Upgrade(node, estate, config) { end.yield(.successor($0)) }
    let operations = Operations(
      node: node, config: config, trial: Trial(node, applied: applied), upgrade: upgrade)
    let socket = socket ?? topology.admin.socket
    // A process that takes over has the API when it serves; another one shows how it starts.
    let early = predecessor == nil ? try await openAPI(topology, socket, operations) : nil
    await node.recall(predecessor)
    if let loss = predecessor?.loss { await node.note(.upgrade, loss) }

    let inbox = Task { await node.run() }
    let remembering = Task { await operations.remember() }
    let exporting = Task { await operations.exporter.run() }
    let drifting = Task { await operations.driftDriver.run() }
    let listening = Task { await Service.heed(signals, operations) { end.yield(.signal($0)) } }
    await node.divide(await operations.rolloutDriver.restore(topology))
    await node.begin(topology)
    do {
      try await node.settled()
    } catch {
      await early?.stop()
      node.ports.bgp.stop(.shutdown("sluice cannot serve"))
      node.ports.stopProbes()
      node.ports.stopPeers()
      throw Failure(
        "cannot serve: \(error)", hint: "is it an address of this machine, and free, and may this user have it?")
    }
    estate.remember()
    let admin: AdminServer
    if let early {
      admin = early
    } else {
      admin = try await openAPI(topology, socket, operations, after: predecessor.map { ($0, estate) })
    }
    await upgrade.onRelease { await admin.stopPorts() }
    predecessor?.serve()
    predecessor?.follow(estate)
    for address in estate.inherited.closeRest() {
      Terminal.printError("sluice: \(address) is not served any more")
    }
    let presence = Presence(pidFile: pidFile)
    if await node.phase == .serving {
      presence.begin()
      Terminal.printError("sluice: serving \(Service.addresses(topology)); admin at \(socket)")
      if let greeting = greeting(topology) { Terminal.printNow(greeting) }
    }
    await operations.rolloutDriver.resume()
    let watching = Task { await MaterialWatch(node: node).run() }
    let living = Task { await presence.keepAlive(node, estate) }
    var successor: Successor?
    for await reason in ends {
      switch reason {
      case .signal(let name):
        presence.say("STOPPING=1")
        Terminal.printError("sluice: \(name): draining; a second signal ends at once")
      case .successor(let next):
        successor = next
        Terminal.printError("sluice: process \(next.process) serves; this one ends its connections")
      }
      break
    }
    living.cancel()
    await operations.rolloutDriver.stop()
    let limit = await node.topology.drainTimeout
    if let successor {
      await Service.wait(for: successor, node, estate, within: limit)
    } else {
      await node.drained(within: limit)
      node.ports.bgp.stop(await node.farewell)
      node.ports.stopPeers()
    }
    node.ports.stopDataPlane()
    if let successor {
      successor.tell(estate.ledger.closed)
      successor.finish()
    } else {
      presence.end()
    }
    await admin.stop(isTakenOver: successor != nil)
    await node.ports.store.settle()
    listening.cancel()
    remembering.cancel()
    exporting.cancel()
    drifting.cancel()
    watching.cancel()
    inbox.cancel()
    Terminal.printError("sluice: stopped")
  }

  /// The API, when it answers on all its addresses.
  /// - Parameter earlier: who has it until then, and where its counters go.
  private func openAPI(
    _ topology: Topology, _ socket: String, _ operations: Operations, after earlier: (Predecessor, Estate)? = nil
  ) async throws -> AdminServer {
    var logger = Logger(label: "sluice")
    logger.logLevel = .warning
    let takeOver = earlier.map { predecessor, estate in
      AdminServer.TakeOver(
        release: { await operations.node.takeOver(active: try await predecessor.takeOver(estate)) },
        rename: { try IO.rename($0, to: $1) })
    }
    do {
      return try await AdminServer.start(
        socket: socket, port: AdminServer.Port(topology.admin),
        scrape: topology.admin.metrics.map { AdminServer.Scrape(host: "\($0.address)", port: Int($0.port)) },
        operations: operations, logger: logger, takeOver: takeOver)
    } catch {
      throw Failure(error.message, hint: error.hint)
    }
  }

  /// Tells the next process what is counted, until the last connection has ended.
  private static func wait(for successor: Successor, _ node: Node, _ estate: Estate, within limit: Duration) async {
    let telling = Task {
      while !Task.isCancelled, successor.tell(estate.ledger) {
        do { try await Task.sleep(for: .seconds(1)) } catch { return }
      }
    }
    await node.drained(within: limit)
    telling.cancel()
    await telling.value
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
      case .sigusr2:
        // Beside this loop: it takes as long as a start does.
        Task { await upgrade(operations) }
      case .sigterm, .sigint:
        if isEnding {
          let open = operations.node.ports.openConnections()
          Terminal.printError("sluice: \(signal): ending now, \(StatusText.count(open, "connection")) cut")
          exit(0)
        }
        isEnding = true
        // Beside this loop, which must hear a second signal.
        Task {
          await operations.rolloutDriver.stop()
          await operations.node.leave()
          await operations.node.drain()
          end(signal.description)
        }
      // SIGPIPE: a peer that is gone is seen where it was written to.
      default: break
      }
    }
  }

  private static func upgrade(_ operations: Operations) async {
    do {
      _ = try await operations.upgrading(within: .seconds(60))
    } catch {
      Terminal.printError("sluice: no upgrade: \(error.message)")
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

extension Node {
  func recall(_ predecessor: Predecessor?) {
    if let predecessor { recall(predecessor.state?.memory ?? NodeMemory()) }
  }
}
