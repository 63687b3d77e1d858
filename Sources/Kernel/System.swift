internal import CKernel
internal import Glibc
package import Model

/// What this machine and this process are called.
package enum System {
  package static var process: Int32 { getpid() }

  /// At most 64 bytes; "-" when there is none.
  package static var hostName: String {
    var bytes = [CChar](repeating: 0, count: 65)
    // SAFETY: writes at most 64 bytes into the array, whose last one stays zero.
    guard unsafe gethostname(&bytes, 64) == 0 else { return "-" }
    let text = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.isEmpty ? "-" : text
  }

  /// Lines that the terminal behind a descriptor shows; nil: it is none, or does not say.
  package static func terminalLines(_ fd: Int32) -> Int? {
    var size = winsize()
    // SAFETY: writes no more than this struct.
    guard unsafe ioctl(fd, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return nil }
    return Int(size.ws_row)
  }
}

extension Socket {
  /// A datagram socket whose sends wait, for at most a second, until the receiver has room.
  package static func connectBlocking(_ address: SocketAddress) throws(Errno) -> Int32 {
    let name = SocketName(address)
    let fd = socket(name.domain, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { throw .last }
    setSendTimeout(fd, milliseconds: 1000)
    guard unsafe name.withPointer({ unsafe Glibc.connect(fd, $0, $1) }) == 0 else {
      let error = Errno.last
      close(fd)
      throw error
    }
    return fd
  }

  package static func sendDatagram(_ fd: Int32, _ bytes: [UInt8]) throws(Errno) {
    // SAFETY: the array lives through the call, which only reads it.
    let sent = unsafe bytes.withUnsafeBytes { unsafe Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    guard sent == bytes.count else { throw .last }
  }
}
