/// What the DNS server is asked to do: where it listens, its zones, and the names that are answered by health.
package struct NameService: Hashable, Sendable {
  package var binds: [Endpoint] = []
  /// Worker threads; nil: as many as the data plane's.
  package var workers: Int?
  /// What CHAOS version.bind says; nil: refused.
  package var version: String?
  /// What NSID and id.server say; nil: nothing.
  package var serverID: String?
  package var cookies = true
  /// The largest UDP response in bytes, whatever a client offers.
  package var udpLimit = 1232
  package var rateLimit: ResponseRate?
  package var tcp = NameStreams()
  /// DNS over TLS (RFC 7858); nil: none.
  package var secure: SecureNames?
  /// MaxMind databases that tell where clients are.
  package var databases: [GeoFile] = []
  /// Who resolves the targets of ALIAS records; nil: only this server's own zones.
  package var resolver: Endpoint?
  package var keys: [TransactionKey] = []
  package var zones: [ZoneSource] = []
  package var names: [BalancedName] = []
  package var sites: [Site] = []

  package init() {}
}

/// Response rate limiting, for each client network.
package struct ResponseRate: Hashable, Sendable {
  /// Equal responses per second.
  package var responses = 200
  /// Every how many limited responses one goes out truncated; 0: none.
  package var slip = 2
  package var window = Duration.seconds(5)
  package var prefixV4 = 24
  package var prefixV6 = 56

  package init() {}
}

/// A MaxMind database.
package struct GeoFile: Hashable, Sendable {
  package var path: String
  /// Tells the file from one that stood there before: a reload takes over what has been put in its place.
  package var identity: String

  package init(path: String, identity: String) {
    self.path = path
    self.identity = identity
  }
}

/// Bounds of DNS over TCP.
package struct NameStreams: Hashable, Sendable {
  /// Without a query, and for a query or an answer to get through.
  package var idle = Duration.seconds(10)
  /// Of all workers together.
  package var connections = 1000

  package init() {}
}

/// Where the name server speaks TLS, and with what. `NameStreams` bounds these clients, too.
package struct SecureNames: Hashable, Sendable {
  /// The application protocol that a client may ask for (RFC 7858, its IANA considerations).
  package static let protocolName = "dot"
  /// The port of the protocol.
  package static let port: UInt16 = 853

  package var binds: [Endpoint]
  package var tls: ListenerTLS

  package init(binds: [Endpoint], tls: ListenerTLS) {
    self.binds = binds
    self.tls = tls
  }
}

/// A shared key of TSIG (RFC 8945).
package struct TransactionKey: Hashable, Sendable {
  package enum Algorithm: String, Hashable, Sendable, CaseIterable {
    case sha256 = "hmac-sha256"
    case sha384 = "hmac-sha384"
    case sha512 = "hmac-sha512"
  }
  /// A domain name.
  package var name: String
  package var algorithm: Algorithm
  package var secret: [UInt8]

  package init(name: String, algorithm: Algorithm, secret: [UInt8]) {
    self.name = name
    self.algorithm = algorithm
    self.secret = secret
  }
}

/// A zone as it was read: text that was found to be right.
package struct ZoneSource: Hashable, Sendable {
  package var name: String
  /// The file that it came from, or the configuration's.
  package var file: String
  /// The master file, and those that it includes, in the order of reading.
  package var texts: [ZoneText]
  /// Owners that are answered from a `BalancedName`, and its name.
  package var balanced: [String: String] = [:]
  package var transfer = TransferPolicy()
  package var signing: ZoneSigning?
  /// The same as the floor that knows zones has compiled it: saves reading a large zone twice. Not part of equality.
  package var compiled: Precompiled?

  package init(name: String, file: String, texts: [ZoneText]) {
    self.name = name
    self.file = file
    self.texts = texts
  }
}

package struct ZoneText: Hashable, Sendable {
  package var path: String
  package var bytes: [UInt8]
  /// Of bytes that are not kept: the same for the same ones, in one process. 0: they are kept.
  package private(set) var digest: UInt64 = 0

  package init(path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
  }
}

extension ZoneText {
  /// The text was read: what stays is what tells it from another.
  package mutating func forget(digest: UInt64) {
    bytes = []
    self.digest = digest
  }
}

/// A value of a higher floor that rides along; any two are equal.
package struct Precompiled: Hashable, Sendable {
  package let value: any Sendable
  package init(_ value: any Sendable) { self.value = value }
  package static func == (left: Precompiled, right: Precompiled) -> Bool { true }
  package func hash(into hasher: inout Hasher) {}
}

