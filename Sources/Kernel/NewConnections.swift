internal import CKernel
package import Model

/// Which clients that come anew a listening TCP socket hears. The others' SYNs are dropped without a word, so that they try
/// again in a moment; what is open, and handshakes that are under way, go on.
package enum Newcomers: Hashable, Sendable {
  case heard
  case unheard
  /// Those who come to these addresses, of which the first `limit` count.
  case unheardAt([IPAddress])

  package static let limit = 64
}

extension Socket {
  package static func hear(_ fd: Int32, _ newcomers: Newcomers) throws(Errno) {
    let error =
      switch newcomers {
      case .heard: sluice_hear_new(fd)
      case .unheard: dropNew(fd, to: [])
      case .unheardAt(let addresses): dropNew(fd, to: addresses.prefix(Newcomers.limit))
      }
    guard error == 0 else { throw Errno(error) }
  }

  /// - Parameter addresses: none: every address.
  private static func dropNew(_ fd: Int32, to addresses: ArraySlice<IPAddress>) -> Int32 {
    var bytes: [UInt8] = []
    for address in addresses {
      if address.family == .v4 { bytes += [UInt8](repeating: 0, count: 10) + [0xff, 0xff] }
      bytes += address.bytes
    }
    // SAFETY: the bytes live through the call, which only reads them.
    return unsafe bytes.withUnsafeBufferPointer { unsafe sluice_drop_new(fd, $0.baseAddress, addresses.count) }
  }
}
