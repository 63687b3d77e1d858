/// A balanced name has other addresses to answer from than it had.
package struct NameTurn: Hashable, Sendable {
  package var name: String
  /// How many addresses it may be answered with now, and how many it has.
  package var usable = 0
  package var all = 0
  /// How many are well: fewer than are usable, where the name falls back on all of them.
  package var well = 0
  package var gone: [IPAddress] = []
  package var back: [IPAddress] = []
  /// Whose health has changed.
  package var backends: Set<BackendKey> = []
  package var sites: Set<String> = []
  /// Whether that became better; nil: some did, and some did not.
  package var isWell: Bool?

  package init(name: String) { self.name = name }
}

extension NameTurn: CustomStringConvertible {
  package var description: String {
    var words = "answers from \(usable == 0 ? "none" : "\(usable)") of \(all) addresses"
    if usable > well { return words + ", though \(well == 0 ? "none is" : well == 1 ? "1 is" : "\(well) are") well" }
    if !gone.isEmpty { words += ", without \(NameTurn.list(gone))" }
    if !back.isEmpty { words += ", with \(NameTurn.list(back)) again" }
    return words
  }

  private static func list(_ addresses: [IPAddress]) -> String {
    let first = addresses.prefix(3).map { "\($0)" }.joined(separator: ", ")
    return addresses.count > 3 ? "\(first) and \(addresses.count - 3) more" : first
  }
}
