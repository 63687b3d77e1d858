package import OctaviaModel

/// Does outside what a flow's steps say. Each must be possible twice.
package protocol Performer: Sendable {
  /// - Returns: what the amphora's row shall say from now on.
  func perform(_ step: Step, _ flow: Flow, _ tree: Tree) async throws -> JSONObject
  /// A machine whose agent answers, for an amphora that belongs to nothing yet.
  ///
  /// - Returns: what its row shall say.
  func prepare(_ amphora: Record) async throws -> JSONObject
  /// Amphorae that have a machine, as far as it can be known.
  func existing() async throws -> [String]
  func destroy(_ amphora: String) async throws
  /// A new certificate for a running amphora.
  func rotate(_ amphora: Record, _ tree: Tree) async throws -> JSONObject
}

/// Why a step was not done.
package struct StepFailure: Error, Sendable, CustomStringConvertible {
  package var description: String
  /// Worth another try at once: the other side did not answer.
  package var isPassing: Bool

  package init(_ description: String, passing: Bool = false) {
    self.description = description
    isPassing = passing
  }
}

/// No machine at all: amphorae are rows. For trying the API.
package struct NoopPerformer: Performer {
  let makeID: @Sendable () -> String

  package init(makeID: @escaping @Sendable () -> String) { self.makeID = makeID }

  package func perform(_ step: Step, _ flow: Flow, _ tree: Tree) async throws -> JSONObject {
    switch step.verb {
    case .boot: JSONObject([("compute_id", .string(makeID())), ("lb_network_ip", "198.51.100.3")])
    case .plug:
      JSONObject([("vrrp_ip", "198.51.100.4"), ("vrrp_port_id", .string(makeID())), ("vrrp_interface", "eth1")])
    default: JSONObject()
    }
  }

  package func prepare(_ amphora: Record) async throws -> JSONObject {
    JSONObject([("compute_id", .string(makeID())), ("lb_network_ip", "198.51.100.3")])
  }

  package func existing() async throws -> [String] { [] }
  package func destroy(_ amphora: String) async throws {}
  package func rotate(_ amphora: Record, _ tree: Tree) async throws -> JSONObject { JSONObject() }
}
