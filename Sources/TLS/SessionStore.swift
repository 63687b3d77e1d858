internal import COpenSSL

/// Sessions that backends let one worker resume: the last of each backend.
@safe final class SessionStore {
  @safe private struct Entry {
    let context: UInt64
    // SAFETY: a reference of the store's, freed when it is replaced or the store ends.
    let session: OpaquePointer
  }

  private var entries: [UInt32: Entry] = [:]

  deinit { for entry in entries.values { unsafe SSL_SESSION_free(entry.session) } }

  /// The session to offer; nil: none, or it was agreed on under other rules.
  @unsafe func find(_ backend: UInt32, context: UInt64) -> OpaquePointer? {
    guard let entry = entries[backend] else { return nil }
    guard entry.context == context, unsafe SSL_SESSION_is_resumable(entry.session) == 1 else {
      forget(backend)
      return nil
    }
    return unsafe entry.session
  }

  @unsafe func keep(_ session: OpaquePointer, backend: UInt32, context: UInt64) {
    forget(backend)
    entries[backend] = unsafe Entry(context: context, session: session)
  }

  func forget(_ backend: UInt32) {
    if let old = entries.removeValue(forKey: backend) { unsafe SSL_SESSION_free(old.session) }
  }

  // MARK: What a connection says of itself to OpenSSL's callback

  /// Set on each connection to a backend.
  struct Owner {
    let store: SessionStore
    let backend: UInt32
    let context: UInt64
  }

  private static let storeIndex = sluice_session_index()
  private static let backendIndex = sluice_session_index()
  private static let contextIndex = sluice_session_index()

  @unsafe func mark(_ session: OpaquePointer, backend: UInt32, context: UInt64) {
    // SAFETY: the store outlives the connections of its table; numbers travel as pointers that nobody follows.
    _ = unsafe SSL_set_ex_data(session, SessionStore.storeIndex, Unmanaged.passUnretained(self).toOpaque())
    _ = unsafe SSL_set_ex_data(
      session, SessionStore.backendIndex, UnsafeMutableRawPointer(bitPattern: UInt(backend) + 1))
    _ = unsafe SSL_set_ex_data(session, SessionStore.contextIndex, UnsafeMutableRawPointer(bitPattern: UInt(context)))
  }

  @unsafe static func owner(_ session: OpaquePointer?) -> Owner? {
    // SAFETY: set by `mark`.
    guard let store = unsafe SSL_get_ex_data(session, storeIndex) else { return nil }
    let backend = unsafe UInt(bitPattern: SSL_get_ex_data(session, backendIndex))
    let context = unsafe UInt(bitPattern: SSL_get_ex_data(session, contextIndex))
    guard backend > 0 else { return nil }
    return unsafe Owner(
      store: Unmanaged<SessionStore>.fromOpaque(store).takeUnretainedValue(), backend: UInt32(backend - 1),
      context: UInt64(context))
  }
}

/// OpenSSL has a session that can be resumed; 1: its reference is kept.
@unsafe func keepSession(_ connection: OpaquePointer?, _ session: OpaquePointer?) -> Int32 {
  guard let owner = unsafe SessionStore.owner(connection), let session = unsafe session else { return 0 }
  unsafe owner.store.keep(session, backend: owner.backend, context: owner.context)
  return 1
}
