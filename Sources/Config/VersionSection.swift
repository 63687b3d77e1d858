import Model

extension Reader {
  /// `versions` of a pool: which one serves, and who belongs to which.
  func versions(_ fields: Fields, _ pool: Pool) -> VersionRules {
    var result = VersionRules()
    fields.read("serve", .name, into: &result.serve)
    result.header = fields.value("header", .headerName)?.lowercased()
    fields.read("cookie", .token, into: &result.cookie)
    if let node = fields["sticky"] { result.sticky = sticky(node) }
    let labels = pool.versionLabels
    if let serve = result.serve, !labels.contains(serve) {
      let meant = Nearest.word(to: serve, among: labels).map { "; did you mean `\($0)`?" } ?? ""
      fields.error(at: "serve", "`serve`: no backend of the pool has `version: \(serve)`\(meant)")
    }
    if labels.count > VersionRules.most {
      fields.reader.error(
        fields.place, "`versions`: expected at most \(VersionRules.most) of them, found \(labels.count)")
    }
    return result
  }

  private func sticky(_ node: Node) -> BalancePolicy.HashKey? {
    guard case .map = node.content else {
      let words = Kind<BalancePolicy.HashKey?>.choice([("source", .source), ("off", nil)])
      return scalar(
        node, Kind(words.expected + ", or a mapping with `header` or `cookie`", parse: words.parse), label: "sticky")
        ?? nil
    }
    guard let fields = Fields(node, .hashKey, self, label: "sticky"),
      let kind = fields.exactlyOne(of: Section.hashKey.keys, label: "sticky")
    else { return nil }
    if kind == "header" { return fields.value(kind, .headerName).map { .header($0.lowercased()) } }
    return fields.value(kind, .token).map { .cookie($0) }
  }
}
