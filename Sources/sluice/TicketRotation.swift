internal import Foundation
internal import Kernel
internal import Model
internal import Node
internal import TLS

/// Rotates the keys of session tickets, and keeps them in a file where the operator says so.
struct TicketRotation {
  let keys: TicketKeys
  let options: TicketOptions

  /// Takes over what the file holds; makes it when it is not there.
  func begin() {
    guard let path = options.file else { return }
    if let data = FileManager.default.contents(atPath: path) {
      guard keys.replace(with: Array(data)) else {
        return Terminal.printError("sluice: \(path): no ticket keys in it; sessions cannot be resumed after this start")
      }
    } else {
      save()
    }
  }

  /// Rotates until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      do { try await Task.sleep(for: options.rotation) } catch { return }
      keys.rotate()
      save()
    }
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
}
