import Wire

/// What every fuzz target needs: the input as an array, pieces of it, and a way to fail.

/// Stops the process, which libFuzzer reports with the input that led here.
func require(_ condition: Bool, _ what: StaticString) {
  guard !condition else { return }
  print("violated: \(what)")
  fatalError("violated")
}

func input(_ data: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
  unsafe Array(UnsafeBufferPointer(start: data, count: count))
}

/// Ascending cuts that depend on the input alone, so that a crash repeats.
func cuts(_ bytes: [UInt8]) -> [Int] {
  var hash = SipHash(key: (1, 2))
  hash.update(bytes.span)
  var random = Random(seed: hash.finish())
  guard bytes.count > 0 else { return [] }
  return (0..<random.below(8)).map { _ in Int(random.below(UInt32(bytes.count))) }.sorted()
}
