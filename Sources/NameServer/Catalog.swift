import DNS
import GeoIP
import Model

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
  /// Of one worker.
  var streamLimit = 1000
  var idleMilliseconds: Int64 = 10_000

  func mayTransfer(_ zone: Int, to client: IPAddress) -> Bool {
    let policy = transfers[zone]
    return policy.keys.isEmpty && policy.allow.contains { $0.contains(client.unmapped) }
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
