package import Model

/// The BGP speakers, as the node sees them.
package struct BGPPort: Sendable {
  /// The sessions and routes that shall be; the driver reconciles to it.
  package var apply: @Sendable (BGPOrder) -> Void = { _ in }
  /// Puts the addresses of what is about to be announced in place, before listeners bind them.
  package var prepare: @Sendable (BGPTopology?) -> Void = { _ in }
  package var peers: @Sendable () async -> [BGPPeerState] = { [] }
  /// nil: there is no such peer.
  package var tables: @Sendable (String) async -> BGPTables? = { _ in nil }
  /// Ends every session, and returns when they have ended.
  package var stop: @Sendable (BGPFarewell) -> Void = { _ in }

  package init() {}
}
