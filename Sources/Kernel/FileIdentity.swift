internal import Glibc

/// Which file stands at a path now; another one has another identity, also under the same name.
package struct FileIdentity: Hashable, Sendable {
  private let device: UInt
  private let number: UInt

  /// nil: there is none, or it cannot be seen.
  package init?(path: String) {
    var found = stat()
    guard unsafe stat(path, &found) == 0 else { return nil }
    device = UInt(found.st_dev)
    number = UInt(found.st_ino)
  }
}
