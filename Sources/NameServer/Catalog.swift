import DNS
import GeoIP
import Model
import TLS

/// All that a worker answers from but for health; immutable, replaced whole.
struct Catalog: Sendable {
  var zones = Zones()
  /// The first view; later ones come alone.
  var view = DynamicView()
  var settings = Responder.Settings()
  var places = GeoDatabases()
  /// By zone, as in `zones.list`.
  var histories: [ZoneHistory] = []
  var transfers: [TransferPolicy] = []
  var keys: [TransactionSigner] = []
  var signers: [Name: ZoneSigner] = [:]
  /// DNS over TLS.
  var encryption: ServerContext?
  /// Of one worker.
  var streamLimit = 1000
  var handshakeLimit = 1000
  var handshakeMilliseconds: Int64 = 5000
  var idleMilliseconds: Int64 = 10_000

  /// Both what addresses and what keys are asked for must be so; a zone that names neither is for nobody.
  func mayTransfer(_ zone: Int, to client: Responder.Client, key: Name?) -> Bool {
    let policy = transfers[zone]
    if policy.allow.isEmpty, policy.keys.isEmpty { return false }
    // RFC 9103 §7.5: what is to be read by nobody else is not sent in clear, whoever asks.
    if policy.secureOnly, client.transport != .tls { return false }
    let isAllowed = policy.allow.isEmpty || policy.allow.contains { $0.contains(client.address.unmapped) }
    let isKnown = policy.keys.isEmpty || policy.keys.contains { Name($0) == key }
    return isAllowed && isKnown
  }
}

extension Responder.Settings {
  init(_ service: NameService, cookies: ServerCookies?) {
    self.init()
    udpLimit = service.udpLimit
    version = service.version.map { Array($0.utf8) }
    serverID = service.serverID.map { Array($0.utf8) }
    self.cookies = service.cookies ? cookies : nil
    rateLimit = service.rateLimit.map { rate in
      var settings = RateLimiter.Settings()
      settings.rate = rate.responses
      settings.slip = rate.slip
      settings.window = max(1, Int(rate.window.components.seconds))
      settings.v4Length = rate.prefixV4
      settings.v6Length = rate.prefixV6
      return settings
    }
  }
}
