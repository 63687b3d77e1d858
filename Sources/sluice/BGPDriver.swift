internal import Announcer
internal import Kernel
internal import Model
internal import Node
internal import Synchronization

/// The speakers behind the node's port: their threads start with the first `bgp` section.
final class BGPDriver: Sendable {
  private let speakers = Mutex<BGPSpeakers?>(nil)
  private let post: @Sendable (Change) -> Void

  init(post: @escaping @Sendable (Change) -> Void) { self.post = post }

  var port: BGPPort {
    var port = BGPPort()
    port.apply = { self.apply($0) }
    port.prepare = { self.started($0)?.prepare($0) }
    port.peers = { await self.current?.peers() ?? [] }
    port.tables = { await self.current?.tables($0) }
    port.stop = { self.current?.stop($0) }
    return port
  }

  private var current: BGPSpeakers? { speakers.withLock { $0 } }

  private func apply(_ order: BGPOrder) { started(order.topology)?.apply(order) }

  /// The speakers, started if there is something for them to do.
  private func started(_ topology: BGPTopology?) -> BGPSpeakers? {
    speakers.withLock { speakers in
      if speakers == nil, topology != nil {
        do throws(Errno) {
          speakers = try BGPSpeakers { [post] in post(.bgp($0)) }
        } catch {
          post(.bgp(.trouble("BGP cannot start: \(error)")))
        }
      }
      return speakers
    }
  }
}
