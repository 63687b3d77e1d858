import Balance
import HTTP
import Model
import Reactor
import Routing
import Synchronization
import Telemetry
import Wire

/// A question to a worker, and where its answer is put.
final class ExplainOrder: Sendable {
  enum Subject: Sendable {
    /// What would be done with it.
    case request(ExplainQuestion)
    /// What was done: the sampled requests with this id, or all.
    case samples(String?)
  }

  let subject: Subject
  let answer = Mutex<[SampledRequest]>([])
  let explanation = Mutex<Explanation?>(nil)
  let latch: Latch

  init(_ subject: Subject, _ latch: Latch) {
    self.subject = subject
    self.latch = latch
  }
}

/// The way of a request, walked without sending anything: the same functions on an exchange that belongs to nobody.
/// Nothing is counted, and the generator and the balancers stay as they were.
extension Worker {
  mutating func answer(_ order: ExplainOrder) {
    switch order.subject {
    case .request(let question):
      let found = explain(question)
      order.explanation.withLock { $0 = found }
    case .samples(let id):
      let found = recent.find(id).map { sample in
        var explanation = Explanation(worker: number, generation: sample.generation)
        explanation.path = sample.request.path
        explanation.pool = sample.request.pool
        explanation.route = sample.route
        // One is explained, a list is not.
        if id != nil { explanation.picks = sample.picks.map { $0.decision.explained(chosen: $0.chosen) } }
        return SampledRequest(
          request: sample.request, explanation: explanation, routes: sample.routes, question: sample.question)
      }
      order.answer.withLock { $0 = found }
    }
    order.latch.arrive()
  }

  private mutating func explain(_ question: ExplainQuestion) -> Explanation {
    var result = Explanation(worker: number, generation: current.generation)
    guard let listener = current.listeners.first(where: { $0?.model.name == question.listener }) ?? nil else {
      result.problem = "there is no listener \(question.listener)"
      return result
    }
    let before = random
    defer { random = before }
    guard let exchange = exchanges.insert() else {
      result.problem = "the worker has no room for another request"
      return result
    }
    defer { exchanges.remove(exchange) }
    let route: Int?
    if question.head.isEmpty {
      route = matchBySource(listener, question.source)
    } else {
      incoming.clear()
      incoming.append(question.head)
      var scanned = 0
      do throws(HeadError) {
        guard try head.parse(incoming, scanned: &scanned, limits: listener.headLimits) != nil else {
          result.problem = "400: the head has no end"
          return result
        }
      } catch {
        result.problem = "\(error.status): \(error.reason)"
        return result
      }
      if listener.routes.asksForFacts { scratch.facts = nil }
      switch matchRoute(listener, question.source) {
      case .route(let found): route = found
      case .none: route = nil
      case .undecided:
        result.problem = "500: a route's pattern cost too much"
        return result
      case .badPath:
        result.problem = "400: invalid path"
        return result
      }
      result.path = pathIsRewritten ? String(decoding: normalPath, as: UTF8.self) : incoming.text(head.pathRange)
    }
    guard let route else {
      result.problem = "404: no route matches"
      return result
    }
    result.route = route
    var action = listener.actions[route]
    if let affinity = listener.affinity, !question.head.isEmpty, poolRow(action) != nil {
      let choice = chooseSite(affinity)
      result.site = affinity.explain(choice)
      if choice.isForward, let other = affinity.other(choice) { action = other.route }
    }
    guard let row = poolRow(action), let pool = current.pools[Int(row)] else { return result }
    result.pool = pool.model.name
    exchanges[exchange].pool = row
    exchanges[exchange].layout = pool.layout
    settle(exchange, pool, question)
    let decision = decision(exchange, Int(row), pool)
    result.picks = [decision.explained(chosen: decision.make().index)]
    return result
  }

  /// Key, persistence and version, as `forward` and `openTunnel` have them.
  private mutating func settle(_ exchange: UInt32, _ pool: CompiledPool, _ question: ExplainQuestion) {
    if question.head.isEmpty {
      exchanges[exchange].hash = pool.keys.hash(question.source)
      findPersistent(bySource: exchange, question.source)
      if let split = pool.split { chooseVersion(bySource: exchange, split, pool, question.source) }
    } else {
      hashKey(exchange, pool, source: question.source)
      if pool.persists { findPersistent(exchange, pool, source: question.source) }
      if let split = pool.split { chooseVersion(exchange, split, pool, source: question.source) }
    }
  }
}
