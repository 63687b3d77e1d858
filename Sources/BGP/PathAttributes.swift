package import Model

/// What is said of the prefixes of one UPDATE, next hops apart (RFC 4271 §5).
package struct PathAttributes: Hashable, Sendable {
  package var origin: Origin
  package var asPath: ASPath
  package var med: UInt32?
  package var localPreference: UInt32?
  package var atomicAggregate: Bool
  package var aggregator: Aggregator?
  package var communities: [Community]
  package var extendedCommunities: [ExtendedCommunity]
  package var largeCommunities: [LargeCommunity]
  package var originatorID: UInt32?
  package var clusterList: [UInt32]
  /// Optional attributes that Sluice does not know, by type.
  package var unknown: [UnknownAttribute]

  package init(
    origin: Origin = .igp, asPath: ASPath = ASPath(), med: UInt32? = nil, localPreference: UInt32? = nil,
    atomicAggregate: Bool = false, aggregator: Aggregator? = nil, communities: [Community] = [],
    extendedCommunities: [ExtendedCommunity] = [], largeCommunities: [LargeCommunity] = [], originatorID: UInt32? = nil,
    clusterList: [UInt32] = [], unknown: [UnknownAttribute] = []
  ) {
    self.origin = origin
    self.asPath = asPath
    self.med = med
    self.localPreference = localPreference
    self.atomicAggregate = atomicAggregate
    self.aggregator = aggregator
    self.communities = communities
    self.extendedCommunities = extendedCommunities
    self.largeCommunities = largeCommunities
    self.originatorID = originatorID
    self.clusterList = clusterList
    self.unknown = unknown
  }
}

package enum Origin: UInt8, Sendable {
  case igp = 0
  case egp = 1
  case incomplete = 2
}

package struct Aggregator: Hashable, Sendable {
  package var autonomousSystem: UInt32
  package var identifier: UInt32
  package init(autonomousSystem: UInt32, identifier: UInt32) {
    self.autonomousSystem = autonomousSystem
    self.identifier = identifier
  }
}

package struct UnknownAttribute: Hashable, Sendable {
  package var flags: UInt8
  package var type: UInt8
  package var value: [UInt8]
  package init(flags: UInt8, type: UInt8, value: [UInt8]) {
    self.flags = flags
    self.type = type
    self.value = value
  }
}

/// Where packets for a prefix go: an address, and for IPv6 the link-local one too (RFC 2545 §3).
package struct NextHop: Hashable, Sendable {
  package var address: IPAddress
  package var linkLocal: IPAddress?

  package init(_ address: IPAddress, linkLocal: IPAddress? = nil) {
    self.address = address
    self.linkLocal = linkLocal
  }
}

/// The type codes that Sluice reads, and what the flags of each must be (optional 0x80, transitive 0x40).
enum AttributeType: UInt8, CaseIterable {
  case origin = 1
  case asPath = 2
  case nextHop = 3
  case med = 4
  case localPreference = 5
  case atomicAggregate = 6
  case aggregator = 7
  case communities = 8
  case originatorID = 9
  case clusterList = 10
  case mpReach = 14
  case mpUnreach = 15
  case extendedCommunities = 16
  case as4Path = 17
  case as4Aggregator = 18
  case largeCommunities = 32

  var flags: UInt8 {
    switch self {
    case .origin, .asPath, .nextHop, .localPreference, .atomicAggregate: 0x40
    case .med, .originatorID, .clusterList, .mpReach, .mpUnreach: 0x80
    case .aggregator, .communities, .extendedCommunities, .as4Path, .as4Aggregator, .largeCommunities: 0xc0
    }
  }
}
