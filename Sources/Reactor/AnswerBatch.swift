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
  /// PERF: not a power of two: at 4096 bytes from each other the beginnings of all of them share one set of an L1
  /// cache of 8 lines each.
  private static let stride = answerRoom + 64
  /// One cmsg with an in6_pktinfo takes 40 bytes.
  private static let controlRoom = 64

  // SAFETY: all are owned by this value, initialised in init and freed in deinit. The kernel's view (`messages`)
  // points only into the others, with the lengths of their parts; indices are checked against the counts.
  //
  // PERF: an answer leaves by the header, the address and the memory that its question came with: they are in the
  // cache, and the kernel reads four lines less of ours for each.
  private let messages: UnsafeMutablePointer<sluice_datagram>
  private let names: UnsafeMutablePointer<sockaddr_in6>
  private let pieces: UnsafeMutablePointer<iovec>
  private let controls: UnsafeMutableRawPointer
  private let memory: UnsafeMutablePointer<UInt8>
  /// Questions that are held; answers that wait to be sent, in the first headers.
  package private(set) var count = 0
  package private(set) var pending = 0
  private var hasControl = false
  /// Whether an answer left by another slot than its question's.
  private var isMoved = false

  package init() {
    let slots = AnswerBatch.slots
    unsafe messages = .allocate(capacity: slots)
    unsafe messages.initialize(repeating: sluice_datagram(), count: slots)
    unsafe names = .allocate(capacity: slots)
    unsafe names.initialize(repeating: sockaddr_in6(), count: slots)
    unsafe pieces = .allocate(capacity: slots)
    unsafe pieces.initialize(repeating: iovec(), count: slots)
    unsafe controls = .allocate(byteCount: slots * AnswerBatch.controlRoom, alignment: 16)
    unsafe memory = .allocate(capacity: slots * AnswerBatch.stride)
    unsafe memory.initialize(repeating: 0, count: slots * AnswerBatch.stride)
    for slot in 0..<slots { prepare(slot) }
  }

  deinit {
    unsafe messages.deallocate()
    unsafe names.deallocate()
    unsafe pieces.deallocate()
    unsafe controls.deallocate()
    unsafe memory.deallocate()
  }

  /// Makes a slot ready for a question.
  private func prepare(_ slot: Int) {
    unsafe pieces[slot] = iovec(
      iov_base: memory + slot * AnswerBatch.stride, iov_len: AnswerBatch.questionRoom)
    unsafe messages[slot].header.msg_iov = pieces + slot
    unsafe messages[slot].header.msg_iovlen = 1
    unsafe messages[slot].header.msg_name = UnsafeMutableRawPointer(names + slot)
    unsafe messages[slot].header.msg_namelen = socklen_t(MemoryLayout<sockaddr_in6>.size)
    unsafe messages[slot].header.msg_control = hasControl ? controls + slot * AnswerBatch.controlRoom : nil
    unsafe messages[slot].header.msg_controllen = hasControl ? AnswerBatch.controlRoom : 0
  }

  /// Receives what waits, in one system call, and forgets the batch before. Fewer than `slots` means that the socket
  /// is empty.
  /// - Parameter destinations: whether the socket tells where each question was sent to (`Socket.listen`).
  package mutating func receive(from fd: Int32, destinations: Bool) -> Transfer {
    if destinations != hasControl {
      hasControl = destinations
      for slot in 0..<AnswerBatch.slots { prepare(slot) }
    } else if isMoved || hasControl {
      for slot in 0..<count { prepare(slot) }
    } else {
      // PERF: only what answers and the kernel have written.
      for slot in 0..<count {
        unsafe pieces[slot].iov_len = AnswerBatch.questionRoom
        unsafe messages[slot].header.msg_namelen = socklen_t(MemoryLayout<sockaddr_in6>.size)
      }
    }
    isMoved = false
    count = 0
    pending = 0
    let received = unsafe sluice_recvmmsg(fd, messages, UInt32(AnswerBatch.slots), 0)
    let result = Transfer(returned: Int(received), error: errno)
    count = result.bytes
    return result
  }

  private func check(_ index: Int) { precondition(index >= 0 && index < count) }

  @_lifetime(borrow self)
  package func question(_ index: Int) -> Span<UInt8> {
    check(index)
    let length = unsafe min(Int(messages[index].length), AnswerBatch.questionRoom)
    let span = unsafe Span(_unsafeStart: memory + index * AnswerBatch.stride, count: length)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// A question, and room for its answer behind it: `answerRoom` bytes.
  @_lifetime(&self)
  package mutating func message(_ index: Int) -> MutableSpan<UInt8> {
    check(index)
    let span = unsafe MutableSpan(
      _unsafeStart: memory + index * AnswerBatch.stride, count: AnswerBatch.answerRoom)
    return unsafe _overrideLifetime(span, mutating: &self)
  }

  /// The bytes of a question.
  package func length(_ index: Int) -> Int {
    check(index)
    return unsafe min(Int(messages[index].length), AnswerBatch.questionRoom)
  }

  package func isTruncated(_ index: Int) -> Bool {
    check(index)
    return unsafe messages[index].header.msg_flags & Int32(MSG_TRUNC) != 0
  }

  /// Who asks; an IPv4 address for a mapped one.
  package func source(_ index: Int) -> Endpoint? {
    check(index)
    return unsafe SocketName.endpoint(at: names + index)
  }

  /// Queues the answer to a question, which is gone then; false when it is longer than `answerRoom`. Questions are
  /// answered in their order, each once or never.
  package mutating func answer(_ index: Int, _ bytes: [UInt8], count length: Int) -> Bool {
    guard length <= AnswerBatch.answerRoom, length <= bytes.count else { return false }
    check(index)
    unsafe bytes.withUnsafeBufferPointer { source in
      unsafe (memory + index * AnswerBatch.stride).update(from: source.baseAddress!, count: length)
    }
    return answer(index, count: length)
  }

  /// The same for an answer that was written over its question.
  package mutating func answer(_ index: Int, count length: Int) -> Bool {
    check(index)
    guard length <= AnswerBatch.answerRoom, pending <= index else { return false }
    // INVARIANT: `slot` is `index`, or was one of those before it, which are done with.
    let slot = pending
    unsafe pieces[slot].iov_len = length
    if slot != index {
      isMoved = true
      unsafe pieces[slot].iov_base = UnsafeMutableRawPointer(memory + index * AnswerBatch.stride)
      unsafe messages[slot].header.msg_name = UnsafeMutableRawPointer(names + index)
      unsafe messages[slot].header.msg_namelen = messages[index].header.msg_namelen
    }
    if hasControl {
      // From the address that was asked, by whatever way leads back.
      var info = unsafe sluice_get_packet_info(&messages[index].header)
      unsafe messages[slot].header.msg_control = controls + index * AnswerBatch.controlRoom
      unsafe messages[slot].header.msg_controllen = 0
      if info.family != 0 {
        // A link-local address means something on its interface only.
        if !(info.family == AF_INET6 && info.high >> 54 == 0x3fa) { info.interface = 0 }
        unsafe sluice_set_packet_info(&messages[slot].header, info)
      }
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
      let result = unsafe sluice_sendmmsg(fd, messages + next, UInt32(pending - next), 0)
      if result > 0 {
        next += Int(result)
        sent += Int(result)
      } else if errno != EINTR {
        // An unreachable client, or a full buffer: the first one is given up, the others are tried.
        next += 1
      }
    }
    pending = 0
    return sent
  }
}
