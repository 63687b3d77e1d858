/// Which certificates a listener answers with for each name: per kind of key the first one in order that has it.
struct NamePlan {
  /// Certificates by number; the first set is for every other name.
  private(set) var sets: [[Int]] = []
  private(set) var exact: [String: Int] = [:]
  /// Without "*.".
  private(set) var wildcards: [String: Int] = [:]

  init(_ names: [[String]], kinds: [Certificate.KeyKind]) {
    // The default: the first certificate, and those of other kinds for its names.
    sets = [
      NamePlan.choose(
        names[0].isEmpty ? [0] : [0] + names.indices.filter { !Set(names[0]).isDisjoint(with: names[$0]) }, kinds)
    ]
    var owners: [String: [Int]] = [:]
    for (number, list) in names.enumerated() { for name in list { owners[name, default: []].append(number) } }
    for (name, numbers) in owners {
      let chosen = NamePlan.choose(numbers, kinds)
      let place: Int
      if let found = sets.firstIndex(of: chosen) {
        place = found
      } else {
        place = sets.count
        sets.append(chosen)
      }
      if name.hasPrefix("*.") { wildcards[String(name.dropFirst(2))] = place } else { exact[name] = place }
    }
  }

  /// At most one of each kind: OpenSSL has one place for each.
  private static func choose(_ numbers: [Int], _ kinds: [Certificate.KeyKind]) -> [Int] {
    var seen: Set<Certificate.KeyKind> = []
    return numbers.filter { seen.insert(kinds[$0]).inserted }
  }
}
