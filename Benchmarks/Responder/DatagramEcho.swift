internal import CKernel
internal import Glibc

/// Sends datagrams back to where they came from, up to 64 with two system calls.
@safe struct DatagramEcho: ~Copyable {
  private static let batch = 64
  private static let room = 2048

  // SAFETY: four tables of `batch` entries, allocated here, freed in deinit; the headers point into the others, and the
  // kernel writes no more than the lengths that `reset` sets before each call.
  private let messages = UnsafeMutablePointer<sluice_datagram>.allocate(capacity: batch)
  private let names = UnsafeMutablePointer<sockaddr_storage>.allocate(capacity: batch)
  private let pieces = UnsafeMutablePointer<iovec>.allocate(capacity: batch)
  private let bytes = UnsafeMutableRawPointer.allocate(byteCount: batch * room, alignment: 64)

  init() {
    unsafe messages.initialize(repeating: sluice_datagram(), count: DatagramEcho.batch)
    unsafe names.initialize(repeating: sockaddr_storage(), count: DatagramEcho.batch)
    for index in 0..<DatagramEcho.batch {
      unsafe pieces.advanced(by: index).initialize(to: iovec(iov_base: bytes + index * DatagramEcho.room, iov_len: 0))
      unsafe messages[index].header.msg_name = UnsafeMutableRawPointer(names + index)
      unsafe messages[index].header.msg_iov = pieces + index
      unsafe messages[index].header.msg_iovlen = 1
    }
  }

  deinit {
    unsafe messages.deallocate()
    unsafe names.deallocate()
    unsafe pieces.deallocate()
    unsafe bytes.deallocate()
  }

  /// Answers what waits on the socket. What it refuses to send is lost, as on a network.
  mutating func serve(_ fd: Int32) {
    while true {
      for index in 0..<DatagramEcho.batch {
        unsafe messages[index].header.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
        unsafe pieces[index].iov_len = DatagramEcho.room
      }
      let count = Int(unsafe sluice_recvmmsg(fd, messages, UInt32(DatagramEcho.batch), 0))
      guard count > 0 else { return }
      for index in 0..<count { unsafe pieces[index].iov_len = Int(messages[index].length) }
      _ = unsafe sluice_sendmmsg(fd, messages, UInt32(count), 0)
      if count < DatagramEcho.batch { return }
    }
  }
}
