internal import CKernel
internal import Glibc
package import Kernel
package import Model

/// Questions that are received together and whose answers leave together: two system calls for up to 64 exchanges.
///
/// For protocols of short questions and short answers. An answer goes to where its question came from; through a
/// socket on every address it leaves from the address that was asked.
@safe package struct AnswerBatch: ~Copyable {
  package static let slots = 64
  /// Bytes of a question; a longer one arrives cut, and `isTruncated` says so.
  package static let questionRoom = 2048
  package static let answerRoom = 4096
  /// PERF: not a power of two, and answers stand one behind the other: at 2048 and 4096 bytes from each other the
  /// beginnings of all questions, and of all answers, share few sets of an L1 cache of 8 lines each.
  private static let questionStride = questionRoom + 64
  /// One cmsg with an in6_pktinfo takes 40 bytes.
  private static let controlRoom = 64

  // SAFETY: all are owned by this value, initialised in init and freed in deinit. The kernel's views (`asked`,
  // `answered`) point only into the others, with the lengths of their parts; indices are checked against the counts.
  private let asked: UnsafeMutablePointer<sluice_datagram>
  private let answered: UnsafeMutablePointer<sluice_datagram>
  private let names: UnsafeMutablePointer<SocketName>
  private let pieces: UnsafeMutablePointer<iovec>
  private let controls: UnsafeMutableRawPointer
  private let questions: UnsafeMutablePointer<UInt8>
  private let answers: UnsafeMutablePointer<UInt8>
  /// Questions that are held, and answers that wait to be sent.
  package private(set) var count = 0
  package private(set) var pending = 0
  /// Where the next answer goes.
  private var answerEnd = 0
  private var hasControl = false

  package init() {
    let slots = AnswerBatch.slots
    unsafe asked = .allocate(capacity: slots)
    unsafe asked.initialize(repeating: sluice_datagram(), count: slots)
    unsafe answered = .allocate(capacity: slots)
    unsafe answered.initialize(repeating: sluice_datagram(), count: slots)
    unsafe names = .allocate(capacity: slots)
    unsafe names.initialize(repeating: SocketName(), count: slots)
    unsafe pieces = .allocate(capacity: 2 * slots)
    unsafe pieces.initialize(repeating: iovec(), count: 2 * slots)
    unsafe controls = .allocate(byteCount: slots * AnswerBatch.controlRoom, alignment: 16)
    unsafe questions = .allocate(capacity: slots * AnswerBatch.questionStride)
    unsafe questions.initialize(repeating: 0, count: slots * AnswerBatch.questionStride)
    unsafe answers = .allocate(capacity: slots * AnswerBatch.answerRoom)
    unsafe answers.initialize(repeating: 0, count: slots * AnswerBatch.answerRoom)
    for slot in 0..<slots {
      unsafe pieces[slot] = iovec(
        iov_base: questions + slot * AnswerBatch.questionStride, iov_len: AnswerBatch.questionRoom)
      unsafe asked[slot].header.msg_iov = pieces + slot
      unsafe asked[slot].header.msg_iovlen = 1
      unsafe asked[slot].header.msg_name = UnsafeMutableRawPointer(names + slot)
      unsafe pieces[slots + slot] = iovec(iov_base: answers, iov_len: 0)
      unsafe answered[slot].header.msg_iov = pieces + (slots + slot)
      unsafe answered[slot].header.msg_iovlen = 1
    }
    for slot in 0..<slots { prepare(slot) }
  }

  deinit {
    unsafe asked.deallocate()
    unsafe answered.deallocate()
    unsafe names.deallocate()
    unsafe pieces.deallocate()
    unsafe controls.deallocate()
    unsafe questions.deallocate()
    unsafe answers.deallocate()
  }

  /// What the kernel changes when it fills a slot.
  private func prepare(_ slot: Int) {
    unsafe asked[slot].header.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
    if hasControl {
      unsafe asked[slot].header.msg_control = controls + slot * AnswerBatch.controlRoom
      unsafe asked[slot].header.msg_controllen = AnswerBatch.controlRoom
    } else {
      unsafe asked[slot].header.msg_control = nil
      unsafe asked[slot].header.msg_controllen = 0
    }
  }

  /// Receives what waits, in one system call, and forgets the batch before. Fewer than `slots` means that the socket
  /// is empty.
  /// - Parameter destinations: whether the socket tells where each question was sent to (`Socket.listen`).
  package mutating func receive(from fd: Int32, destinations: Bool) -> Transfer {
    let used = destinations == hasControl ? count : AnswerBatch.slots
    hasControl = destinations
    for slot in 0..<used { prepare(slot) }
    count = 0
    pending = 0
    answerEnd = 0
    let received = unsafe sluice_recvmmsg(fd, asked, UInt32(AnswerBatch.slots), 0)
    let result = Transfer(returned: Int(received), error: errno)
    count = result.bytes
    return result
  }

  private func check(_ index: Int) { precondition(index >= 0 && index < count) }

  @_lifetime(borrow self)
  package func question(_ index: Int) -> Span<UInt8> {
    check(index)
    let length = unsafe min(Int(asked[index].length), AnswerBatch.questionRoom)
    let span = unsafe Span(_unsafeStart: questions + index * AnswerBatch.questionStride, count: length)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  package func isTruncated(_ index: Int) -> Bool {
    check(index)
    return unsafe asked[index].header.msg_flags & Int32(MSG_TRUNC) != 0
  }

  /// Who asks; an IPv4 address for a mapped one.
  package func source(_ index: Int) -> Endpoint? {
    check(index)
    return unsafe names[index].endpoint
  }

  /// Queues the answer to a question; false when it is longer than `answerRoom`.
  package mutating func answer(_ index: Int, _ bytes: [UInt8], count length: Int) -> Bool {
    check(index)
    guard length <= AnswerBatch.answerRoom, length <= bytes.count, pending < AnswerBatch.slots else { return false }
    let slot = pending
    unsafe bytes.withUnsafeBufferPointer { source in
      unsafe (answers + answerEnd).update(from: source.baseAddress!, count: length)
    }
    unsafe pieces[AnswerBatch.slots + slot] = iovec(iov_base: answers + answerEnd, iov_len: length)
    // INVARIANT: at most `slots` times at most `answerRoom`, which is a multiple of a cache line.
    answerEnd += (length + 63) & ~63
    unsafe answered[slot].header.msg_name = UnsafeMutableRawPointer(names + index)
    unsafe answered[slot].header.msg_namelen = asked[index].header.msg_namelen
    if hasControl {
      // From the address that was asked, by whatever way leads back.
      var info = unsafe sluice_get_packet_info(&asked[index].header)
      unsafe answered[slot].header.msg_control = controls + index * AnswerBatch.controlRoom
      unsafe answered[slot].header.msg_controllen = 0
      if info.family != 0 {
        // A link-local address means something on its interface only.
        if !(info.family == AF_INET6 && info.high >> 54 == 0x3fa) { info.interface = 0 }
        unsafe sluice_set_packet_info(&answered[slot].header, info)
      }
    } else {
      unsafe answered[slot].header.msg_control = nil
      unsafe answered[slot].header.msg_controllen = 0
    }
    pending += 1
    return true
  }

  /// Sends the queued answers; what the socket refuses is lost, as datagrams may be.
  /// - Returns: how many were sent.
  package mutating func send(through fd: Int32) -> Int {
    var next = 0
    var sent = 0
    while next < pending {
      let result = unsafe sluice_sendmmsg(fd, answered + next, UInt32(pending - next), 0)
      if result > 0 {
        next += Int(result)
        sent += Int(result)
      } else if errno != EINTR {
        // An unreachable client, or a full buffer: the first one is given up, the others are tried.
        next += 1
      }
    }
    pending = 0
    answerEnd = 0
    return sent
  }
}
