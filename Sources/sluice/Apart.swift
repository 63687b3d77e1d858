internal import Foundation

/// Does what may take seconds (a large zone is read) on a thread of its own: those of Swift's pool are few, and the admin API
/// and the node are answered by them.
func apart<Value: Sendable, Trouble: Error>(
  _ work: @escaping @Sendable () throws(Trouble) -> Value
) async throws(Trouble) -> Value {
  let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, Trouble>, Never>) in
    Foundation.Thread.detachNewThread { continuation.resume(returning: Result(catching: work)) }
  }
  return try result.get()
}
