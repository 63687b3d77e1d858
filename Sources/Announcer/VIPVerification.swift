import Kernel
import Model

/// The question to a link: who else answers for these addresses? Three times, then some patience.
final class VIPVerification {
  static let times = 3
  static let spacing = Duration.milliseconds(100)
  static let patience = Duration.milliseconds(300)

  let vip: String
  var tokens: [UInt64] = []
  private(set) var answers: [IPAddress: MACAddress] = [:]
  private(set) var deadline: Instant
  private let addresses: [IPAddress]
  private let hardware: MACAddress
  private var sockets: [VIPQuestionSocket] = []
  private var asked = 0

  /// - Parameter hardware: the link's own MAC, also where the addresses have a virtual one: the answers come here.
  init(
    vip: String, addresses: [IPAddress], on link: Int32, _ hardware: MACAddress, at now: Instant
  ) throws(Errno) {
    self.vip = vip
    self.addresses = addresses
    self.hardware = hardware
    deadline = now
    for family in Set(addresses.map(\.family)) { sockets.append(try VIPQuestionSocket(family, on: link)) }
  }

  var descriptors: [Int32] { sockets.map(\.descriptor) }

  /// - Parameter ownHardware: of this machine's links: another of them on the same wire is no rival.
  func read(ownHardware: Set<MACAddress>) {
    for socket in sockets {
      for _ in 0..<256 {
        guard let frame = socket.receive() else { break }
        guard let claim = VIPFrames.claim(frame), addresses.contains(claim.address),
          !ownHardware.contains(claim.hardware)
        else { continue }
        answers[claim.address] = claim.hardware
      }
    }
  }

  /// Asks again, or says that it is over.
  func proceed(at now: Instant) -> Bool {
    guard asked < VIPVerification.times else { return true }
    asked += 1
    deadline = now + (asked < VIPVerification.times ? VIPVerification.spacing : VIPVerification.patience)
    for address in addresses {
      for socket in sockets where socket.family == address.family {
        try? socket.send(VIPFrames.question(address, hardware))
      }
    }
    return false
  }
}

final class VIPQuestionSocket {
  let family: IPAddress.Family
  private let socket: PacketSocket

  init(_ family: IPAddress.Family, on link: Int32) throws(Errno) {
    self.family = family
    socket = try PacketSocket(on: link, family == .v4 ? .arp : .neighbourAdvertisements)
  }

  var descriptor: Int32 { socket.descriptor }
  func send(_ frame: [UInt8]) throws(Errno) { try socket.send(frame) }
  func receive() -> [UInt8]? { socket.receive() }
}
