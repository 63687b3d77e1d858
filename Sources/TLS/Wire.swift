internal import COpenSSL

/// The encrypted side of whichever connection is being worked on: what was received and not yet taken, what is to be sent.
///
/// PERF: one pair of buffers and one BIO for all connections of a thread. A BIO pair for each would cost an idle
/// connection 34 KB, a pair of memory BIOs two allocations a record.
@safe struct Wire {
  static let capacity = 64 * 1024
  /// A region's bytes as records, and a handshake's longest flight.
  static let outCapacity = 96 * 1024

  // SAFETY: owned by the table of connections, which allocates and frees them; all access is below the counts.
  let incoming: UnsafeMutablePointer<UInt8>
  let outgoing: UnsafeMutablePointer<UInt8>
  var start = 0
  var end = 0
  var pending = 0
  /// What OpenSSL has done of itself since the caller's last question, a peer's bytes being the cause: messages of the
  /// handshake protocol and alerts, each in one to three steps.
  var steps = 0

  /// A handshake that comes in one piece takes 40. Beyond, nothing more is read, and the session fails.
  static let maxSteps = 128
}

/// OpenSSL's reads and writes end in a `Wire`.
enum WireBIO {
  // SAFETY: made once, changed never, never freed.
  private static nonisolated(unsafe) let method: OpaquePointer = {
    let method = unsafe BIO_meth_new(sluice_bio_type(), "wire")!
    _ = unsafe BIO_meth_set_create(method) { bio in
      unsafe BIO_set_init(bio, 1)
      return 1
    }
    _ = unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in
      // Everything is flushed at once; of what else OpenSSL may ask, nothing is needed.
      command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0
    }
    _ = unsafe BIO_meth_set_read_ex(method) { bio, memory, room, count in
      unsafe WireBIO.read(bio, memory, room, count)
    }
    _ = unsafe BIO_meth_set_write_ex(method) { bio, memory, size, count in
      unsafe WireBIO.write(bio, memory, size, count)
    }
    return unsafe method
  }()

  @unsafe static func make(_ wire: UnsafeMutablePointer<Wire>) -> OpaquePointer {
    // SAFETY: fails only without memory. The wire outlives the BIO: its owner frees both.
    let bio = unsafe BIO_new(method)!
    unsafe BIO_set_data(bio, wire)
    return unsafe bio
  }

  @unsafe private static func wire(_ bio: OpaquePointer?) -> UnsafeMutablePointer<Wire> {
    unsafe BIO_get_data(bio)!.assumingMemoryBound(to: Wire.self)
  }

  /// OpenSSL tells of a step.
  @unsafe static func noteStep(_ session: OpaquePointer?) {
    // A session may be told of before it has its BIO.
    guard let bio = unsafe SSL_get_rbio(session) else { return }
    unsafe wire(bio).pointee.steps += 1
  }

  @unsafe private static func read(
    _ bio: OpaquePointer?, _ memory: UnsafeMutablePointer<CChar>?, _ room: Int, _ count: UnsafeMutablePointer<Int>?
  ) -> Int32 {
    let wire = unsafe wire(bio)
    unsafe sluice_clear_retry(bio)
    guard unsafe wire.pointee.steps <= Wire.maxSteps else { return 0 }
    let size = unsafe min(room, wire.pointee.end - wire.pointee.start)
    guard size > 0 else {
      unsafe sluice_retry_read(bio)
      return 0
    }
    // SAFETY: OpenSSL has `room` bytes there.
    unsafe UnsafeMutableRawPointer(memory!).copyMemory(
      from: wire.pointee.incoming + wire.pointee.start, byteCount: size)
    unsafe wire.pointee.start += size
    unsafe count!.pointee = size
    return 1
  }

  @unsafe private static func write(
    _ bio: OpaquePointer?, _ memory: UnsafePointer<CChar>?, _ size: Int, _ count: UnsafeMutablePointer<Int>?
  ) -> Int32 {
    let wire = unsafe wire(bio)
    unsafe sluice_clear_retry(bio)
    let taken = unsafe min(size, Wire.outCapacity - wire.pointee.pending)
    guard taken > 0 else {
      unsafe sluice_retry_write(bio)
      return 0
    }
    // SAFETY: OpenSSL has `size` bytes there, of which `taken` fit.
    unsafe UnsafeMutableRawPointer(wire.pointee.outgoing + wire.pointee.pending).copyMemory(
      from: memory!, byteCount: taken)
    unsafe wire.pointee.pending += taken
    unsafe count!.pointee = taken
    return 1
  }
}
