internal import ArgumentParser
internal import Config

/// A command that nobody knows, and the one that was probably meant.
enum UnknownCommand {
  /// nil: all is known, or nothing is near, or the word may be an argument of a command that is the default there.
  static func message(_ words: [String]) -> String? {
    var known = Sluice.configuration.subcommands
    for word in words {
      guard !word.hasPrefix("-"), word != "help" else { return nil }
      let names = known.map { $0._commandName }
      if let index = names.firstIndex(of: word) {
        known = known[index].configuration.subcommands
        if known.isEmpty { return nil }
        continue
      }
      guard !word.contains("."), !word.contains("/"), let meant = Nearest.word(to: word, among: names) else {
        return nil
      }
      return "There is no command `\(word)`; did you mean `\(meant)`?"
    }
    return nil
  }
}
