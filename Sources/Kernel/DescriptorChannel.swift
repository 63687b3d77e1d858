internal import CKernel
internal import Glibc

/// One end of a pair of sockets over which processes hand each other messages and descriptors. Blocking, with a limit.
package struct DescriptorChannel: Sendable, BitwiseCopyable {
  /// Descriptors in one message.
  package static let most = Int(SLUICE_DESCRIPTORS)
  /// Bytes of one message; what is larger goes into a `MemoryFile`.
  package static let size = 32 * 1024

  package let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// The end that a program finds when it starts; nil: there is no such thing.
  package init?(inherited descriptor: Int32) {
    guard Socket.check(descriptor, type: SOCK_SEQPACKET.rawValue) else { return nil }
    sluice_close_on_exec(descriptor)
    self.descriptor = descriptor
  }

  /// Two connected ends; messages keep their bounds.
  package static func pair() throws(Errno) -> (DescriptorChannel, DescriptorChannel) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    // SAFETY: writes the two numbers of a local array.
    guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw .last }
    // Who does not read keeps nobody for longer.
    for end in ends { Socket.setSendTimeout(end, milliseconds: 10_000) }
    return (DescriptorChannel(ends[0]), DescriptorChannel(ends[1]))
  }

  /// The receiver gets descriptors of its own; these stay the sender's.
  package func send(_ bytes: [UInt8], _ descriptors: [Int32] = []) throws(Errno) {
    // SAFETY: both arrays live through the call, which only reads them.
    let sent = unsafe bytes.withUnsafeBytes { content in
      unsafe descriptors.withUnsafeBufferPointer { numbers in
        unsafe sluice_send_descriptors(
          descriptor, content.baseAddress, content.count, numbers.baseAddress, numbers.count)
      }
    }
    guard sent == bytes.count else { throw sent < 0 ? .last : .messageTooLong }
  }

  package struct Message: Sendable {
    package var bytes: [UInt8]
    /// The receiver's to close.
    package var descriptors: [Int32]
  }

  /// The next message; nil: the other end is closed.
  /// - Throws: `timedOut` when none comes in time.
  package func receive(milliseconds: Int32) throws(Errno) -> Message? {
    var query = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // SAFETY: one entry, written during the call.
    let ready = unsafe poll(&query, 1, milliseconds)
    guard ready != 0 else { throw .timedOut }
    guard ready > 0 else { throw .last }
    var bytes = [UInt8](repeating: 0, count: DescriptorChannel.size)
    var numbers = [Int32](repeating: -1, count: DescriptorChannel.most)
    var count = 0
    // SAFETY: both arrays live through the call, which writes at most as much as they hold.
    let received = unsafe bytes.withUnsafeMutableBytes { content in
      unsafe numbers.withUnsafeMutableBufferPointer { numbers in
        unsafe sluice_receive_descriptors(
          descriptor, content.baseAddress, content.count, numbers.baseAddress, &count)
      }
    }
    guard received >= 0 else {
      let error = Errno.last
      if error == .reset { return nil }
      throw error
    }
    guard received > 0 else { return nil }
    bytes.removeSubrange(received...)
    return Message(bytes: bytes, descriptors: Array(numbers.prefix(count)))
  }

  package func close() { _ = Glibc.close(descriptor) }
}

/// A file without a name, in memory: what is too large for one message.
package enum MemoryFile {
  /// - Returns: its descriptor, the caller's to close.
  package static func make(_ bytes: [UInt8]) throws(Errno) -> Int32 {
    let fd = unsafe sluice_memory_file("sluice-handover")
    guard fd >= 0 else { throw .last }
    var start = 0
    while start < bytes.count {
      let result = IO.write(fd, bytes.span.extracting(start..<bytes.count))
      guard result.value > 0 else {
        _ = Glibc.close(fd)
        throw result.error
      }
      start += result.bytes
    }
    return fd
  }

  /// All of it, and closes it; throws when it is longer than `limit`.
  package static func read(_ fd: Int32, limit: Int) throws(Errno) -> [UInt8] {
    defer { _ = Glibc.close(fd) }
    let length = lseek(fd, 0, SEEK_END)
    guard length >= 0 else { throw .last }
    guard length <= limit else { throw .messageTooLong }
    var bytes = [UInt8](repeating: 0, count: length)
    var start = 0
    while start < length {
      // SAFETY: reads into the rest of the array, at most as much as it holds.
      let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe pread(fd, $0.baseAddress! + start, length - start, start)
      }
      guard count > 0 else { throw count < 0 ? .last : .invalidArgument }
      start += count
    }
    return bytes
  }
}
