/// The first backend of the pool that has room (`maxConnections`), so that the last
/// ones idle and can be switched off.
/// Source: HAProxy configuration manual, "balance first".
package enum First {
  @inlinable package static func pick(_ table: PickTable, tried: TriedSet, loads: some LoadView) -> Int? {
    for index in table.candidates.indices where table.accepts(index, tried, loads) { return index }
    return nil
  }
}
