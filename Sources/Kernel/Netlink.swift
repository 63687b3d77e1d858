internal import CKernel
internal import Glibc
internal import Model

/// A conversation with the kernel about links and addresses (rtnetlink). One thread's; every call returns when the
/// kernel has done it.
@safe package struct Netlink: ~Copyable {
  private let fd: Int32
  private var sequence: UInt32 = 0
  private let memory: UnsafeMutableRawBufferPointer

  /// Larger than any datagram that the kernel makes of a list (32 KiB), with room for a link with many functions.
  private static let capacity = 256 * 1024

  package enum Subsystem: Int32, Sendable {
    case route = 0
    /// NETLINK_SOCK_DIAG.
    case sockets = 4
    case netfilter = 12
  }

  package init(_ subsystem: Subsystem = .route) throws(NetlinkError) {
    fd = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), subsystem.rawValue)
    // SAFETY: owned by this value, freed in deinit.
    unsafe memory = .allocate(byteCount: Netlink.capacity, alignment: 16)
    guard fd >= 0 else { throw NetlinkError(attempt: "open netlink", reason: .refused(.last, "")) }
    // The kernel says in words what it does not like; answers come at once, so a silence is a fault.
    try? Socket.set(fd, RT.solNetlink, RT.extendedAck, 1)
    try? Socket.set(fd, RT.solNetlink, RT.cappedAck, 1)
    Socket.setReceiveTimeout(fd, milliseconds: 2_000)
  }

  deinit {
    if fd >= 0 { _ = close(fd) }
    unsafe memory.deallocate()
  }

  /// Asks for something to be done, and waits for the answer.
  mutating func perform(_ request: NetlinkMessage, _ attempt: @autoclosure () -> String) throws(NetlinkError) {
    try send(request, attempt())
    while true {
      for answer in try receive(attempt()) where answer.sequence == sequence {
        guard answer.type == RT.error else { continue }
        guard let code = answer.body.number(Int32.self) else { throw .init(attempt: attempt(), reason: .malformed) }
        if code == 0 { return }
        throw NetlinkError(attempt: attempt(), reason: .refused(Errno(-code), Netlink.words(of: answer)))
      }
    }
  }

  /// Asks for a list; each entry of these types. A list that changed under way is asked for again.
  mutating func list(_ request: NetlinkMessage, _ attempt: String) throws(NetlinkError) -> [NetlinkAnswer] {
    for _ in 0..<5 {
      if let entries = try listOnce(request, attempt) { return entries }
    }
    throw NetlinkError(attempt: attempt, reason: .unsteady)
  }

  private mutating func listOnce(
    _ request: NetlinkMessage, _ attempt: String
  ) throws(NetlinkError) -> [NetlinkAnswer]? {
    try send(request, attempt)
    var entries: [NetlinkAnswer] = []
    var isWhole = true
    while true {
      for answer in try receive(attempt) where answer.sequence == sequence {
        if answer.flags & RT.interrupted != 0 { isWhole = false }
        switch answer.type {
        case RT.done: return isWhole ? entries : nil
        case RT.error:
          let code = answer.body.number(Int32.self) ?? 0
          throw NetlinkError(attempt: attempt, reason: .refused(Errno(-code), Netlink.words(of: answer)))
        default: entries.append(answer)
        }
      }
    }
  }

  private mutating func send(_ request: NetlinkMessage, _ attempt: String) throws(NetlinkError) {
    sequence &+= 1
    var request = request
    request.seal(sequence: sequence)
    // SAFETY: the bytes live through the call, which only reads them.
    let sent = unsafe request.bytes.withUnsafeBytes { unsafe Glibc.send(fd, $0.baseAddress, $0.count, 0) }
    guard sent == request.bytes.count else { throw NetlinkError(attempt: attempt, reason: .refused(.last, "")) }
  }

  private func receive(_ attempt: String) throws(NetlinkError) -> [NetlinkAnswer] {
    // SAFETY: writes at most the region's size; only what was written is read.
    let count = unsafe recv(fd, memory.baseAddress, memory.count, Int32(MSG_TRUNC))
    guard count >= 0 else {
      let error = Errno.last
      throw NetlinkError(attempt: attempt, reason: error == .wouldBlock ? .noAnswer : .refused(error, ""))
    }
    guard unsafe count <= memory.count else { throw NetlinkError(attempt: attempt, reason: .malformed) }
    return unsafe NetlinkAnswer.split(Array(memory.prefix(count)))
  }

  /// NLMSGERR_ATTR_MSG behind the (capped) copy of the request's header.
  private static func words(of answer: NetlinkAnswer) -> String {
    guard answer.flags & RT.ackHasAttributes != 0 else { return "" }
    return answer.attributes(after: 20)[1]?.text ?? ""
  }
}

/// Numbers of linux/netlink.h, rtnetlink.h, if_link.h and if_addr.h: the kernel's ABI.
enum RT {
  static let solNetlink: Int32 = 270
  static let addMembership: Int32 = 1
  static let cappedAck: Int32 = 10
  static let extendedAck: Int32 = 11

  static let error: UInt16 = 2
  static let done: UInt16 = 3
  static let newLink: UInt16 = 16, deleteLink: UInt16 = 17, getLink: UInt16 = 18
  static let newAddress: UInt16 = 20, deleteAddress: UInt16 = 21, getAddress: UInt16 = 22

  static let request: UInt16 = 1, ack: UInt16 = 4, interrupted: UInt16 = 0x10
  static let dump: UInt16 = 0x300, exclusive: UInt16 = 0x200, create: UInt16 = 0x400
  static let ackHasAttributes: UInt16 = 0x200

  enum Group { static let link: Int32 = 1, addressV4: Int32 = 5, addressV6: Int32 = 9 }
  enum Link {
    static let address: UInt16 = 1, name: UInt16 = 3, mtu: UInt16 = 4, parent: UInt16 = 5, info: UInt16 = 18
    static let familySpecific: UInt16 = 26
    static let infoKind: UInt16 = 1, infoData: UInt16 = 2
    static let macvlanMode: UInt16 = 1, macvlanBridge: UInt32 = 4
    static let v6GenerationMode: UInt16 = 8
    static let up: UInt32 = 1, loopback: UInt32 = 8, lowerUp: UInt32 = 0x10000
  }
  enum Address {
    static let address: UInt16 = 1, local: UInt16 = 2, cacheInfo: UInt16 = 6, flags: UInt16 = 8, owner: UInt16 = 11
    static let secondary: UInt32 = 1, noDAD: UInt32 = 2, dadFailed: UInt32 = 8, deprecated: UInt32 = 0x20
    static let tentative: UInt32 = 0x40
    static let scopeLink: UInt8 = 253
  }
}
