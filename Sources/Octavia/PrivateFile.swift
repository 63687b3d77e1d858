internal import Foundation

/// A file that only this user may read, from its first byte; in one step where one was there.
enum PrivateFile {
  static func write(_ bytes: [UInt8], to file: String) throws {
    let manager = FileManager.default
    guard
      manager.createFile(atPath: "\(file).new", contents: Data(bytes), attributes: [.posixPermissions: 0o600])
    else { throw StepFailure("\(file).new cannot be written") }
    guard manager.fileExists(atPath: file) else { return try manager.moveItem(atPath: "\(file).new", toPath: file) }
    _ = try manager.replaceItemAt(URL(fileURLWithPath: file), withItemAt: URL(fileURLWithPath: "\(file).new"))
  }
}
