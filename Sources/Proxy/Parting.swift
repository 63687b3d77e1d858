package import Model
internal import Kernel
internal import Reactor
internal import Synchronization

/// Why clients are asked to connect anew, and who is not heard when they do: the node leaves, or only an address does.
struct Parting {
  var doors = Doors.open
  var losesAddress = false
  /// Whose newcomers already belong to another node.
  var lost: [IPAddress] = []

  var isOn: Bool { doors != .open || losesAddress }
  var newcomers: Newcomers { doors == .held ? .unheard : lost.isEmpty ? .heard : .unheardAt(lost) }
}

extension DataPlane {
  /// What the listeners do while the node leaves, before it drains.
  package func setDoors(_ doors: Doors) {
    change { $0.doors = doors }
    askToPart()
  }

  /// The node is about to lose an address, but not its life: from now on each answer is the last of its connection
  /// (`Connection: close`, GOAWAY), until it is taken back.
  package func part(_ isParting: Bool) {
    change { $0.losesAddress = isParting }
    askToPart()
  }

  /// Clients that come to these addresses hear nothing, and try again in a moment; none: all are heard again.
  package func dropNew(to addresses: [IPAddress]) { change { $0.lost = addresses } }

  /// HTTP clients that were there when `part` began, and all that are there now.
  ///
  /// Waits for the workers: not for a thread that others wait for.
  package func partingClients() -> (old: Int, all: Int) {
    guard let census = try? Census(workers: mailboxes.count) else { return (0, 0) }
    for mailbox in mailboxes { mailbox.post(.count(census)) }
    return census.wait()
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
    let isOn = state.withLock { $0.parting.isOn }
    for mailbox in mailboxes { mailbox.post(.part(isOn)) }
  }
}

/// A count that every worker adds to.
final class Census: Sendable {
  private let old = Atomic(0)
  private let all = Atomic(0)
  private let latch: Latch

  init(workers: Int) throws(Errno) { latch = try Latch(count: workers) }

  func add(old: Int, all: Int) {
    self.old.add(old, ordering: .relaxed)
    self.all.add(all, ordering: .relaxed)
    latch.arrive()
  }

  func wait() -> (old: Int, all: Int) {
    _ = latch.wait(milliseconds: 1_000)
    return (old.load(ordering: .relaxed), all.load(ordering: .relaxed))
  }
}

extension Worker {
  mutating func part(_ isOn: Bool) {
    guard !isDraining else { return }
    isParting = isOn
    guard isOn else { return }
    for index in streams.indices where streams.isUsed(index) && streams[index].role == .client {
      guard streams[index].flags.contains(.http) || streams[index].phase == .trunk else { continue }
      streams[index].flags.insert(.old)
    }
    dismissClients()
  }

  mutating func count(_ census: Census) {
    var (old, all) = (0, 0)
    for index in streams.indices where streams.isUsed(index) && streams[index].role == .client {
      let stream = streams[index]
      guard stream.flags.contains(.http) || stream.phase == .trunk, stream.flags.isDisjoint(with: .branch) else {
        continue
      }
      all += 1
      if stream.flags.contains(.old) { old += 1 }
    }
    census.add(old: old, all: all)
  }
}
