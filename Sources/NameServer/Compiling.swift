import DNS
import GeoIP
import Kernel
import Model
import Reactor
import TLS

/// From a configuration to what workers answer from; what did not change is kept.
extension NameServer {
  func settings(_ service: NameService, _ world: World, _ state: State) -> Responder.Settings {
    // Nodes with one secret make and accept the same cookies (RFC 9018 §3).
    let shared = world.topology.secret.map { ServerCookies(passphrase: Array($0.utf8)) }
    return Responder.Settings(service, cookies: shared ?? state.cookies)
  }

  func compile(_ service: NameService, _ world: World, _ state: inout State) throws(NameServerError) {
    var zones: [String: (source: ZoneSource, zone: Zone)] = [:]
    var list: [Zone] = []
    var histories: [ZoneHistory] = []
    var signers: [Name: ZoneSigner] = [:]
    var isNew = false
    for source in service.zones {
      let old = state.zones[source.name]
      let zone: Zone
      if let old, old.source.texts == source.texts, old.source.balanced == source.balanced,
        old.source.signing == source.signing
      {
        zone = old.zone
        signers[zone.apex] = state.catalog.signers[zone.apex]
      } else {
        zone = try compile(source, &signers)
        isNew = isNew || zone.nodeCount > 1000
      }
      var history = ZoneHistory()
      if let index = state.catalog.zones.list.firstIndex(where: { $0.apex == zone.apex }),
        index < state.catalog.histories.count
      {
        history = state.catalog.histories[index]
        if let old, old.source.texts != source.texts { history.record(from: old.zone, to: zone) }
      }
      var kept = source
      // The zone is held once.
      kept.compiled = nil
      zones[source.name] = (kept, zone)
      list.append(zone)
      histories.append(history)
    }
    state.zones = zones
    state.catalog.signers = signers
    state.catalog.zones = Zones(list, signers: signers)
    state.catalog.keys = service.keys.compactMap { TransactionSigner($0) }
    state.catalog.histories = histories
    state.catalog.transfers = service.zones.map(\.transfer)
    state.catalog.settings = settings(service, world, state)
    state.catalog.streamLimit = max(1, service.tcp.connections / max(1, state.mailboxes.count))
    state.catalog.idleMilliseconds = service.tcp.idle.milliseconds
    if state.databases != service.databases {
      do throws(GeoError) {
        state.catalog.places = try GeoDatabases(service.databases.map(\.path))
      } catch {
        throw .database("\(error)")
      }
      state.databases = service.databases
    }
    try encrypt(service, &state)
    state.sets.adopt(service, zones: state.catalog.zones, topology: world.topology)
    // What a large zone's text was taken apart into is most of what a process would keep.
    if isNew { Allocator.trim() }
  }

  private func compile(
    _ source: ZoneSource, _ signers: inout [Name: ZoneSigner]
  ) throws(NameServerError) -> Zone {
    var zone: Zone
    do throws(ZoneErrors) {
      zone = try Zone.compile(source)
    } catch {
      throw .zone(source.name, error.diagnostics.first.map { "\($0)" } ?? "not readable")
    }
    guard let signing = source.signing else { return zone }
    do throws(CryptoError) {
      let signer = try ZoneSigner(signing)
      zone = zone.adding(toApex: .dnskey, ttl: 3600, data: signer.key)
      signers[zone.apex] = signer
    } catch {
      throw .zone(source.name, "\(signing.keyFile): \(error)")
    }
    return zone
  }

  /// A certificate is parsed once, not with every change of a zone.
  private func encrypt(_ service: NameService, _ state: inout State) throws(NameServerError) {
    if let secure = service.secure {
      state.catalog.handshakeLimit = secure.tls.handshakes
      state.catalog.handshakeMilliseconds = secure.tls.handshakeTimeout.milliseconds
    }
    guard state.secure?.tls != service.secure?.tls else { return state.secure = service.secure }
    do throws(MaterialError) {
      var certificates: [Certificate] = []
      for files in service.secure?.tls.certificates ?? [] { certificates.append(try Certificate(files)) }
      state.catalog.encryption = try service.secure.map { secure throws(MaterialError) in
        // No listener can be called so: its sessions are none of this server's.
        try ServerContext(name: "dns over TLS", secure.tls, certificates: certificates, tickets: tickets)
      }
    } catch {
      throw .material("\(error)")
    }
    state.secure = service.secure
  }
}
