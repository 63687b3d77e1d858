/// What the API can ask of a node. Each method is one endpoint.
package protocol AdminOperations:
  FloatingOperations, NameOperations, BGPOperations, RolloutOperations, ExplainOperations, LifecycleOperations
{
  func status() async -> StatusReport
  func peers() async -> PeersReport
  func phase() async -> StatusReport.Phase
  /// The last hour, oldest first.
  func history() async -> HistoryReport
  /// Tables of what else the node does, for people.
  func panels() async -> PanelsReport
  /// Events with an id above `after`, oldest first.
  func events(after: UInt64) async -> EventsReport
  func set(_ state: StateOrder, pool: String, backend: String) async throws(AdminError) -> BackendReport
  /// `weight` is within 0...65535.
  func set(weight: Int, pool: String, backend: String) async throws(AdminError) -> BackendReport
  /// Reads the file again and takes it over, whole or not at all.
  func reload() async throws(AdminError) -> ChangeReport
  func vips() async -> VIPsReport
  func order(_ order: VIPWish, vip: String, drain: Double, to: String?) async throws(AdminError) -> VIPStatusReport
  /// What a reload with this configuration text would change.
  func check(_ text: String, name: String) async throws(AdminError) -> ChangeReport
}

/// Why an order was refused, and with which status.
package struct AdminError: Error, Hashable, Sendable {
  package enum Kind: Int, Sendable {
    case malformed = 400
    case unauthorized = 401
    case forbidden = 403
    case notFound = 404
    case methodNotAllowed = 405
    case conflict = 409
    case tooLarge = 413
    case unprocessable = 422
    case failed = 500
    case busy = 503
    case timedOut = 504
  }

  package var kind: Kind
  package var report: ErrorReport
  /// The `Allow` field of a 405.
  package var allow: String?

  package init(_ kind: Kind, _ error: String, hint: String, diagnostics: [String]? = nil, allow: String? = nil) {
    self.kind = kind
    self.report = ErrorReport(error: error, hint: hint, diagnostics: diagnostics)
    self.allow = allow
  }
}
