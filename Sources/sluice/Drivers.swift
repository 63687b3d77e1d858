internal import Kernel
internal import Model
internal import NameServer
internal import Node
internal import PeerLink
internal import Peering
internal import Prober
internal import Proxy
internal import Telemetry

/// The drivers behind the node's ports.
enum Drivers {
  /// - Parameters:
  ///   - estate: what is there already, and what the next process is to have.
  ///   - post: the way back for what workers and probes see.
  static func open(
    _ topology: Topology, _ estate: Estate, post: @escaping @Sendable (Change) -> Void
  ) throws(Failure) -> Ports {
    let plane: DataPlane
    do throws(DataPlaneError) {
      plane = try DataPlane(workers: topology.workers ?? Thread.cores, inherited: estate.inherited) { report in
        post(.outlier(OutlierTrip(key: report.key, failures: report.failures, reason: report.reason)))
      }
    } catch {
      throw Failure("\(error)", hint: "raise the limit of open files, or set workers")
    }
    let names = try names(plane, estate.inherited, post)
    estate.furnish(plane, names)
    let rotation = TicketRotation(keys: plane.ticketKeys, options: topology.tickets)
    rotation.begin()
    Task.detached { await rotation.run() }
    let prober: Prober
    do throws(Errno) {
      prober = try Prober(report: { post(.probes($0)) }, complain: { Terminal.printError("sluice: \($0)") })
    } catch {
      throw Failure("cannot start the prober: \(error)", hint: "raise the limit of open files")
    }
    let vips = try VIPDrivers(topology, post: post)
    let links: PeerLinks
    do throws(Errno) {
      links = try PeerLinks(.openSSL, tables: TableAccess(plane)) { post(.peer($0)) }
    } catch {
      throw Failure("cannot start the peers' thread: \(error)", hint: "raise the limit of open files")
    }
    var ports = Ports(
      applyWorld: { world in
        // Each refuses before it changes anything, and the first goes back when the second refuses.
        let before = names.world
        try names.apply(world)
        do { try plane.apply(world) } catch {
          if let before { try? names.apply(before) }
          throw error
        }
      },
      statistics: { plane.statistics() },
      stopAccepting: {
        names.drain()
        plane.drain()
      },
      openConnections: { plane.openConnections + names.openStreams },
      applyProbes: { prober.apply($0) },
      paceProbes: {
        prober.pace($0)
        names.pace($0)
      },
      stopProbes: { prober.stop() },
      stopDataPlane: {
        names.stop()
        plane.stop()
      },
      reopenLogs: { plane.reopenLog() },
      names: NamePorts(
        report: { names.report() },
        answer: { name, type, client in try names.answer(name, type, client: client) }),
      now: { Clock.now() }, wallClock: { Clock.wall() / 1_000 })
    ports.names.applySiteLoads = { names.applySiteLoads($0) }
    ports.leaveSockets = {
      names.drain()
      plane.drain(isHandedOver: true)
    }
    ports.bgp = BGPDriver(post: post).port
    ports.connect(links)
    ports.vips = vips.ports
    ports.explain.request = { plane.explain($0) }
    ports.explain.mismatch = { DataPlane.mismatch($0, $1) }
    ports.explain.samples = { plane.samples($0) }
    ports.explain.takeSpans = { plane.takeSpans($0) }
    ports.setDoors = { plane.setDoors($0) }
    ports.parting.part = { plane.part(from: $0) }
    ports.parting.connections = { addresses in await Task.detached { plane.connections(to: addresses) }.value }
    ports.parting.dropNew = { plane.dropNew(to: $0) }
    let keeper = try StateKeeper.open(topology, post: post)
    if let keeper { ports.store = keeper.port }
    ports.floating = try FloatingDriver.port(topology, keeper)
    return ports
  }

  private static func names(
    _ plane: DataPlane, _ inherited: InheritedSockets, _ post: @escaping @Sendable (Change) -> Void
  ) throws(Failure) -> NameServer {
    do throws(NameServerError) {
      return try NameServer(
        inherited: inherited, tickets: plane.ticketKeys, tell: { post(.names($0)) },
        loads: {
          plane.statistics().backends.mapValues { Int(clamping: max($0.inFlight, $0.connections)) }
        })
    } catch {
      throw Failure("\(error)", hint: "raise the limit of open files")
    }
  }
}
