package import Model
package import Telemetry

/// What the name server is asked.
package struct NamePorts: Sendable {
  /// Load by site, as the nodes there tell it: a set.
  package var applySiteLoads: @Sendable ([String: SiteLoad]) -> Void = { _ in }
  /// nil: there is none.
  package var report: @Sendable () -> NameReport?
  /// What a client at this address gets for a name and a type, as text; throws the reason when they are none.
  package var answer: @Sendable (_ name: String, _ type: String, _ client: IPAddress?) throws -> String

  package init(
    report: @escaping @Sendable () -> NameReport? = { nil },
    answer: @escaping @Sendable (String, String, IPAddress?) throws -> String = { _, _, _ in "" }
  ) {
    self.report = report
    self.answer = answer
  }
}