/// Who may have a zone whole, and who is told of its changes.
package struct TransferPolicy: Hashable, Sendable {
  package var allow: [IPPrefix] = []
  /// Keys that a request may be signed with. With both, both are needed.
  package var keys: [String] = []
  package var notify: [Endpoint] = []
  /// Over TLS only (RFC 9103).
  package var secureOnly = false

  package init() {}
}

/// DNSSEC signing at query time (ECDSA P-256 with SHA-256).
package struct ZoneSigning: Hashable, Sendable {
  package enum Denial: String, Hashable, Sendable, CaseIterable {
    /// RFC 9824: what does not exist is answered as a name without that type.
    case compact
    /// NSEC records that cover only the name asked for ("white lies", RFC 4470).
    case nsec
  }
  /// The private key's file, PKCS#8 or SEC1 PEM.
  package var keyFile: String
  package var pem: String
  package var denial = Denial.compact
  package var validity = Duration.seconds(7 * 86_400)

  package init(keyFile: String, pem: String) {
    self.keyFile = keyFile
    self.pem = pem
  }
}

/// A name whose addresses are chosen for each query.
package struct BalancedName: Hashable, Sendable {
  package enum Fallback: String, Hashable, Sendable, CaseIterable { case all, none }
  package var name: String
  package var root: NameGroup
  /// How many addresses an answer holds.
  package var answers = 1
  package var shuffle = false
  package var panicThreshold = 0.0
  package var fallback = Fallback.all
  /// Seconds.
  package var shortestTTL = 5
  package var longestTTL = 60
  /// How long after a change answers stay short.
  package var settle = Duration.seconds(30)
  package var prefixV4 = 24
  package var prefixV6 = 56

  package init(name: String, root: NameGroup) {
    self.name = name
    self.root = root
  }
}

/// A policy over addresses, pools, sites or further groups.
package struct NameGroup: Hashable, Sendable {
  package enum Policy: String, Hashable, Sendable, CaseIterable {
    case roundRobin = "round-robin"
    case weighted, random
    case leastLoad = "least-load"
    case leastConnections = "least-connections"
    case hash = "client-hash"
    case failover, geo
    case latency = "prefix-map"
    case all
  }
  package var policy: Policy
  package var choices: [NameChoice]

  package init(_ policy: Policy, _ choices: [NameChoice]) {
    self.policy = policy
    self.choices = choices
  }
}

package struct NameChoice: Hashable, Sendable {
  package indirect enum Target: Hashable, Sendable {
    /// The pool that probes it, if any, has it under this backend's key.
    case address(IPAddress, BackendKey?)
    case pool(String)
    case site(String)
    case group(NameGroup)
  }
  package enum Match: Hashable, Sendable {
    /// Two upper-case letters.
    case country(String), continent(String)
    case system(UInt32)
    /// Degrees in thousandths: latitude, longitude.
    case near(Int, Int)
    case network(IPPrefix)
  }
  package var target: Target
  package var weight = 1
  package var matches: [Match] = []

  package init(_ target: Target) { self.target = target }
}

/// A location, with the addresses that its clients use and the way its verdict comes about.
package struct Site: Hashable, Sendable {
  package enum Stale: String, Hashable, Sendable, CaseIterable {
    /// The last verdict stays.
    case keep
    case down, up
  }
  package var name: String
  package var addresses: [IPAddress]
  /// Nodes that are there, by their names in the peering; what they say of their own load counts for the site.
  package var nodes: [String] = []
  /// How many observers must say "down"; nil: more than half of those that are heard.
  package var quorum: Int?
  /// Older reports do not count.
  package var staleAfter = Duration.seconds(10)
  package var whenStale = Stale.keep
  /// How long a site that was down must be well before it is answered with again.
  package var upAfter = Duration.seconds(2)

  package init(name: String, addresses: [IPAddress]) {
    self.name = name
    self.addresses = addresses
  }

  /// The pool whose probes watch the site from here.
  package var pool: String { Site.pool(of: name) }
  package static func pool(of name: String) -> String { "site:\(name)" }
}

extension BalancedName {
  /// The pool whose probes watch the addresses that no other pool names.
  package static func pool(of name: String) -> String { "dns:\(name)" }
}

extension Pool {
  /// It carries nothing: its probes watch addresses of the name service.
  package var isWatch: Bool { name.hasPrefix(Site.pool(of: "")) || name.hasPrefix(BalancedName.pool(of: "")) }
}
