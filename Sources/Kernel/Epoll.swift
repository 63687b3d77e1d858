internal import CKernel
internal import Glibc

/// An epoll instance and the events of its last wait. One thread's.
@safe package struct Epoll: ~Copyable {
  package struct Event: BitwiseCopyable {
    package let token: UInt64
    private let flags: UInt32

    init(_ event: epoll_event) {
      // SAFETY: `data` is a union; every registration writes its u64.
      token = unsafe event.data.u64
      flags = unsafe event.events
    }

    package var readable: Bool {
      flags & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
    }
    package var writable: Bool { flags & (EPOLLOUT.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 }
    /// The peer will send no more: a short read is not the last one.
    package var ending: Bool { flags & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 }
  }

  package enum Interest: Sendable {
    /// Both directions, edge-triggered.
    case stream
    /// The same without bytes that arrive: room and the end.
    case quietStream
    /// Readable, edge-triggered: a connected datagram socket, whose writability changes with each datagram.
    case datagrams
    /// Readable, level-triggered: listeners and event descriptors.
    case level
    /// Readable, level-triggered, one of several epolls wakes: a listener that workers share.
    case shared
  }

  private let fd: Int32
  private let capacity: Int
  private let events: UnsafeMutablePointer<epoll_event>

  package init(capacity: Int = 256) throws(Errno) {
    fd = epoll_create1(Int32(EPOLL_CLOEXEC))
    self.capacity = capacity
    // SAFETY: owned by this value, freed in deinit, read only below the count that epoll_wait returned.
    unsafe events = .allocate(capacity: capacity)
    guard fd >= 0 else { throw .last }
  }

  deinit {
    if fd >= 0 { _ = close(fd) }
    unsafe events.deallocate()
  }

  package func add(_ descriptor: Int32, token: UInt64, _ interest: Interest) throws(Errno) {
    var event = unsafe epoll_event(events: interest.flags, data: epoll_data_t(u64: token))
    guard unsafe epoll_ctl(fd, EPOLL_CTL_ADD, descriptor, &event) == 0 else { throw .last }
  }

  /// Another interest in what was added; what it finds there is told of at once.
  package func change(_ descriptor: Int32, token: UInt64, _ interest: Interest) {
    var event = unsafe epoll_event(events: interest.flags, data: epoll_data_t(u64: token))
    _ = unsafe epoll_ctl(fd, EPOLL_CTL_MOD, descriptor, &event)
  }

  /// Closing a descriptor removes it too; this is for one that stays open.
  package func remove(_ descriptor: Int32) {
    _ = epoll_ctl(fd, EPOLL_CTL_DEL, descriptor, nil)
  }

  /// Waits for at most `milliseconds` (-1: for ever) and returns the number of events; an interrupted wait has none.
  package mutating func wait(milliseconds: Int32) -> Int {
    max(0, Int(unsafe epoll_wait(fd, events, Int32(capacity), milliseconds)))
  }

  /// The same for at most `nanoseconds`, for who must be on time.
  package mutating func wait(nanoseconds: Int64) -> Int {
    var limit = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    return max(0, Int(unsafe epoll_pwait2(fd, events, Int32(capacity), &limit, nil)))
  }

  package subscript(index: Int) -> Event {
    precondition(index >= 0 && index < capacity)
    return unsafe Event(events[index])
  }
}

extension Epoll.Interest {
  fileprivate var flags: UInt32 {
    switch self {
    case .stream: EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    case .quietStream: EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    case .datagrams: EPOLLIN.rawValue | EPOLLET.rawValue
    case .level: EPOLLIN.rawValue
    case .shared: EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue
    }
  }
}

/// A counter that wakes an epoll from another thread.
package struct Wakeup: Sendable {
  package let descriptor: Int32

  package init() throws(Errno) {
    descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard descriptor >= 0 else { throw .last }
  }

  package func signal() {
    var one: UInt64 = 1
    // SAFETY: writes the eight bytes of a local. It fails only when the counter is full, that is, when it is signalled already.
    _ = unsafe write(descriptor, &one, 8)
  }

  /// Waits until it is signalled; false when the time is over before.
  package func wait(milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // SAFETY: one entry, written during the call.
    return unsafe poll(&entry, 1, milliseconds) > 0
  }

  package func clear() {
    var value: UInt64 = 0
    // SAFETY: reads eight bytes into a local.
    _ = unsafe read(descriptor, &value, 8)
  }

  package func close() { _ = Glibc.close(descriptor) }
}
