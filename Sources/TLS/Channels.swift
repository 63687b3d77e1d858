internal import COpenSSL
package import Kernel
package import Model
package import Reactor

/// The TLS side of one thread's connections. A channel is known by its number; its bytes pass through the one `Wire`.
///
/// The turn of a channel: `load` or `receive` what came from its socket, then `shake`, `decrypt` or `encrypt`, then
/// send what is `pending` before the next channel's turn. What it could not take stays with it.
@safe package struct Channels: ~Copyable {
  @safe struct Channel: BitwiseCopyable {
    // SAFETY: owned by this table: made by `accept` or `connect`, freed once, by `close` or deinit.
    var session: OpaquePointer?
    /// Bytes of it wait in `held`.
    var isHeld = false
    var isServer = false
    /// Nothing may be asked of it any more.
    var hasFailed = false
    var hasEnded = false
    /// The peer has said that it sends no more.
    var isAtEnd = false
    /// Clear bytes wait in the session: their reader had no room.
    var isUnread = false
    /// Steps that the peer has brought about behind the handshake, less what its content has earned it.
    var steps = 0
  }

  var channels: Slab<Channel>
  // SAFETY: owned: allocated in init, freed in deinit after every session, whose BIO looks into it.
  let wire: UnsafeMutablePointer<Wire>
  private let bio: OpaquePointer
  private let store = SessionStore()
  /// Of channels whose reader had no room: encrypted bytes that were received already. Rare, at most a wire's each.
  private var held: [UInt32: [UInt8]] = [:]

  package init(limit: Int) {
    channels = Slab(limit: limit, blank: Channel())
    unsafe wire = .allocate(capacity: 1)
    unsafe wire.initialize(
      to: Wire(incoming: .allocate(capacity: Wire.capacity), outgoing: .allocate(capacity: Wire.outCapacity)))
    unsafe bio = WireBIO.make(wire)
  }

  deinit {
    for index in channels.indices where channels.isUsed(index) { unsafe SSL_free(channels[index].session) }
    unsafe BIO_free(bio)
    unsafe wire.pointee.incoming.deallocate()
    unsafe wire.pointee.outgoing.deallocate()
    unsafe wire.deallocate()
  }

  package var count: Int { channels.count }

  // MARK: A channel's beginning and end

  /// A client's channel; nil at the limit, or without memory.
  package mutating func accept(_ context: ServerContext) -> UInt32? {
    guard let index = unsafe open(context.context.pointer) else { return nil }
    channels[index].isServer = true
    unsafe SSL_set_accept_state(channels[index].session)
    return index
  }

  /// A channel to a backend.
  ///
  /// - Parameter backend: what its sessions are kept under.
  package mutating func connect(_ context: ClientContext, to address: SocketAddress, backend: UInt32) -> UInt32? {
    guard let index = unsafe open(context.context.pointer), let session = unsafe channels[index].session else {
      return nil
    }
    unsafe SSL_set_connect_state(session)
    unsafe context.expect(address, on: session)
    if context.resumes {
      unsafe store.mark(session, backend: backend, context: context.number)
      if let old = unsafe store.find(backend, context: context.number) { _ = unsafe SSL_set_session(session, old) }
    }
    return index
  }

  @unsafe private mutating func open(_ context: OpaquePointer) -> UInt32? {
    guard let index = channels.insert() else { return nil }
    guard let session = unsafe SSL_new(context) else {
      ERR_clear_error()
      channels.remove(index)
      return nil
    }
    // SAFETY: the session takes one reference for both directions.
    _ = unsafe BIO_up_ref(bio)
    unsafe SSL_set_bio(session, bio, bio)
    unsafe channels[index].session = session
    return index
  }

  package mutating func close(_ index: UInt32) {
    if channels[index].isHeld { held[index] = nil }
    unsafe SSL_free(channels[index].session)
    channels.remove(index)
  }

  // MARK: The wire

  /// Encrypted bytes from a socket, for the channel whose turn it is. One system call.
  package mutating func receive(from descriptor: Int32, atMost limit: Int) -> Transfer {
    let end = unsafe wire.pointee.end
    let room = min(limit, Wire.capacity - end)
    let result = unsafe IO.receive(
      descriptor, UnsafeMutableRawBufferPointer(start: wire.pointee.incoming + end, count: room))
    unsafe wire.pointee.end += result.bytes
    return result
  }

  /// Brings back what the channel could not take in its last turn; whether there was something.
  package mutating func load(_ index: UInt32) -> Bool {
    unsafe wire.pointee.start = 0
    unsafe wire.pointee.end = 0
    guard channels[index].isHeld || channels[index].isUnread else { return false }
    guard channels[index].isHeld, let bytes = held.removeValue(forKey: index) else { return true }
    channels[index].isHeld = false
    for (offset, byte) in bytes.enumerated() { unsafe wire.pointee.incoming[offset] = byte }
    unsafe wire.pointee.end = bytes.count
    return true
  }

  /// Room for `receive`.
  package var room: Int { unsafe Wire.capacity - wire.pointee.end }

  /// Puts what the channel did not take aside; whether there is something.
  package mutating func hold(_ index: UInt32) -> Bool {
    let (start, end) = unsafe (wire.pointee.start, wire.pointee.end)
    guard start < end else { return false }
    held[index] = unsafe Array(UnsafeBufferPointer(start: wire.pointee.incoming + start, count: end - start))
    channels[index].isHeld = true
    unsafe wire.pointee.start = 0
    unsafe wire.pointee.end = 0
    return true
  }

  /// Encrypted bytes to be sent.
  package var pendingCount: Int { unsafe wire.pointee.pending }

  package var hasPending: Bool { unsafe wire.pointee.pending > 0 }

  /// Sends what is pending; one system call. What is left after it is the caller's to keep.
  package func send(to descriptor: Int32) -> Transfer {
    unsafe IO.send(descriptor, UnsafeRawBufferPointer(start: wire.pointee.outgoing, count: wire.pointee.pending))
  }

  package mutating func clearPending() { unsafe wire.pointee.pending = 0 }

  /// Moves what is pending behind `start` to the end of a chain; false when the pool is exhausted.
  package mutating func keepPending(from start: Int, in buffers: inout BufferPool, _ chain: inout Chain) -> Bool {
    // SAFETY: below `pending` all bytes were written; nothing writes while they are copied.
    let bytes = unsafe Span<UInt8>(_unsafeStart: wire.pointee.outgoing, count: wire.pointee.pending)
    clearPending()
    return buffers.append(bytes.extracting(start..<bytes.count), to: &chain)
  }

  /// Whether anything can be asked of the channel.
  package enum Standing: Sendable { case open, ended, failed }

  package func standing(_ index: UInt32) -> Standing {
    channels[index].hasFailed ? .failed : channels[index].isAtEnd ? .ended : .open
  }

  /// Gives the channel encrypted bytes that were received before it was made.
  package mutating func put(_ index: UInt32, _ region: borrowing ByteRegion, _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    for position in range { bytes.append(region[position]) }
    held[index] = bytes
    channels[index].isHeld = true
  }
}
