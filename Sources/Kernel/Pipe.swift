internal import CKernel
internal import Glibc

/// A pipe between two sockets: pages pass from one to the other, and no byte is copied through user space.
package struct Pipe: BitwiseCopyable, Sendable {
  private let reader: Int32
  private let writer: Int32

  /// - Parameter capacity: bytes that it shall hold; the system's default (64 KiB) when it grants no more.
  package init(capacity: Int32) throws(Errno) {
    var ends: (Int32, Int32) = (-1, -1)
    // SAFETY: the call writes two descriptors into a tuple of two.
    let result = unsafe withUnsafeMutableBytes(of: &ends) { memory in
      unsafe sluice_pipe2(memory.baseAddress!.assumingMemoryBound(to: Int32.self), O_NONBLOCK | O_CLOEXEC)
    }
    guard result == 0 else { throw .last }
    (reader, writer) = ends
    _ = sluice_set_pipe_size(writer, capacity)
  }

  /// Takes up to `limit` bytes from a socket. Fewer than asked for does not mean that the socket is empty: the pipe
  /// has a bounded number of places, and each may hold little.
  package func fill(from fd: Int32, atMost limit: Int) -> Transfer {
    Transfer(returned: sluice_splice(fd, writer, limit, 0), error: errno)
  }

  /// Gives up to `limit` bytes to a socket. Fewer than there are means that the socket takes no more now.
  package func drain(to fd: Int32, atMost limit: Int) -> Transfer {
    Transfer(returned: sluice_splice(reader, fd, limit, 0), error: errno)
  }

  package func close() {
    _ = Glibc.close(reader)
    _ = Glibc.close(writer)
  }
}
