import Health

/// The reader of the answer that a run waits for.
enum Answer {
  /// A connection or a datagram is all that counts.
  case unread
  case http(HTTPCheck)
  case grpc(GRPCCheck)
  case reply(ReplySearch)
  case agent(AgentReader)

  init(_ plan: CheckPlan) {
    switch plan.kind {
    case .http(let expectation): self = .http(HTTPCheck(expectation))
    case .grpc(let check): self = .grpc(check)
    case .tcp(.some(let pattern)): self = .reply(ReplySearch(pattern))
    case .agent: self = .agent(AgentReader())
    case .tcp(nil), .udp, .exec, .unusable: self = .unread
    }
  }

  mutating func take(_ bytes: Span<UInt8>, _ tools: inout CheckTools) -> CheckResult? {
    // Consumed, so that the reader's buffer is grown in place.
    switch consume self {
    case .unread:
      self = .unread
      return nil
    case .http(var check):
      let outcome = check.take(bytes, &tools)
      self = .http(check)
      return outcome.map { .report(.probe($0)) }
    case .grpc(var check):
      let outcome = check.take(bytes)
      self = .grpc(check)
      return outcome.map { .report(.probe($0)) }
    case .reply(var search):
      let outcome = search.take(bytes, &tools)
      self = .reply(search)
      return outcome.map { .report(.probe($0)) }
    case .agent(var reader):
      let line = reader.take(bytes)
      self = .agent(reader)
      return line.map { .report(.agent(line: $0)) }
    }
  }

  /// The peer has closed.
  mutating func end(_ tools: inout CheckTools) -> CheckResult {
    switch self {
    case .unread: return .failure("connection closed")
    case .http(var check): return .report(.probe(check.end(&tools)))
    case .grpc(var check): return .report(.probe(check.end()))
    case .reply(var search): return .report(.probe(search.end(&tools)))
    case .agent(let reader): return reader.end().map { .report(.agent(line: $0)) } ?? .nothing
    }
  }

  /// What it waits for, in words.
  var awaited: String {
    if case .http(let check) = self { check.awaited } else { "reply" }
  }
}
