internal import CKernel
package import Model

extension Socket {
  /// How many addresses `dropNew` takes.
  package static let dropLimit = 16

  /// Lets a listening TCP socket drop every SYN to these addresses without a word, so that clients try again in a
  /// moment; what is open, and every other address, goes on. None: takes that back.
  package static func dropNew(_ fd: Int32, to addresses: [IPAddress]) throws(Errno) {
    var bytes: [UInt8] = []
    for address in addresses {
      if address.family == .v4 { bytes += [UInt8](repeating: 0, count: 10) + [0xff, 0xff] }
      bytes += address.bytes
    }
    // SAFETY: the bytes live through the call, which only reads them.
    let error = unsafe bytes.withUnsafeBufferPointer {
      unsafe sluice_drop_new(fd, $0.baseAddress, addresses.count)
    }
    guard error == 0 else { throw Errno(error) }
  }
}
