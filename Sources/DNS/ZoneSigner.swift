package import Model
import Wire

/// A zone's key as answers need it: what signs, and what the DNSKEY and DS records say (RFC 4034, 6605).
///
/// One key signs everything (a "combined signing key"). The signature itself is a driver's: ECDSA P-256 over SHA-256.
package struct ZoneSigner: Sendable {
  package static let algorithm: UInt8 = 13

  package let denial: ZoneSigning.Denial
  /// Seconds that a signature holds.
  package let validity: UInt32
  /// The DNSKEY record's data.
  package let key: [UInt8]
  package let keyTag: UInt16
  let sign: @Sendable ([UInt8]) -> [UInt8]?

  /// - Parameters:
  ///   - publicKey: x and y, 64 bytes.
  ///   - sign: r and s, 64 bytes, over the SHA-256 of what it is given; nil when it cannot.
  package init(
    publicKey: [UInt8], denial: ZoneSigning.Denial, validity: UInt32, sign: @escaping @Sendable ([UInt8]) -> [UInt8]?
  ) {
    self.denial = denial
    self.validity = max(validity, 3600)
    self.sign = sign
    // Zone key, secure entry point; protocol 3.
    key = [1, 1, 3, ZoneSigner.algorithm] + publicKey
    // RFC 4034 appendix B.
    var sum: UInt32 = 0
    for (index, byte) in key.enumerated() { sum += index % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte) }
    sum += sum >> 16 & 0xffff
    keyTag = UInt16(truncatingIfNeeded: sum)
  }

  /// What the hash of a DS record is made over (RFC 4034 §5.1.4).
  package func delegationInput(_ apex: Name) -> [UInt8] { apex.lowercased.wire + key }

  /// The parent's record, from the SHA-256 of `delegationInput`.
  package func delegationSigner(_ apex: Name, digest: [UInt8], ttl: UInt32) -> Record {
    Record(
      apex, .ds, ttl: ttl,
      data: [UInt8(keyTag >> 8), UInt8(truncatingIfNeeded: keyTag), ZoneSigner.algorithm, 2] + digest)
  }

  /// The RRSIG of one set (RFC 4034 §3.1, §6).
  /// - Parameter now: seconds since 1970.
  func signature(of set: [Record], zone: Name, at now: UInt32, _ cache: inout SignatureCache) -> Record? {
    guard let first = set.first else { return nil }
    // Steps of an hour, so that equal sets have equal signatures; an hour back for clocks that are slow.
    let inception = now / 3600 * 3600 &- 3600
    let expiration = inception &+ 3600 &+ validity
    var head: [UInt8] = []
    func big(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) } }
    let labels = first.name.labelCount - (first.name.isWildcard ? 1 : 0)
    head += [UInt8(first.type.rawValue >> 8), UInt8(truncatingIfNeeded: first.type.rawValue)]
    head += [ZoneSigner.algorithm, UInt8(labels)]
    head += big(first.ttl) + big(expiration) + big(inception)
    head += [UInt8(keyTag >> 8), UInt8(truncatingIfNeeded: keyTag)]
    head += zone.lowercased.wire
    let owner = first.name.lowercased.wire
    let fixed =
      [UInt8(first.type.rawValue >> 8), UInt8(truncatingIfNeeded: first.type.rawValue), 0, 1] + big(first.ttl)
    // §6.3: the records in the order of their data, each once.
    let data = Set(set.map { $0.type.canonical($0.data) }).sorted { $0.lexicographicallyPrecedes($1) }
    var message = head
    for item in data {
      message += owner + fixed + [UInt8(item.count >> 8), UInt8(truncatingIfNeeded: item.count)] + item
    }
    guard let signature = cache.find(message) ?? cache.keep(message, sign(message)) else { return nil }
    return Record(first.name, .rrsig, ttl: first.ttl, data: head + signature)
  }
}

extension RecordType {
  /// RFC 4034 §6.2 and RFC 6840 §5.1: names in the data of these types are signed in lower case.
  func canonical(_ data: [UInt8]) -> [UInt8] {
    let skip: Int, names: Int
    switch self {
    case .ns, .cname, .ptr, .dname: (skip, names) = (0, 1)
    case .mx: (skip, names) = (2, 1)
    case .soa: (skip, names) = (0, 2)
    case .srv: (skip, names) = (6, 1)
    default: return data
    }
    var result = data
    var position = skip
    for _ in 0..<names {
      guard let length = Name.length(in: data.span, at: position) else { return data }
      for index in position..<(position + length) { result[index] = lowercased(data[index]) }
      position += length
    }
    return result
  }
}

/// Signatures that were made, by what they sign: an answer that repeats costs no signature.
package struct SignatureCache: Sendable {
  /// Entries; when they are reached the cache begins anew.
  package static let limit = 20_000
  private var signatures: [[UInt8]: [UInt8]] = [:]
  /// Signatures made since the start.
  package private(set) var made: UInt64 = 0

  package init() {}

  func find(_ message: [UInt8]) -> [UInt8]? { signatures[message] }

  mutating func keep(_ message: [UInt8], _ signature: [UInt8]?) -> [UInt8]? {
    guard let signature else { return nil }
    made += 1
    if signatures.count >= SignatureCache.limit { signatures = [:] }
    signatures[message] = signature
    return signature
  }
}
