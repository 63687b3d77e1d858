internal import Foundation
package import Logging
internal import NIOConcurrencyHelpers
internal import OctaviaModel
internal import TLS

/// The agent inside an amphora: does what its controller says, keeps the programs running, and says how they are.
package final class Agent: Sendable {
  struct State: Sendable {
    var planes: [String: [String: any DataPlane]] = [:]
    var vrrp: Daemon?
    /// VRRP shall run whenever the data planes do.
    var wantsVRRP = false
    var settings: AmphoraSettings
    /// Counters of the last heartbeat, for the differences.
    var last: [String: Heartbeat.Counters] = [:]
    var sequence = Int(Date().timeIntervalSince1970 * 1000)
  }

  let state: NIOLockedValueBox<State>
  let binary: String
  let logger: Logger
  let started = Date()

  package init(settings: AmphoraSettings, binary: String, logger: Logger) {
    state = NIOLockedValueBox(State(settings: settings))
    self.binary = binary
    self.logger = logger
  }

  var settings: AmphoraSettings { state.withLockedValue { $0.settings } }
  var base: String { settings.directory }
  /// What HAProxy's configuration says of this machine and not of a load balancer.
  var hostFile: String { "\(base)/host.cfg" }

  /// Where the host allows fewer descriptors than a load balancer's limits ask for, HAProxy serves with those.
  private static let hostText = "global\n    user nobody\n    group nogroup\n    no strict-limits\n"

  /// Returns when its task is cancelled; everything that it started is ended then.
  package func run(ready: @escaping @Sendable () -> Void) async throws {
    try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
    try FileManager.default.createDirectory(
      atPath: SocketPlace.folder(settings.amphora), withIntermediateDirectories: true)
    try Self.hostText.write(toFile: hostFile, atomically: true, encoding: .utf8)
    Interfaces.prepareHost()
    try? PingCheck.install(SocketPlace.folder(settings.amphora))
    resume()
    defer { stopAll() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      let settings = settings
      let server = AgentServer(
        host: settings.host, port: settings.port,
        identity: {
          try AgentIdentity.load(certificate: settings.certificateFile, authority: settings.authorityFile)
        },
        answer: { await AgentAPI(agent: self).answer($0, $1, $2) })
      group.addTask { try await server.run(ready: ready) }
      group.addTask { await self.beat() }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// What ran before the agent was started again.
  private func resume() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? [] {
      if FileManager.default.fileExists(atPath: "\(base)/\(name)/haproxy.cfg") { plane(name, .haproxy).start() }
      if FileManager.default.fileExists(atPath: "\(base)/\(name)/sluice.yaml") { plane(name, .sluice).start() }
    }
    if FileManager.default.fileExists(atPath: vrrpFile) { startVRRP() }
  }

  private func stopAll() {
    let (planes, vrrp) = state.withLockedValue { state in
      state.wantsVRRP = false
      return (state.planes.values.flatMap(\.values), state.vrrp)
    }
    // First the address, while the other amphora can take it without a wait.
    vrrp?.stop(patience: Self.vrrpPatience)
    for plane in planes { plane.stop() }
  }

  // MARK: data planes

  enum PlaneKind: String, Sendable { case haproxy, sluice }

  func plane(_ balancer: String, _ kind: PlaneKind) -> any DataPlane {
    state.withLockedValue { state in
      if let plane = state.planes[balancer]?[kind.rawValue] { return plane }
      let folder = "\(state.settings.directory)/\(balancer)"
      let sockets = SocketPlace.folder(state.settings.amphora)
      let started: @Sendable () -> Void = { self.dataPlaneStarted() }
      let ended: @Sendable () -> Void = { self.dataPlaneEnded() }
      let plane: any DataPlane =
        switch kind {
        case .haproxy:
          HAProxyPlane(
            binary: state.settings.haproxy, host: "\(state.settings.directory)/host.cfg",
            config: "\(folder)/haproxy.cfg", peer: PeerName.of(state.settings.amphora),
            socket: SocketPlace.haproxy(sockets, balancer), stateFile: "\(folder)/servers-state",
            log: "\(folder)/haproxy.log",
            started: started, ended: ended)
        case .sluice:
          SluicePlane(
            binary: binary, config: "\(folder)/sluice.yaml", socket: SocketPlace.sluice(sockets, balancer),
            log: "\(folder)/sluice.log",
            started: started, ended: ended)
        }
      state.planes[balancer, default: [:]][kind.rawValue] = plane
      return plane
    }
  }

  func planes() -> [any DataPlane] { state.withLockedValue { $0.planes.values.flatMap(\.values) } }

  /// Without its data plane an amphora must not hold the address. A clean end of VRRP hands it over at once.
  private func dataPlaneEnded() {
    logger.warning("a data plane has ended; the address is given up")
    state.withLockedValue { $0.vrrp }?.stop(patience: Self.vrrpPatience)
  }

  private func dataPlaneStarted() {
    Task {
      for _ in 0..<200 {
        if await allServe() { break }
        try? await Task.sleep(for: .milliseconds(50))
      }
      let vrrp = state.withLockedValue { $0.wantsVRRP ? $0.vrrp : nil }
      vrrp?.start()
    }
  }

  private func allServe() async -> Bool {
    for plane in planes() where !(await plane.isServing()) { return false }
    return true
  }

  // MARK: VRRP

  var vrrpFile: String { "\(base)/vrrp.conf" }

  /// Of a clean end. The address is given up at its begin; keepalived lives on for a second, and killed before its end
  /// it leaves files behind by which it would take itself for running.
  private static let vrrpPatience = 4.0

  /// keepalived begins its wait for a dead master anew when it is reloaded. One that would take the address in a moment
  /// does so first.
  func awaitTakeover() async {
    guard settings.vrrp == .keepalived, state.withLockedValue({ $0.vrrp?.isRunning == true }),
      let text = try? String(contentsOfFile: vrrpFile, encoding: .utf8), let times = KeepalivedConfig.takeover(text)
    else { return }
    let end = ContinuousClock.now + times.wait
    while ContinuousClock.now < end, await Interfaces.named(having: times.address) == nil {
      try? await Task.sleep(for: .milliseconds(50))
    }
  }

  func startVRRP() {
    let settings = settings
    let command =
      settings.vrrp == .sluice
      ? [binary, "run", vrrpFile]
      : [
        // What one that was killed has left behind.
        "/bin/sh", "-c", "rm -f \"$1\"/*.pid; shift; exec \"$@\"", "sh", base, settings.keepalived, "-n", "-l", "-D",
        "-f", vrrpFile, "-p", "\(base)/keepalived.pid", "-r", "\(base)/vrrp.pid",
        "-c", "\(base)/checkers.pid",
      ]
    let daemon = state.withLockedValue { state in
      state.wantsVRRP = true
      if state.vrrp == nil { state.vrrp = Daemon(command, log: "\(settings.directory)/vrrp.log") }
      return state.vrrp!
    }
    if daemon.isRunning { daemon.signal(SIGHUP) } else { daemon.start() }
  }

  func stopVRRP() {
    let daemon = state.withLockedValue { state in
      state.wantsVRRP = false
      return state.vrrp
    }
    daemon?.stop(patience: Self.vrrpPatience)
  }

  /// Gives the address to the other amphora without breaking what is under way: new connections are not answered, so
  /// that clients try again in a moment, those that are there may end, and then VRRP resigns.
  func handOver(_ addresses: [String]) async {
    guard state.withLockedValue({ $0.wantsVRRP }) else { return }
    let hasIt = await Interfaces.named(having: addresses.first ?? "") != nil
    if hasIt {
      await Interfaces.refuseNew(addresses)
      for _ in 0..<50 {
        if await openConnections() == 0 { break }
        try? await Task.sleep(for: .milliseconds(20))
      }
    }
    await offPool { self.stopVRRP() }
    if hasIt { await Interfaces.acceptNew() }
  }

  private func openConnections() async -> Int {
    var count = 0
    for plane in planes() {
      count += ((try? await plane.readings()) ?? Readings()).listeners.values.reduce(0) {
        $0 + $1.counters.activeConnections
      }
    }
    return count
  }

  /// Whether VRRP does what it should: an amphora without it is as good as dead.
  var hasHealthyVRRP: Bool {
    state.withLockedValue { state in
      !state.wantsVRRP || state.vrrp?.isRunning == true
        // It was ended on purpose: a heartbeat without its listeners says more.
        || state.planes.values.contains { $0.values.contains { !$0.isRunning } }
    }
  }
}

/// An amphora's name among HAProxy's peers.
package enum PeerName {
  package static func of(_ amphora: String) -> String {
    // The alphabet of the original, which swaps the two last letters' usual places.
    Base64.encode(Digest.sha1.hash(Array(amphora.utf8))).replacing("+", with: "_").replacing("/", with: "-")
      .replacing("=", with: "")
  }
}
