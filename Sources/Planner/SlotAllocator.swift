import Model

/// Gives backends their slots: the one they had, or the lowest that is free.
struct SlotAllocator {
  private struct Identity: Hashable {
    let key: BackendKey
    let address: SocketAddress
  }

  private var known: [Identity: BackendSlot] = [:]
  private var taken: Set<UInt32>
  private var kept: [Identity: BackendSlot] = [:]
  private var lowest: UInt32 = 0

  init(previous: World?, busy: Set<BackendSlot>) {
    taken = Set(busy.map(\.index))
    guard let previous else { return }
    for (pool, standings) in zip(previous.topology.pools, previous.standings) {
      for (backend, standing) in zip(pool.backends, standings) {
        known[Identity(key: BackendKey(pool: pool.name, backend: backend.name), address: backend.address)] =
          standing.slot
        // Workers may still be on that World: what it uses is free only in the next one.
        taken.insert(standing.slot.index)
      }
    }
  }

  mutating func keep(_ key: BackendKey, _ address: SocketAddress) {
    let identity = Identity(key: key, address: address)
    kept[identity] = known[identity]
  }

  mutating func slot(_ key: BackendKey, _ address: SocketAddress) -> BackendSlot {
    let identity = Identity(key: key, address: address)
    if let slot = kept[identity] { return slot }
    while taken.contains(lowest) { lowest += 1 }
    let slot = BackendSlot(lowest)
    taken.insert(lowest)
    kept[identity] = slot
    return slot
  }
}
