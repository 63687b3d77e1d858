import Kernel
import Reactor
import Testing

@Suite struct PipePoolTests {
  @Test func lendsNoMoreThanItsLimit() {
    var pool = PipePool(limit: 2, capacity: 65536)
    let first = pool.borrow()
    let second = pool.borrow()
    #expect(first != nil && second != nil && first != second)
    #expect(pool.borrow() == nil)
    pool.giveBack(second!, isEmpty: true)
    #expect(pool.borrow() == second)
  }

  @Test func closesAPipeThatIsNotEmpty() {
    var pool = PipePool(limit: 1, capacity: 65536)
    let number = pool.borrow()!
    pool.giveBack(number, isEmpty: false)
    #expect(pool[number] == nil)
    // Its number, and its place in the limit, are free again.
    #expect(pool.borrow() == number)
    #expect(pool[number] != nil)
  }

  @Test func givesMorePipesThanItKeeps() {
    var pool = PipePool(limit: 100, capacity: 4096)
    let numbers = (0..<100).compactMap { _ in pool.borrow() }
    #expect(Set(numbers).count == 100)
    for number in numbers { pool.giveBack(number, isEmpty: true) }
    #expect(numbers.filter { pool[$0] != nil }.count < 100)
    #expect(Set((0..<100).compactMap { _ in pool.borrow() }).count == 100)
  }
}
