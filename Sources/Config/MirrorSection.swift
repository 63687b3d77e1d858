import Model

extension Reader {
  func mirror(_ fields: Fields, _ listener: Listener) -> Mirror? {
    guard let pool = fields.value("pool", .nonEmpty), let place = fields["pool"]?.place else {
      if fields.lacks("pool") { error(fields.place, "`mirror`: expected `pool`") }
      return nil
    }
    use(pool, place, listener)
    var result = Mirror(pool: pool)
    fields.read("share", .share(), into: &result.share)
    if let bytes = fields.value("body", .size(0...1 << 20)) { result.body = Int(bytes) }
    fields.read("in-flight", .integer(1...100_000), into: &result.inFlight)
    fields.read("timeout", .duration(), into: &result.timeout)
    return result
  }
}
