import Model

extension Reader {
  func match(_ node: Node, _ transport: Listener.Transport) -> Match? {
    guard let fields = Fields(node, .match, self, label: "match") else { return nil }
    if transport != .http {
      let allowed = transport == .tcp ? ["source", "sni", "alpn", "client-cert"] : ["source"]
      for key in Section.match.keys where !allowed.contains(key) && fields.has(key) {
        let words = transport == .tcp ? "`source`, `sni`, `alpn` and `client-cert`" : "`source`"
        error(fields.keyPlace(key), "`\(key)`: a \(transport.rawValue) listener matches by \(words) only")
      }
    }
    var match = Match()
    match.hosts = nonEmpty(fields, "host", .host)
    match.methods = nonEmpty(fields, "method", .method)
    match.sources = nonEmpty(fields, "source", .prefix)
    if let node = fields["path"] { match.path = path(node) }
    match.headers = conditions(fields, "header").compactMap { condition in
      guard HTTPRules.isToken(condition.name) else {
        error(
          condition.place, "`header`: expected a header name such as x-request-id, found `\(condition.name.shortened)`")
        return nil
      }
      return Match.Field(name: condition.name.lowercased(), test: condition.test)
    }
    match.query = conditions(fields, "query").map { Match.Field(name: $0.name, test: $0.test) }
    match.cookies = conditions(fields, "cookie").compactMap { condition in
      guard HTTPRules.isToken(condition.name) else {
        error(condition.place, "`cookie`: expected a cookie's name, found `\(condition.name.shortened)`")
        return nil
      }
      return Match.Field(name: condition.name, test: condition.test)
    }
    match.serverNames = nonEmpty(fields, "sni", .host)
    match.protocols = nonEmpty(fields, "alpn", .nonEmpty)
    fields.with("client-cert", .clientCertificate) { match.clientCertificate = clientCertificate($0) }
    return match
  }

  private func clientCertificate(_ fields: Fields) -> Match.ClientCertificate {
    var result = Match.ClientCertificate()
    fields.read("present", .boolean, into: &result.present)
    let fingerprint = Kind<String>("the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons") {
      let digits = $0.lowercased().filter { $0 != ":" }
      return digits.utf8.count == 64 && digits.allSatisfy(\.isHexDigit) ? digits : nil
    }
    result.fingerprints = nonEmpty(fields, "fingerprint", fingerprint)
    if let node = fields["subject"] { result.subject = condition(node, "subject") }
    if fields.lacks("present"), fields.lacks("fingerprint"), fields.lacks("subject") {
      error(fields.place, "`client-cert`: expected `present`, `subject` or `fingerprint`")
    }
    return result
  }

  /// A list that, when it is given, means "any of these": an empty one would match nothing.
  private func nonEmpty<Value>(_ fields: Fields, _ key: String, _ kind: Kind<Value>) -> [Value] {
    guard let node = fields[key] else { return [] }
    if node.oneOrMany.isEmpty {
      error(node.place, "`\(key)`: expected at least one, found an empty list; leave it out to match every")
    }
    return fields.list(key, kind) ?? []
  }

  private func path(_ node: Node) -> Match.Path? {
    guard case .map = node.content else { return scalar(node, .path, label: "path").map(Match.Path.prefix) }
    guard let fields = Fields(node, .path, self, label: "path"),
      let kind = fields.exactlyOne(of: Section.path.keys, label: "path")
    else { return nil }
    switch kind {
    case "exact": return fields.value(kind, .path).map(Match.Path.exact)
    case "prefix": return fields.value(kind, .path).map(Match.Path.prefix)
    default: return fields.value(kind, .regex).map(Match.Path.regex)
    }
  }

  private func conditions(_ fields: Fields, _ key: String) -> [(name: String, place: Place, test: Match.Field.Test)] {
    fields.names(key).compactMap { entry in
      guard let test = condition(entry.value, entry.key) else { return nil }
      return (entry.key, entry.keyPlace, test)
    }
  }

  private func condition(_ node: Node, _ name: String) -> Match.Field.Test? {
    guard case .map = node.content else {
      return scalar(node, .text, label: name.shortened).map(Match.Field.Test.exact)
    }
    guard let fields = Fields(node, .field, self, label: name.shortened),
      let kind = fields.exactlyOne(of: Section.field.keys, label: name.shortened)
    else { return nil }
    switch kind {
    case "present": return fields.value(kind, .boolean).map { $0 ? .present : .absent }
    case "exact": return fields.value(kind, .text).map(Match.Field.Test.exact)
    case "prefix": return fields.value(kind, .text).map(Match.Field.Test.prefix)
    default: return fields.value(kind, .regex).map(Match.Field.Test.regex)
    }
  }
}
