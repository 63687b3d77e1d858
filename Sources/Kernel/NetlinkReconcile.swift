internal import Model

/// What `reconcile` had to do.
package struct AddressReconciliation: Sendable {
  package var added: [AddressPlacement] = []
  package var removed: [AddressPlacement] = []
  /// Wanted, and there already as somebody else's: left as they are.
  package var foreign: [AddressPlacement] = []
  package var failures: [(placement: AddressPlacement, error: NetlinkError)] = []

  package var changedNothing: Bool { added.isEmpty && removed.isEmpty && failures.isEmpty }
}

extension Netlink {
  /// Makes the owner's addresses, over all links, exactly these; whatever else is on the links stays.
  ///
  /// Doing it again changes nothing. One address that cannot be had keeps no other from being set.
  ///
  /// - Parameter claimed: addresses that are the owner's by configuration: where they are not wanted, they go even
  ///   without its mark (an older kernel keeps none).
  package mutating func reconcile(
    _ wanted: Set<AddressPlacement>, of owner: AddressOwner, claimed: Set<AddressPlacement> = []
  ) throws(NetlinkError) -> AddressReconciliation {
    var result = AddressReconciliation()
    var present: Set<AddressPlacement> = []
    for found in try addresses() {
      let placement = found.placement
      let isOurs = found.owner == owner || claimed.contains(placement)
      if wanted.contains(placement) {
        present.insert(placement)
        if !isOurs { result.foreign.append(placement) }
      } else if isOurs {
        do {
          if try remove(placement) { result.removed.append(placement) }
        } catch {
          result.failures.append((placement, error))
        }
      }
    }
    for placement in wanted.subtracting(present).sorted(by: <) {
      do {
        // False: IPv6 has the address with another prefix length.
        if try add(placement, owner: owner) { result.added.append(placement) } else { result.foreign.append(placement) }
      } catch {
        result.failures.append((placement, error))
      }
    }
    return result
  }
}

extension AddressPlacement: Comparable {
  package static func < (left: AddressPlacement, right: AddressPlacement) -> Bool {
    if left.link != right.link { return left.link < right.link }
    return left.address != right.address ? left.address < right.address : left.prefixLength < right.prefixLength
  }
}
