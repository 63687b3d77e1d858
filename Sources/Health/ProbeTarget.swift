package import Model

/// One active check that shall run. The prober is given the whole set, and reconciles to it.
package struct ProbeTarget: Hashable, Sendable {
  package enum Check: Hashable, Sendable {
    case probe(Probe)
    case agent(AgentCheck)
  }

  package var key: BackendKey
  /// Where the check goes: the backend's address, with the probe's or agent's port.
  package var address: SocketAddress
  package var check: Check
  /// How the backend is spoken to; nil: in clear.
  package var tls: PoolTLS?

  package init(key: BackendKey, address: SocketAddress, check: Check) {
    self.key = key
    self.address = address
    self.check = check
  }
}

/// What one run of a check found.
package struct ProbeReport: Hashable, Sendable {
  package enum Finding: Hashable, Sendable {
    case probe(ProbeOutcome)
    /// The agent's line as it came. An agent that cannot be reached says nothing.
    case agent(line: [UInt8])
  }

  package var key: BackendKey
  package var finding: Finding

  package init(key: BackendKey, finding: Finding) {
    self.key = key
    self.finding = finding
  }
}
