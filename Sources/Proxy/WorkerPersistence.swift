import Balance
import HTTP
import Model
import Reactor
import Wire

/// Keeping a client on its backend.
extension Worker {
  mutating func findPersistent(_ exchange: UInt32, _ pool: CompiledPool, source: IPAddress) {
    switch pool.persistence {
    case .none: return
    case .cookie(let cookie):
      exchanges[exchange].flags.insert(.setCookie)
      guard let value = self.cookie(cookie.name), let backend = cookie.backend(of: incoming.bytes(value)) else {
        return
      }
      exchanges[exchange].wanted = Int32(backend)
    case .source: findPersistent(bySource: exchange, source)
    case .header(let name, _, _):
      for line in 0..<head.fields.count where incoming.matches(head.fields[line].nameRange, lowercase: name) {
        exchanges[exchange].stickyHash = pool.keys.hash(incoming.bytes(head.fields[line].valueRange)) | 1
        return lookUp(exchange, pool)
      }
    }
  }

  mutating func findPersistent(bySource exchange: UInt32, _ source: IPAddress) {
    guard let pool = current.pools[Int(exchanges[exchange].pool)],
      case .source(let prefixV4, let prefixV6, _, _) = pool.persistence
    else { return }
    let prefix = IPPrefix(source, length: source.family == .v4 ? prefixV4 : prefixV6)
    exchanges[exchange].stickyHash = pool.keys.hash(prefix?.address ?? source) | 1
    lookUp(exchange, pool)
  }

  private mutating func lookUp(_ exchange: UInt32, _ pool: CompiledPool) {
    guard
      let name = shared.stickiness.find(pool: pool.model.name, hash: exchanges[exchange].stickyHash, now: milliseconds),
      let backend = pool.model.backends.firstIndex(where: { $0.name == name })
    else { return }
    exchanges[exchange].wanted = Int32(backend)
  }

  /// The client belongs to the backend that it goes to now.
  mutating func rememberPersistence(_ exchange: UInt32, _ index: Int, _ pool: CompiledPool) {
    switch pool.persistence {
    case .none: return
    case .cookie:
      // Only a client that has no valid cookie for this backend is given one.
      if Int(exchanges[exchange].wanted) == index {
        exchanges[exchange].flags.remove(.setCookie)
      } else {
        exchanges[exchange].flags.insert(.setCookie)
      }
    case .source(_, _, let idle, let maxEntries), .header(_, let idle, let maxEntries):
      guard exchanges[exchange].stickyHash != 0 else { return }
      shared.stickiness.store(
        pool: pool.model.name, hash: exchanges[exchange].stickyHash, backend: pool.model.backends[index].name,
        now: milliseconds,
        idle: idle, maxEntries: maxEntries)
    }
  }
}
