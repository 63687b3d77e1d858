internal import Admin
internal import Config
internal import Model
internal import Node

/// The name that was probably meant, where one was given that nobody has.
extension Operations {
  func explained(_ refusal: Refusal) async -> AdminError { AdminError(refusal, meaning: await node.topology) }
}

extension AdminError {
  init(_ refusal: Refusal, meaning topology: Topology) {
    self.init(refusal)
    guard let meant = topology.meant(by: refusal) else { return }
    report.hint = "did you mean `\(meant)`? \(report.hint)"
  }
}

extension Topology {
  fileprivate func meant(by refusal: Refusal) -> String? {
    switch refusal {
    case .noSuchPool(let name): Nearest.word(to: name, among: pools.map(\.name))
    case .noSuchBackend(let key):
      pools.first { $0.name == key.pool }.flatMap { pool in
        Nearest.word(to: key.backend, among: pool.backends.map(\.name)).map { "\(pool.name)/\($0)" }
      }
    case .noSuchVersion(let pool, let version):
      pools.first { $0.name == pool }.flatMap { Nearest.word(to: version, among: $0.backends.compactMap(\.version)) }
    case .noSuchVIP(let name): Nearest.word(to: name, among: vips.map(\.name))
    case .noSuchSite(let name): Nearest.word(to: name, among: names?.sites.map(\.name) ?? [])
    case .noSuchAnnouncement(let name): Nearest.word(to: name, among: bgp?.announcements.map(\.name) ?? [])
    default: nil
    }
  }
}
