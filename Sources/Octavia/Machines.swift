internal import Logging
internal import OctaviaModel

extension Controller {
  func assembleMachines(_ store: Store) async throws -> Parts {
    let authority = try await Authority.open(store, days: settings.certificateDays)
    guard !settings.health.key.isEmpty else {
      throw SettingsError(description: "health.key is missing: amphorae sign their heartbeats with it")
    }
    switch settings.compute {
    case .static:
      let networks = LocalNetworks(store: store, networks: settings.networks, makeID: Self.makeID)
      let hosts = StaticCompute(
        settings: settings, store: store, authority: authority, logger: logger, now: Self.now)
      var parts = parts(hosts, networks, authority)
      parts.hosts = hosts
      return parts
    case .nova:
      guard let cloud = cloud() else { throw SettingsError(description: "nova needs api.auth: keystone") }
      let api = CloudAPI(cloud: cloud, settings: settings.nova)
      let networks = NeutronNetworks(api: api, settings: settings.nova)
      let compute = NovaCompute(
        api: api, networks: networks, settings: settings, deployment: authority.fingerprint, now: Self.now)
      return parts(compute, networks, authority)
    case .process, .noop:
      let management = Network(
        id: settings.management.network, name: "management", bridge: settings.management.bridge,
        subnets: [settings.management])
      let local = LocalNetworks(store: store, networks: settings.networks + [management], makeID: Self.makeID)
      let compute = ProcessCompute(settings: settings, networks: local, binary: settings.binary ?? binary)
      try await compute.prepare()
      return parts(compute, local, authority)
    }
  }

  private func parts(_ compute: any Compute, _ networks: any Networks, _ authority: Authority) -> Parts {
    Parts(
      performer: MachinePerformer(
        compute: compute, networks: networks, authority: authority, settings: settings, now: Self.now),
      networks: networks, cloud: cloud())
  }

  /// What a host needs before it can be asked anything: its certificate with the key, the authority of controllers,
  /// and its file.
  package func issue(host name: String) async throws -> [(file: String, text: String)] {
    guard let place = settings.hosts.first(where: { $0.name == name }) else {
      throw SettingsError(description: "there is no host \(name) in the file")
    }
    let store = try openStore()
    defer { store.close() }
    let authority = try await Authority.open(store, days: settings.certificateDays)
    let bundle = try await authority.issue(name, now: Self.now())
    return [
      ("server.pem", bundle.server), ("client-ca.pem", bundle.authority), ("host.yaml", HostSettings(place).text),
    ]
  }
}
