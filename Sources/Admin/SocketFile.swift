internal import FoundationEssentials

/// The Unix socket's file: made under another name, given its permissions, and only
/// then moved into place, so that nobody can connect before they hold.
struct SocketFile {
  let path: String

  init(path: String) { self.path = path }

  /// Where the socket is bound first: a process's own, since NIO removes the file of that name when it closes the
  /// socket, and another process may be about to take over.
  var draft: String {
    let number = String(ProcessInfo.processInfo.processIdentifier % 46_656, radix: 36)
    return path + "." + String(repeating: "0", count: 3 - number.count) + number
  }

  /// Makes the directory, and clears away what a node that was killed left behind.
  /// - Parameter isTakeOver: who answers there is about to leave.
  func prepare(isTakeOver: Bool = false) async throws(AdminServer.Failure) {
    let files = FileManager.default
    // sun_path holds 108 bytes with its terminator.
    guard draft.utf8.count <= 107 else {
      throw failure("its path is longer than 103 bytes", hint: "set admin.socket to a shorter path")
    }
    let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    if !directory.isEmpty, !files.fileExists(atPath: directory) {
      do {
        try files.createDirectory(
          atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
      } catch {
        throw failure(
          "the directory cannot be made",
          hint: "make \(directory) writable for this user, or set admin.socket elsewhere")
      }
    }
    try? files.removeItem(atPath: draft)
    guard let type = try? files.attributesOfItem(atPath: path)[.type] as? FileAttributeType else { return }
    guard type == .typeSocket else {
      throw failure(
        "there is a file of that name that is no socket", hint: "move it away, or set admin.socket elsewhere")
    }
    if isTakeOver { return }
    if await AdminClient(socket: path).isAnswered() {
      throw failure("another node answers there", hint: "stop it first, or set admin.socket to another path")
    }
    do {
      try files.removeItem(atPath: path)
    } catch {
      throw failure("the file of a dead node cannot be removed", hint: "remove it by hand")
    }
  }

  /// Gives the bound socket its permissions and its name.
  /// - Parameter rename: replaces what has the name; without it nothing has.
  func publish(rename: ((String, String) throws -> Void)? = nil) throws(AdminServer.Failure) {
    do {
      try FileManager.default.setAttributes([.posixPermissions: 0o660], ofItemAtPath: draft)
      if let rename { try rename(draft, path) } else { try FileManager.default.moveItem(atPath: draft, toPath: path) }
    } catch {
      throw failure("the socket cannot be put in place", hint: "is the directory writable for this user?")
    }
  }

  func remove(isPublished: Bool = true) {
    try? FileManager.default.removeItem(atPath: draft)
    if isPublished { try? FileManager.default.removeItem(atPath: path) }
  }

  private func failure(_ reason: String, hint: String) -> AdminServer.Failure {
    AdminServer.Failure(message: "the admin socket \(path): \(reason)", hint: hint)
  }
}
