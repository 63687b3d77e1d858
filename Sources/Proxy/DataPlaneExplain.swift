import HTTP
import Kernel
package import Model
import Reactor
import Routing
import Synchronization
package import Telemetry

/// Questions about requests: what would be done with one, what was done with a sampled one, and why.
extension DataPlane {
  /// What the first worker would do with a request now.
  package func explain(_ question: ExplainQuestion) -> Explanation {
    guard let order = ask([mailboxes[0]], .request(question)).first, let found = order.explanation.withLock({ $0 })
    else {
      var none = Explanation(worker: 0, generation: 0)
      none.problem = "the worker did not answer in time"
      return none
    }
    return found
  }

  /// The last sampled requests of all workers, oldest first; with an id only those of that trace or request, explained.
  package func samples(_ id: String?) -> [SampledRequest] {
    ask(mailboxes, .samples(id)).flatMap { $0.answer.withLock { $0 } }.sorted {
      $0.request.started < $1.request.started
    }
  }

  /// Sampled requests that wait for the exporter.
  package func takeSpans(_ most: Int) -> (requests: [TracedRequest], dropped: UInt64) {
    (shared.spans.take(most), shared.spans.dropped)
  }

  /// Those that were answered in time.
  private func ask(_ mailboxes: [Mailbox<WorkerOrder>], _ subject: ExplainOrder.Subject) -> [ExplainOrder] {
    guard let latch = try? Latch(count: mailboxes.count) else { return [] }
    let orders = mailboxes.map { _ in ExplainOrder(subject, latch) }
    for (mailbox, order) in zip(mailboxes, orders) { mailbox.post(.explain(order)) }
    _ = latch.wait(milliseconds: 1_000)
    return orders
  }

  /// Which part of a route a request does not match: the part alone is compiled and asked, by the code that routes.
  /// - Returns: nil: it matches.
  package static func mismatch(_ route: Route, _ question: ExplainQuestion) -> String? {
    for (what, part) in route.match.parts {
      var alone = route
      alone.match = part
      guard let table = try? RouteTable(routes: [alone]) else { return "\(what) cannot be compiled" }
      if !matches(table, question) { return what }
    }
    return nil
  }

  private static func matches(_ table: RouteTable, _ question: ExplainQuestion) -> Bool {
    var scratch = MatchScratch()
    guard !question.head.isEmpty else {
      return table.match(RouteRequest(source: question.source), fields: NoFields(), scratch: &scratch) != nil
    }
    var region = ByteRegion(capacity: question.head.count)
    region.append(question.head)
    var head = RequestHead()
    var scanned = 0
    guard (try? head.parse(region, scanned: &scanned, limits: HeadLimits())) != nil else { return false }
    var path: [UInt8] = []
    let outcome = PathNormalizer.normalize(region, head.pathRange, into: &path)
    return table.match(
      head, region, normalPath: outcome == .rewritten ? path : nil, source: question.source, scratch: &scratch) != nil
  }
}

extension Match {
  /// Each condition alone, with its name.
  fileprivate var parts: [(String, Match)] {
    var parts: [(String, Match)] = []
    func add(_ what: String, _ isAsked: Bool, _ edit: (inout Match) -> Void) {
      guard isAsked else { return }
      var part = Match()
      edit(&part)
      parts.append((what, part))
    }
    add("host", !hosts.isEmpty) { $0.hosts = hosts }
    add("path", path != nil) { $0.path = path }
    add("method", !methods.isEmpty) { $0.methods = methods }
    add("source", !sources.isEmpty) { $0.sources = sources }
    for field in headers { add("header \(field.name)", true) { $0.headers = [field] } }
    for field in query { add("query \(field.name)", true) { $0.query = [field] } }
    for field in cookies { add("cookie \(field.name)", true) { $0.cookies = [field] } }
    add("sni", !serverNames.isEmpty) { $0.serverNames = serverNames }
    var rest = self
    (rest.hosts, rest.path, rest.methods, rest.sources) = ([], nil, [], [])
    (rest.headers, rest.query, rest.cookies, rest.serverNames) = ([], [], [], [])
    add("alpn or client-cert", rest != Match()) { $0 = rest }
    return parts
  }
}
