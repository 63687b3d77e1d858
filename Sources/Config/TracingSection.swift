import Model

extension Reader {
  /// `tracing`: which requests are sampled, and where their spans go.
  func tracing(_ fields: Fields) -> Tracing {
    var result = Tracing()
    let collector = Kind<String>("an http:// URL such as http://127.0.0.1:4318/v1/traces") { text in
      guard text.hasPrefix("http://"), text.utf8.count <= 1_024, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
        text.dropFirst(7).contains("/"), !text.dropFirst(7).hasPrefix("/")
      else { return nil }
      return text
    }
    fields.read("sample", .share(), into: &result.sample)
    fields.read("otlp", collector, into: &result.otlp)
    fields.read("service", .nonEmpty, into: &result.service)
    fields.read("queue", .integer(1...1_000_000), into: &result.queue)
    fields.read("every", .duration(), into: &result.every)
    return result
  }
}
