internal import CKernel
internal import Glibc
internal import Model

/// What changed on the machine's links.
package enum NetlinkEvent: Hashable, Sendable {
  /// New, or changed: its state, name or MAC.
  case link(NetworkLink)
  case linkGone(NetworkLink)
  case address(LinkAddress)
  case addressGone(LinkAddress)
  /// More happened than the socket could hold: list everything anew.
  case lost
}

/// A subscription to the changes of links and addresses. Non-blocking; readable when there is something.
@safe package struct NetlinkEvents: ~Copyable {
  package let descriptor: Int32
  private let memory: UnsafeMutableRawBufferPointer

  package init() throws(NetlinkError) {
    descriptor = socket(
      AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    // SAFETY: owned by this value, freed in deinit.
    unsafe memory = .allocate(byteCount: 64 * 1024, alignment: 16)
    guard descriptor >= 0 else { throw NetlinkError(attempt: "open netlink", reason: .refused(.last, "")) }
    do throws(Errno) {
      try? Socket.set(descriptor, SOL_SOCKET, SO_RCVBUF, 1 << 20)
      // Only a bound socket has a number of its own; the kernel's news are not sent to number 0, the kernel.
      var name = sockaddr_nl()
      name.nl_family = sa_family_t(AF_NETLINK)
      // SAFETY: `sockaddr` is the prefix of every socket address; the pointer lives for the call.
      let result = unsafe withUnsafePointer(to: &name) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
        }
      }
      guard result == 0 else { throw .last }
      for group in [RT.Group.link, RT.Group.addressV4, RT.Group.addressV6] {
        try Socket.set(descriptor, RT.solNetlink, RT.addMembership, group)
      }
    } catch {
      throw NetlinkError(attempt: "subscribe to links and addresses", reason: .refused(error, ""))
    }
  }

  deinit {
    if descriptor >= 0 { _ = close(descriptor) }
    unsafe memory.deallocate()
  }

  /// What happened since the last call, in order; at most some hundred, so that nobody is kept busy: more makes the
  /// descriptor readable again.
  package func take() -> [NetlinkEvent] {
    var events: [NetlinkEvent] = []
    while events.count < 256 {
      // SAFETY: writes at most the region's size; only what was written is read.
      let count = unsafe recv(descriptor, memory.baseAddress, memory.count, Int32(MSG_TRUNC))
      if count < 0 {
        // ENOBUFS: the socket's buffer ran over.
        if errno == ENOBUFS || errno == EINTR {
          if errno == ENOBUFS { events.append(.lost) }
          continue
        }
        break
      }
      guard unsafe count <= memory.count else {
        events.append(.lost)
        continue
      }
      for answer in unsafe NetlinkAnswer.split(Array(memory.prefix(count))) {
        if let event = NetlinkEvent(answer) { events.append(event) }
      }
    }
    return events
  }
}

extension NetlinkEvent {
  init?(_ answer: NetlinkAnswer) {
    switch answer.type {
    case RT.newLink, RT.deleteLink:
      // A bridge tells of its ports in the same words, with another family; those are no links that come or go.
      guard answer.body.first == 0, let link = NetworkLink(answer) else { return nil }
      self = answer.type == RT.newLink ? .link(link) : .linkGone(link)
    case RT.newAddress, RT.deleteAddress:
      guard let address = LinkAddress(answer) else { return nil }
      self = answer.type == RT.newAddress ? .address(address) : .addressGone(address)
    default: return nil
    }
  }
}
