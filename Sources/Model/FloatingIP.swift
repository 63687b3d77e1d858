/// A public address that is mapped 1:1 to a server's fixed one, by choice of an operator or of health.
package struct FloatingIP: Hashable, Sendable {
  package var address: IPAddress
  /// The pool of addresses that it comes from.
  package var pool: String
  /// nil: allocated, and mapped to nobody.
  package var fixed: IPAddress?

  package init(address: IPAddress, pool: String, fixed: IPAddress? = nil) {
    self.address = address
    self.pool = pool
    self.fixed = fixed
  }
}

package enum FloatingOrder: Hashable, Sendable {
  /// From a pool, or whichever has room; a given address, or the first that is free.
  case allocate(pool: String?, IPAddress?)
  case associate(IPAddress, IPAddress)
  /// The same whether it was mapped before or not.
  case move(IPAddress, IPAddress)
  case disassociate(IPAddress)
  case release(IPAddress)
}

package enum FloatingError: Error, Hashable, Sendable, CustomStringConvertible {
  case noSuchPool(String)
  case notInPool(IPAddress)
  case exhausted(String)
  case notAllocated(IPAddress)
  case associated(IPAddress)
  /// Another floating address is mapped to it, or it is one.
  case taken(IPAddress)
  case family(IPAddress, IPAddress)
  /// No server can have it.
  case unsuitable(IPAddress)
  /// It follows health, by the failover of that name.
  case follows(IPAddress, String)
  /// The nodes remember no more words.
  case tooMany

  package var description: String {
    switch self {
    case .noSuchPool(let name): "there is no pool of floating addresses\(name.isEmpty ? "" : " \(name)")"
    case .notInPool(let address): "\(address) is in no pool of floating addresses"
    case .exhausted(let name): "every address of \(name) is allocated"
    case .notAllocated(let address): "\(address) is not allocated"
    case .associated(let address): "\(address) is mapped to a server"
    case .taken(let address): "\(address) is taken"
    case .unsuitable(let address): "\(address) is no address of a server"
    case .family(let address, let fixed): "\(address) and \(fixed) are of two address families"
    case .follows(let address, let name): "\(address) follows health, by the failover \(name)"
    case .tooMany: "the nodes share as many addresses as they can remember"
    }
  }
}
