/// Up to where one node knows another's table: the other's start, and a moment of its clock.
package struct TablePosition: Hashable, Sendable {
  /// The `boot` of the node whose table it is.
  package var boot: UInt64
  /// Everything that changed before is known; in that node's own milliseconds.
  package var time: UInt64

  package init(boot: UInt64, time: UInt64) {
    self.boot = boot
    self.time = time
  }
}
