internal import Glibc

/// A system call's error number.
package struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
  package let code: Int32

  @inlinable package init(_ code: Int32) { self.code = code }

  /// Of the calling thread's last failed call.
  package static var last: Errno { Errno(errno) }

  package static let noDescriptors = Errno(EMFILE)
  package static let noDescriptorsInSystem = Errno(ENFILE)
  package static let permission = Errno(EACCES)
  /// A capability is missing.
  package static let notPermitted = Errno(EPERM)
  package static let refused = Errno(ECONNREFUSED)
  package static let reset = Errno(ECONNRESET)
  package static let timedOut = Errno(ETIMEDOUT)
  package static let wouldBlock = Errno(EAGAIN)
  package static let noMemory = Errno(ENOMEM)
  package static let noBuffers = Errno(ENOBUFS)
  /// No local port is left, or no local address.
  package static let addressNotAvailable = Errno(EADDRNOTAVAIL)
  package static let noChild = Errno(ECHILD)
  package static let invalidArgument = Errno(EINVAL)
  package static let messageTooLong = Errno(EMSGSIZE)

  /// The C library's text, e.g. "Connection refused".
  package var description: String { unsafe String(cString: strerror(code)) }
}

/// The outcome of a transfer: bytes, end of stream, "not now", or an error.
package struct Transfer: BitwiseCopyable, Sendable {
  /// Bytes moved; 0 is the end of the stream; negative is an error number's negation.
  package let value: Int

  @inlinable package init(_ value: Int) { self.value = value }

  /// As if the socket had had nothing, or no room.
  package static let wouldBlock = Transfer(-11)
  /// As if the peer had cut the connection.
  package static let reset = Transfer(-104)

  /// From a call that returned -1 with `errno`, or a count.
  @inlinable package init(returned value: Int, error: @autoclosure () -> Int32) {
    self.value = value < 0 ? -Int(error()) : value
  }

  @inlinable package var bytes: Int { max(value, 0) }
  @inlinable package var isEnd: Bool { value == 0 }
  @inlinable package var wouldBlock: Bool { value == -11 }  // EAGAIN, EWOULDBLOCK
  @inlinable package var failed: Bool { value < 0 && value != -11 }
  @inlinable package var error: Errno { Errno(Int32(truncatingIfNeeded: -value)) }
}
