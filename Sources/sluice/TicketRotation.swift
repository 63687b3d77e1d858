internal import Foundation
internal import Kernel
internal import Model
internal import Node
internal import TLS

/// Rotates the keys of session tickets, and keeps them in a file where the operator says so.
///
/// Who else writes the file is believed: nodes that share one keep to each other's keys, and the one whose time comes
/// first rotates for all.
struct TicketRotation {
  /// What tells whether the file is another one, without reading it.
  private struct Stamp: Equatable {
    let inode: UInt64
    let modified: Date
  }

  private static let interval = Duration.seconds(1)

  let keys: TicketKeys
  let options: TicketOptions

  /// Takes over what the file holds; makes it when it is not there.
  func begin() {
    guard let path = options.file else { return }
    if FileManager.default.fileExists(atPath: path) {
      if !read(path) {
        Terminal.printError("sluice: \(path): no ticket keys in it; sessions cannot be resumed after this start")
      }
    } else {
      save()
    }
  }

  /// Rotates, and looks whether the file is another one, until the task is cancelled.
  func run() async {
    var known = options.file.flatMap(TicketRotation.stamp)
    var changed = ContinuousClock.now
    while !Task.isCancelled {
      let pause = options.file == nil ? options.rotation : min(options.rotation, TicketRotation.interval)
      do { try await Task.sleep(for: pause) } catch { return }
      if let path = options.file, let stamp = TicketRotation.stamp(path), stamp != known {
        known = stamp
        if read(path) {
          changed = .now
        } else {
          Terminal.printError("sluice: \(path): no ticket keys in it; those from before stay")
        }
      }
      guard ContinuousClock.now - changed >= options.rotation else { continue }
      keys.rotate()
      save()
      changed = .now
      known = options.file.flatMap(TicketRotation.stamp)
    }
  }

  private func read(_ path: String) -> Bool {
    FileManager.default.contents(atPath: path).map { keys.replace(with: Array($0)) } ?? false
  }

  /// In one step, readable by this user alone.
  private func save() {
    guard let path = options.file else { return }
    let fresh = "\(path).new"
    let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
    guard FileManager.default.createFile(atPath: fresh, contents: Data(keys.bytes), attributes: attributes),
      (try? IO.rename(fresh, to: path)) != nil
    else {
      return Terminal.printError("sluice: \(path): ticket keys cannot be written")
    }
  }

  private static func stamp(_ path: String) -> Stamp? {
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
      let modified = attributes[.modificationDate] as? Date
    else { return nil }
    return Stamp(inode: (attributes[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0, modified: modified)
  }
}
