import Kernel
import Model
import Reactor

/// The listening sockets, each worker's share of them, and their way down with a catalog.
extension NameServer {
  /// Opens what is not open yet.
  /// - Returns: that, for whoever gives up.
  func bind(_ service: NameService, _ state: inout State) throws(NameServerError) -> [BindKey] {
    guard !state.isDraining else { return [] }
    var opened: [BindKey] = []
    for key in service.sockets {
      guard state.binds[key] == nil else { continue }
      let (endpoint, isStream) = (key.endpoint, key.isStream)
      var descriptors: [Int32] = []
      do throws(Errno) {
        let address = SocketAddress.ip(endpoint)
        let shares = state.binds.keys.contains {
          $0.isStream == isStream && $0.endpoint.port == endpoint.port
            && $0.endpoint.address.family == endpoint.address.family
        }
        let kind: Socket.Kind = isStream ? .stream : .datagram
        let isWildcard = endpoint.address.isUnspecified
        descriptors = inherited.take(address, kind, destinations: isWildcard)
        if !shares, descriptors.isEmpty { try Socket.probeExclusive(address, kind) }
        let found = descriptors.count
        while descriptors.count < state.mailboxes.count {
          do throws(Errno) {
            descriptors.append(try Socket.listen(address, kind, destinations: isWildcard))
          } catch {
            // The service manager's socket is in no group that others could join.
            if found > 0 { break }
            throw error
          }
        }
      } catch {
        for descriptor in descriptors { Socket.close(descriptor) }
        for key in opened { for descriptor in state.binds[key] ?? [] { Socket.close(descriptor) } }
        throw .bind(endpoint, error)
      }
      state.binds[key] = descriptors
      opened.append(key)
    }
    // What fits the minimum of IPv6 with a margin for tunnels arrives whole, or else something is wrong.
    let mode: Socket.Fragmentation = service.udpLimit <= 1232 ? .never : .byInterface
    for (key, descriptors) in state.binds where !key.isStream {
      for descriptor in descriptors { Socket.setFragmentation(descriptor, key.endpoint.address.family, mode) }
    }
    return opened
  }

  /// Returns when all workers answer from the new catalog.
  func hand(_ state: inout State) throws(NameServerError) {
    let wanted = Set(state.service.sockets)
    // Workers close their own sockets when they adopt.
    state.binds = state.binds.filter { wanted.contains($0.key) }
    let latch: Latch
    do throws(Errno) { latch = try Latch(count: state.mailboxes.count) } catch { throw .thread(error) }
    for (number, mailbox) in state.mailboxes.enumerated() {
      let count = state.mailboxes.count
      let sockets = state.binds.flatMap { key, descriptors in
        descriptors.indices.filter { $0 % count == number }.map {
          ServedSocket(
            descriptor: descriptors[$0], isStream: key.isStream, isSecure: key.isSecure,
            isWildcard: key.endpoint.address.isUnspecified)
        }
      }
      mailbox.post(.adopt(state.catalog, sockets, latch))
    }
    _ = latch.wait(milliseconds: 1000)
  }
}

extension NameService {
  /// Every socket that is to be there.
  fileprivate var sockets: [NameServer.BindKey] {
    binds.flatMap { [.init(endpoint: $0, isStream: false), .init(endpoint: $0, isStream: true)] }
      + (secure?.binds ?? []).map { .init(endpoint: $0, isStream: true, isSecure: true) }
  }
}
