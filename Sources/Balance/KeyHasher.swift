package import Model
import Wire

/// Turns a client's address, a path or a cookie into the hash that hash policies use.
///
/// Nodes that share a secret agree on every key, and a client who does not know it
/// cannot aim many keys at one backend (SipHash). With nil the key is fixed: the
/// mapping is public. (The data plane draws a secret at start where none is configured.)
package struct KeyHasher: Sendable, BitwiseCopyable {
  let k0: UInt64
  let k1: UInt64

  package init(secret: String?) {
    var first = SipHash(key: (0x736c_7569_6365_2d6b, 0x6579_2d68_6173_6831))
    var second = SipHash(key: (0x736c_7569_6365_2d6b, 0x6579_2d68_6173_6832))
    first.update(secret ?? "")
    second.update(secret ?? "")
    k0 = first.finish()
    k1 = second.finish()
  }

  /// A client's address; an IPv4-mapped one hashes as the IPv4 address that it means.
  package func hash(_ source: IPAddress) -> UInt64 {
    let address = source.unmapped
    var sip = SipHash(key: (k0, k1))
    sip.update(address.high)
    sip.update(address.low)
    sip.update(UInt8(address.family.rawValue))
    return sip.finish()
  }

  /// A path and query, a header's or a cookie's value.
  package func hash(_ bytes: Span<UInt8>) -> UInt64 {
    var sip = SipHash(key: (k0, k1))
    sip.update(bytes)
    return sip.finish()
  }
}
