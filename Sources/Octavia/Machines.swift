internal import OctaviaModel

extension Controller {
  func assembleMachines(_ store: Store) async throws -> Parts {
    let authority = try await Authority.open(store, days: settings.certificateDays)
    guard !settings.health.key.isEmpty else {
      throw SettingsError(description: "health.key is missing: amphorae sign their heartbeats with it")
    }
    let management = Network(
      id: settings.management.network, name: "management", bridge: settings.management.bridge,
      subnets: [settings.management])
    let local = LocalNetworks(store: store, networks: settings.networks + [management], makeID: Self.makeID)
    let compute = ProcessCompute(settings: settings, networks: local, binary: settings.binary ?? binary)
    try await compute.prepare()
    let performer = MachinePerformer(
      compute: compute, networks: local, authority: authority, settings: settings, now: Self.now)
    return Parts(performer: performer, networks: local, cloud: cloud())
  }
}
