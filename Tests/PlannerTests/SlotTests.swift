import Model
import Planner
import Testing
import Wire

@Suite struct SlotTests {
  func plan(_ topology: Topology, after previous: World?, busy: [UInt32] = []) -> World {
    var input = PlannerInput(topology: topology, previous: previous)
    input.busySlots = Set(busy.map { BackendSlot($0) })
    return Planner.plan(input, at: epoch)
  }

  @Test func slotsAreDenseAndKept() {
    let first = plan(topology(makePool([1, 1], name: "a"), makePool([1, 1], name: "b")), after: nil)
    #expect(first.slots == [0, 1, 2, 3] && first.generation == 1)
    // Pools and backends change places; one is added.
    var pool = makePool([1, 1, 1], name: "a")
    pool.backends.reverse()
    let second = plan(topology(makePool([1, 1], name: "b"), pool), after: first)
    #expect(second.slots == [2, 3, 4, 1, 0] && second.generation == 2)
  }

  @Test func aNewAddressIsANewBackend() {
    let first = plan(topology(makePool([1, 1])), after: nil)
    var pool = makePool([1, 1])
    pool.backends[0].address = address(99)
    let second = plan(topology(pool), after: first)
    #expect(second.slots == [2, 1])
    // Slot 0 is free once the World that used it has been replaced.
    pool.backends[1].address = address(98)
    #expect(plan(topology(pool), after: second).slots == [2, 0])
  }

  @Test func aSlotWithOpenConnectionsIsNotGivenAway() {
    let first = plan(topology(makePool([1, 1, 1])), after: nil)
    let second = plan(topology(makePool([1])), after: first)
    let third = plan(topology(makePool([1, 1, 1])), after: second, busy: [1])
    #expect(third.slots == [0, 2, 3])
  }

  @Test func noTwoBackendsEverShareASlot() {
    var random = Random(seed: 3)
    var previous: World?
    for _ in 0..<300 {
      let pools = (0..<2).map { index -> Pool in
        var pool = makePool(Array(repeating: 1, count: Int(random.below(6))), name: "p\(index)")
        for place in pool.backends.indices where random.below(4) == 0 {
          pool.backends[place].address = address(Int(random.below(20)))
        }
        return pool
      }
      let next = plan(topology(pools[0], pools[1]), after: previous)
      #expect(Set(next.slots).count == next.slots.count)
      // A slot that both Worlds use belongs to the same backend in both.
      if let previous {
        let before = owners(previous), after = owners(next)
        for (slot, owner) in after { if let was = before[slot] { #expect(was == owner) } }
      }
      previous = next
    }
    #expect((previous?.slots.max() ?? 0) < 24)
  }

  func owners(_ world: World) -> [UInt32: String] {
    var result: [UInt32: String] = [:]
    for (pool, standings) in zip(world.topology.pools, world.standings) {
      for (backend, standing) in zip(pool.backends, standings) {
        result[standing.slot.index] = "\(pool.name)/\(backend.name) \(backend.address)"
      }
    }
    return result
  }
}
