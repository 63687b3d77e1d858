/// The word that was probably meant.
package enum Nearest {
  /// The candidate that is the fewest edits away from `word`, if at most a third of its letters
  /// differ; the earlier of equals.
  package static func word(to word: String, among candidates: some Sequence<String>) -> String? {
    let typed = Array(word.lowercased().utf8)
    guard !typed.isEmpty, typed.count <= 64 else { return nil }
    var best: (word: String, distance: Int)?
    for candidate in candidates where candidate != word {
      let letters = Array(candidate.lowercased().utf8)
      let longer = max(letters.count, typed.count)
      let allowed = longer <= 2 ? 0 : max(1, longer / 3)
      guard abs(letters.count - typed.count) <= allowed, letters.count <= 64 else { continue }
      let distance = edits(typed, letters)
      if distance <= allowed, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.word
  }

  /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
  static func edits(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
        row.append(cost)
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }
}
