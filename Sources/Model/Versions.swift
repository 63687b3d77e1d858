/// How a pool tells the versions of its backends apart, and clients that belong to one of them.
package struct VersionRules: Hashable, Sendable {
  /// Versions of one pool.
  package static let most = 16

  /// Only backends of this version take new clients, until a rollout says otherwise; nil: all backends do.
  package var serve: String?
  /// The field and the cookie of a request that name the version it wants; for testers.
  package var header: String?
  package var cookie: String?
  /// What a client is known by, so that it stays with its version; nil: every request is drawn anew.
  package var sticky: BalancePolicy.HashKey? = .source

  package init() {}
}

/// How the clients of a pool are divided between one version of its backends and all others.
package struct VersionSplit: Hashable, Sendable, Codable {
  /// All of `share`.
  package static let whole = 10_000

  package var version: String
  /// Its part of the clients, in ten-thousandths.
  package var share: Int
  /// While `share` is 0: how many of the requests it gets copies of, in ten-thousandths; nil: none.
  package var mirrored: Int?

  /// - Parameter share: 0...`whole`.
  package init(_ version: String, share: Int) {
    self.version = version
    self.share = min(max(share, 0), VersionSplit.whole)
  }

  /// Whether backends of a version take clients that did not ask for it.
  package func serves(_ label: String?) -> Bool { label == version ? share > 0 : share < VersionSplit.whole }
}

extension Pool {
  /// The labels of its backends, each once.
  package var versionLabels: [String] {
    var seen: Set<String> = []
    return backends.compactMap(\.version).filter { seen.insert($0).inserted }
  }
}

extension VersionSplit: CustomStringConvertible {
  package var description: String {
    let percent = share % 100 == 0 ? "\(share / 100)" : "\(Double(share) / 100)"
    let copies = mirrored.map { ", copies of \(Double($0) / 100)% of the requests" } ?? ""
    return "\(percent)% of the clients go to version \(version)\(copies)"
  }
}
