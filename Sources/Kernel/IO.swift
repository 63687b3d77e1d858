package import CKernel
internal import Glibc

/// Bytes through descriptors, one system call each. The memory is the caller's (the Reactor's buffers).
package enum IO {
  @unsafe package static func receive(_ fd: Int32, _ memory: UnsafeMutableRawBufferPointer) -> Transfer {
    let count = unsafe recv(fd, memory.baseAddress, memory.count, 0)
    return Transfer(returned: count, error: errno)
  }

  /// `more`: further bytes follow at once (MSG_MORE), so the kernel may hold a partial segment.
  @unsafe package static func send(_ fd: Int32, _ memory: UnsafeRawBufferPointer, more: Bool = false) -> Transfer {
    let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
    let count = unsafe Glibc.send(fd, memory.baseAddress, memory.count, flags)
    return Transfer(returned: count, error: errno)
  }

  /// Gathers several pieces into one send.
  @unsafe package static func send(
    _ fd: Int32, pieces: UnsafeMutablePointer<iovec>, count: Int, more: Bool = false
  ) -> Transfer {
    // PERF: one piece is the rule, and send is 0.1 µs cheaper than sendmsg.
    if count == 1 {
      return unsafe send(fd, UnsafeRawBufferPointer(start: pieces[0].iov_base, count: pieces[0].iov_len), more: more)
    }
    var message = unsafe msghdr()
    unsafe message.msg_iov = pieces
    unsafe message.msg_iovlen = count
    let sent = unsafe sendmsg(fd, &message, Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0))
    return Transfer(returned: sent, error: errno)
  }

  /// Two pieces in one send.
  @unsafe package static func send(
    _ fd: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, more: Bool = false
  ) -> Transfer {
    // SAFETY: the kernel only reads from what the pieces point to, within the call.
    var pieces = unsafe (
      iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count),
      iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count)
    )
    return unsafe withUnsafeMutableBytes(of: &pieces) { memory in
      unsafe send(fd, pieces: memory.baseAddress!.assumingMemoryBound(to: iovec.self), count: 2, more: more)
    }
  }

  /// Appends to a file or a pipe.
  package static func write(_ fd: Int32, _ bytes: Span<UInt8>) -> Transfer {
    // SAFETY: the span lives through the call, which only reads it.
    unsafe bytes.withUnsafeBytes { memory in
      let count = unsafe Glibc.write(fd, memory.baseAddress, memory.count)
      return Transfer(returned: count, error: errno)
    }
  }

  /// Puts a file in another's place, in one step.
  package static func rename(_ path: String, to target: String) throws(Errno) {
    guard unsafe Glibc.rename(path, target) == 0 else { throw .last }
  }

  /// Opens a file for appending, creating it with mode 0640.
  package static func openLog(_ path: String) throws(Errno) -> Int32 {
    let fd = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
    guard fd >= 0 else { throw .last }
    return fd
  }
}
