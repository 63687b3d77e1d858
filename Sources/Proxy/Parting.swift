package import Model
internal import Kernel
internal import Reactor
internal import Synchronization

/// Whose connections end with their next answer.
enum PartingScope: Hashable, Sendable {
  case nobody, everybody
  /// Of these addresses.
  case clients([IPAddress])
}

/// Why clients are asked to connect anew, and who is not heard when they do: the node leaves, or only an address does.
struct Parting {
  var doors = Doors.open
  var leaving: [IPAddress] = []
  /// Whose newcomers already belong to another node.
  var lost: [IPAddress] = []

  var scope: PartingScope { doors != .open ? .everybody : leaving.isEmpty ? .nobody : .clients(leaving) }
  var newcomers: Newcomers { doors == .held ? .unheard : lost.isEmpty ? .heard : .unheardAt(lost) }
}

extension DataPlane {
  /// What the listeners do while the node leaves, before it drains.
  package func setDoors(_ doors: Doors) {
    change { $0.doors = doors }
    askToPart()
  }

  /// The node is about to lose these addresses, but not its life: from now on each answer to clients of them is the last
  /// of its connection (`Connection: close`, GOAWAY), until it is taken back by none.
  package func part(from addresses: [IPAddress]) {
    change { $0.leaving = addresses }
    askToPart()
  }

  /// Clients that come to these addresses hear nothing, and try again in a moment; none: all are heard again.
  package func dropNew(to addresses: [IPAddress]) { change { $0.lost = addresses } }

  /// Who is connected to listeners of HTTP at these addresses, as the kernel has it: from the handshake until the last
  /// byte is acknowledged, whether or not a worker knows of it. nil: it does not tell.
  ///
  /// Waits for the kernel: not for a thread that others wait for.
  package func connections(to addresses: [IPAddress]) -> Set<UInt64>? {
    let ports = state.withLock { $0.httpPorts }
    guard var netlink = try? Netlink(.sockets), let found = try? netlink.openConnections(to: addresses) else {
      return nil
    }
    return Set(found.filter { ports.contains($0.local.port) }.map(\.cookie))
  }

  private func change(_ edit: (inout Parting) -> Void) {
    state.withLock { state in
      let before = state.parting.newcomers
      edit(&state.parting)
      let newcomers = state.parting.newcomers
      guard newcomers != before else { return }
      for (key, bound) in state.binds where !key.datagram && !bound.isShared {
        for descriptor in bound.descriptors { try? Socket.hear(descriptor, newcomers) }
      }
    }
  }

  private func askToPart() {
    let scope = state.withLock { $0.parting.scope }
    for mailbox in mailboxes { mailbox.post(.part(scope)) }
  }
}

extension Worker {
  mutating func part(_ scope: PartingScope) {
    guard !isDraining else { return }
    parting = scope
    if scope != .nobody { dismissClients() }
  }

  /// Whether the client's connection ends with its next answer.
  ///
  /// PERF: mutating, though nothing is changed: a borrowed worker is copied for the call, 280 instructions each time.
  @inline(__always) mutating func parts(_ index: UInt32) -> Bool {
    if case .nobody = parting { false } else { isAmongThoseWhoPart(index) }
  }

  @inline(never) private mutating func isAmongThoseWhoPart(_ index: UInt32) -> Bool {
    guard case .clients(let addresses) = parting else { return true }
    let isBranch = streams[index].flags.contains(.branch)
    if isBranch, streams[index].trunk == Stream.none { return false }
    let stream = isBranch ? trunks[streams[index].trunk].stream : index
    return Socket.localEndpoint(streams[stream].fd).map { addresses.contains($0.address) } ?? false
  }
}

extension Topology {
  /// Where clients speak HTTP.
  var httpPorts: Set<UInt16> {
    Set(
      listeners.filter { $0.transport == .http }.flatMap(\.binds).compactMap {
        if case .ip(let endpoint) = $0.address { endpoint.port } else { nil }
      })
  }
}
