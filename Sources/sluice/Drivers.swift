internal import Kernel
internal import Model
internal import Node
internal import Prober
internal import Proxy
internal import Telemetry

/// The drivers behind the node's ports.
enum Drivers {
  /// - Parameter post: the way back for what workers and probes see.
  static func open(_ topology: Topology, post: @escaping @Sendable (Change) -> Void) throws(Failure) -> Ports {
    let plane: DataPlane
    do throws(DataPlaneError) {
      plane = try DataPlane(workers: topology.workers ?? Thread.cores) { report in
        post(.outlier(OutlierTrip(key: report.key, failures: report.failures, reason: report.reason)))
      }
    } catch {
      throw Failure("\(error)", hint: "raise the limit of open files, or set workers")
    }
    let prober: Prober
    do throws(Errno) {
      prober = try Prober(report: { post(.probe($0)) }, complain: { Terminal.printError("sluice: \($0)") })
    } catch {
      throw Failure("cannot start the prober: \(error)", hint: "raise the limit of open files")
    }
    return Ports(
      applyWorld: { try plane.apply($0) },
      statistics: { plane.statistics() },
      stopAccepting: { plane.drain() },
      openConnections: { plane.openConnections },
      applyProbes: { prober.apply($0) },
      paceProbes: { prober.pace($0) },
      stopProbes: { prober.stop() },
      stopDataPlane: { plane.stop() },
      reopenLogs: { plane.reopenLog() },
      now: { Clock.now() }, wallClock: { Clock.wall() / 1_000 })
  }
}
