import Model
import TLS

/// Compiled TLS by listener and pool. What a World leaves as it was is not compiled again: a health change must not parse
/// certificates.
struct EncryptionTable {
  private var listeners: [String: (model: ListenerTLS, context: ServerContext)] = [:]
  private var pools: [String: (model: PoolTLS, context: ClientContext)] = [:]

  /// The table for another World.
  func adopting(_ topology: Topology, tickets: TicketKeys) throws(DataPlaneError) -> EncryptionTable {
    var next = EncryptionTable()
    for listener in topology.listeners {
      guard let model = listener.tls else { continue }
      if let known = listeners[listener.name], known.model == model {
        next.listeners[listener.name] = known
        continue
      }
      do throws(MaterialError) {
        var certificates: [Certificate] = []
        for files in model.certificates { certificates.append(try Certificate(files)) }
        let context = try ServerContext(
          name: listener.name, model, certificates: certificates, tickets: tickets)
        next.listeners[listener.name] = (model, context)
      } catch {
        throw .material(owner: "listener \(listener.name)", error)
      }
    }
    for pool in topology.pools {
      guard let model = pool.tls else { continue }
      if let known = pools[pool.name], known.model == model {
        next.pools[pool.name] = known
        continue
      }
      do throws(MaterialError) {
        next.pools[pool.name] = (model, try ClientContext(model))
      } catch {
        throw .material(owner: "pool \(pool.name)", error)
      }
    }
    return next
  }

  func context(listener: String) -> ServerContext? { listeners[listener]?.context }
  func context(pool: String) -> ClientContext? { pools[pool]?.context }
}
