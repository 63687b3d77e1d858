package import Model
import Wire

/// Response rate limiting: bounds what a spoofed source can make this server send to a victim.
///
/// Responses of one kind to one network share an account that fills at `rate`
/// per second. Of what exceeds it every `slip`-th is answered truncated, so that
/// a real client behind a spoofed address can come back over TCP; the rest is
/// dropped. The table is fixed: 4 places per line, the longest idle gives way.
/// Source: P. Vixie and V. Schryver, "DNS Response Rate Limiting", ISC-TN-2012-1.
package struct RateLimiter: Sendable {
  package struct Settings: Hashable, Sendable {
    /// Responses per second of one kind to one network.
    package var rate: Int = 200
    /// How many seconds of debt a flood can run up.
    package var window: Int = 5
    /// Every how many limited responses one goes out truncated; 0: none, 1: all.
    package var slip: Int = 2
    package var v4Length: Int = 24
    package var v6Length: Int = 56
    /// Accounts, rounded up to a power of two; 24 bytes each.
    package var accounts: Int = 65_536

    package init() {}
  }

  package enum Kind: UInt8, Sendable { case answer, negative, referral, error }
  package enum Decision: Hashable, Sendable { case send, truncate, drop }

  private struct Account: Sendable, BitwiseCopyable {
    var key: UInt64 = 0
    /// Thousandths of a response.
    var balance: Int32 = 0
    var slipped: UInt32 = 0
    /// Milliseconds.
    var last: Int64 = .min
  }

  package let settings: Settings
  private var accounts: [Account]
  private let key: (UInt64, UInt64)

  package init(_ settings: Settings, seed: UInt64) {
    self.settings = settings
    var count = 4
    while count < settings.accounts { count *= 2 }
    accounts = [Account](repeating: Account(), count: count)
    var random = Random(seed: seed)
    key = (random.next(), random.next())
  }

  /// - Parameter subject: the hash of the name for answers, of the zone for negative ones (they cost many names nothing).
  package mutating func decide(_ client: IPAddress, _ kind: Kind, subject: UInt64, at now: Instant) -> Decision {
    let address = client.unmapped
    let length = address.family == .v4 ? settings.v4Length : settings.v6Length
    let network = IPPrefix(address, length: min(max(length, 0), address.width))?.address ?? address
    var hash = SipHash(key: key)
    hash.update(network.high)
    hash.update(network.low)
    hash.update(subject)
    hash.update(UInt64(kind.rawValue) << 8 | UInt64(address.family.rawValue))
    let digest = hash.finish() | 1

    let milliseconds = now.nanoseconds / 1_000_000
    let line = Int(truncatingIfNeeded: digest >> 32) & (accounts.count - 1) & ~3
    var place = line
    for index in line..<(line + 4) {
      if accounts[index].key == digest {
        place = index
        break
      }
      if accounts[index].last < accounts[place].last { place = index }
    }
    var account = accounts[place]
    let rate = Int64(max(1, settings.rate))
    if account.key != digest {
      account = Account(key: digest, balance: Int32(clamping: rate * 1000), last: milliseconds)
    }
    // `rate` responses per 1000 ms are exactly `rate` thousandths per ms.
    let elapsed = min(max(0, milliseconds &- account.last), 1_000_000)
    let floor = -rate * Int64(max(0, settings.window)) * 1000
    let balance = max(min(Int64(account.balance) + elapsed * rate, rate * 1000) - 1000, floor)
    account.balance = Int32(clamping: balance)
    account.last = max(account.last, milliseconds)
    guard balance < 0 else {
      accounts[place] = account
      return .send
    }
    account.slipped &+= 1
    accounts[place] = account
    guard settings.slip > 0 else { return .drop }
    return account.slipped % UInt32(clamping: settings.slip) == 0 ? .truncate : .drop
  }
}
