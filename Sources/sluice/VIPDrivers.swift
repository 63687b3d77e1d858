internal import Announcer
internal import Kernel
internal import Model
internal import Node
internal import Synchronization

/// The thread of virtual addresses, started when there is a first one.
final class VIPDrivers: Sendable {
  private let driver = Mutex<VIPDriver?>(nil)
  /// VIPs that the process before this one was active for, until the first orders.
  private let resuming = Mutex<Set<String>>([])
  private let isRealtime: Bool
  private let post: @Sendable (Change) -> Void

  init(_ topology: Topology, post: @escaping @Sendable (Change) -> Void) throws(Failure) {
    isRealtime = topology.isVIPRealtime
    self.post = post
    guard !topology.vips.isEmpty else { return }
    let missing = Privileges.missing(of: [.netAdmin, .netRaw])
    guard missing.isEmpty else {
      throw Failure(
        "virtual addresses need \(missing.map(\.name).joined(separator: " and ")), which this process lacks",
        hint: "run it as root, or give its service AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE")
    }
  }

  var ports: VIPPorts {
    var ports = VIPPorts()
    ports.apply = { self.apply($0) }
    ports.overview = { self.driver.withLock { $0 }?.overview() ?? VIPOverview() }
    ports.stop = { self.driver.withLock { $0 }?.stop() }
    ports.leave = { self.driver.withLock { $0 }?.leave() ?? [] }
    ports.resume = { names in self.resuming.withLock { $0 = Set(names) } }
    return ports
  }

  private func apply(_ orders: [VIPOrder]) {
    driver.withLock { driver in
      if driver == nil, !orders.isEmpty {
        do throws(Errno) {
          driver = try VIPDriver(
            realtime: isRealtime, report: { [post] in post(.vip(.report($0))) },
            complain: { Terminal.printError("sluice: \($0)") })
        } catch {
          Terminal.printError("sluice: the thread of virtual addresses cannot start: \(error)")
        }
      }
      driver?.apply(
        orders,
        resuming: resuming.withLock { names in
          defer { names = [] }
          return names
        })
    }
  }
}
