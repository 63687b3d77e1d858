/// How much of something is done, in `#`s.
enum ProgressBar {
  private static let width = 30

  /// - Parameters:
  ///   - done: 0...`all`.
  ///   - all: 0: nothing was to be done.
  static func text(_ done: Int, of all: Int) -> String {
    let full = all == 0 ? width : width * done / all
    return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: width - full) + "]"
  }
}
