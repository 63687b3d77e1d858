import Balance
import HTTP
import Kernel
import Model
import Reactor
import Telemetry
import Wire

/// A sampled request while it lives.
struct Sample {
  var request: TracedRequest
  /// Of its backend's part.
  let child: UInt64
  var picks: [(decision: Decision, chosen: Int?)] = []
  /// The rules at that time, and what they were asked; the head is empty where it was too long to be kept.
  let routes: [Route]
  let question: ExplainQuestion
  let generation: UInt64
  /// Of `routes`, the one that was taken.
  var route = 0
  /// A new trace: what the client sent of another is not passed on.
  let isRestarted: Bool
}

/// The last sampled requests of a worker.
struct SampleRing {
  static let capacity = 256
  private var samples: [Sample] = []
  private var next = 0

  mutating func append(_ sample: Sample) {
    if samples.count < SampleRing.capacity { samples.append(sample) } else { samples[next] = sample }
    next = (next + 1) % SampleRing.capacity
  }

  /// The newest with this trace or request id; all of them without one.
  func find(_ id: String?) -> [Sample] {
    guard let id else { return samples }
    return samples.filter { $0.request.context.traceID == id || $0.request.requestID == id }
  }
}

/// Requests that are looked at closely: their place in a trace, and how they were decided. All others pay one comparison
/// here and there.
extension Worker {
  /// Whether the request in `incoming` is one of them: as whoever sent it decided, else by chance.
  mutating func considerSampling(_ exchange: UInt32, _ client: UInt32, _ listener: CompiledListener) {
    let parent = traceParent()
    guard parent?.isSampled ?? (UInt32(truncatingIfNeeded: random.next()) < current.sampling) else { return }
    var context = parent ?? TraceContext(high: random.next(), low: random.next() | 1, parent: 0, isSampled: true)
    context.isSampled = true
    var request = TracedRequest(
      context: context, span: random.next() | 1, started: 0, client: streams[client].source)
    request.method = incoming.text(head.methodRange)
    request.host = incoming.text(head.hostRange)
    let path = head.pathRange
    request.path = incoming.text(path.lowerBound..<min(path.upperBound, path.lowerBound + Worker.sampledPath))
    if parent != nil, let line = head.fields.index(of: "tracestate", in: incoming.bytes) {
      request.state = incoming.text(head.fields[line].valueRange)
    }
    request.listener = listener.model.name
    let question = ExplainQuestion(
      listener: listener.model.name, head: head.length <= Worker.sampledHead ? incoming.array(0..<head.length) : [],
      source: streams[client].source.address)
    samples[exchange] = Sample(
      request: request, child: random.next() | 1, routes: listener.model.routes, question: question,
      generation: current.generation, isRestarted: parent == nil)
    exchanges[exchange].flags.insert(.sampled)
  }

  private static let sampledPath = 512
  private static let sampledHead = 8_192

  /// W3C Trace Context §3.2: exactly one line, or the trace begins anew.
  private mutating func traceParent() -> TraceContext? {
    guard let line = head.fields.first(.traceparent), !head.fields.isRepeated(.traceparent) else { return nil }
    return TraceContext(incoming.bytes(head.fields[line].valueRange))
  }

  /// The lines of another trace, which are not passed on with a sampled request.
  mutating func replacedTraceLines(_ exchange: UInt32) -> [[UInt8]] {
    samples[exchange]?.isRestarted == true ? Worker.traceLines : [Worker.traceLines[0]]
  }

  private static let traceLines = [Array("traceparent".utf8), Array("tracestate".utf8)]

  /// Behind the request's id, which is noted too.
  mutating func writeTraceParent(_ exchange: UInt32, _ listener: CompiledListener) {
    guard let sample = samples[exchange] else { return }
    if !listener.requestIDName.isEmpty {
      let kept = listener.trustsRequestID ? requestID(listener) : nil
      // What was written last is 32 digits and the line's end.
      let written = max(0, outgoing.count - 34)..<max(0, outgoing.count - 2)
      let id = kept.flatMap { $0.isEmpty ? nil : incoming.text($0) } ?? outgoing.text(written)
      samples[exchange]?.request.requestID = id
    }
    outgoing.append("traceparent: 00-")
    outgoing.append(sixteenDigits: sample.request.context.high)
    outgoing.append(sixteenDigits: sample.request.context.low)
    outgoing.append("-")
    outgoing.append(sixteenDigits: sample.child)
    outgoing.append("-01\r\n")
  }

  // MARK: Decisions

  /// Picks as any request's backend is picked, by a copy of everything that the pick depends on, which is kept.
  mutating func pickRecorded(_ exchange: UInt32, _ row: Int, _ pool: CompiledPool) -> Int? {
    let decision = decision(exchange, row, pool)
    let outcome = decision.make()
    adopt(outcome, exchange, row)
    if samples[exchange]?.picks.count ?? 0 < Worker.recordedPicks {
      samples[exchange]?.picks.append((decision, outcome.index))
    }
    if outcome.isPersistent {
      exchanges[exchange].flags.insert(.persistent)
    } else {
      exchanges[exchange].flags.remove(.persistent)
    }
    return outcome.index
  }

  private static let recordedPicks = 4

  mutating func decision(_ exchange: UInt32, _ row: Int, _ pool: CompiledPool) -> Decision {
    let group = Int(exchanges[exchange].version)
    return Decision(
      pool: pool, request: PickRequest(hash: exchanges[exchange].hash, tried: exchanges[exchange].tried),
      version: exchanges[exchange].version, wanted: Int(exchanges[exchange].wanted),
      loads: RecordedLoads(pool.standings, loads), now: now, picker: pickers[row],
      versionPicker: group < versionPickers[row].count ? versionPickers[row][group] : nil, random: random)
  }

  private mutating func adopt(_ outcome: Decision.Outcome, _ exchange: UInt32, _ row: Int) {
    pickers[row] = outcome.picker
    if let picker = outcome.versionPicker { versionPickers[row][Int(exchanges[exchange].version)] = picker }
    random = outcome.random
  }

  // MARK: Its end

  mutating func finishSample(_ exchange: UInt32) {
    guard var sample = samples.removeValue(forKey: exchange) else { return }
    let state = exchanges[exchange]
    // Both clocks once, so that spans stand to each other as their times do.
    let (wall, clock) = (Clock.wall(), Clock.now().nanoseconds)
    sample.request.started = wall - (clock - state.started) / 1_000
    sample.request.ended = wall
    let listener = snapshot(of: state.epoch).listeners[Int(state.listener)]
    sample.request.route = listener?.actions[Int(state.route)].name
    sample.route = Int(state.route)
    sample.request.status = Int(state.status)
    sample.request.ending = state.ending.text.description
    sample.request.tries = Int(state.tries)
    if state.pool != Exchange.none, Int(state.pool) < current.pools.count, let pool = current.pools[Int(state.pool)] {
      sample.request.pool = pool.model.name
      if state.tries > 0, let index = pool.index(of: state.slot, near: Int(state.index)) {
        let backend = pool.model.backends[index]
        sample.request.lastTry = TracedRequest.Try(
          span: sample.child, started: wall - (clock - state.triedAt) / 1_000, backend: backend.name,
          address: backend.address)
      }
    }
    if current.exportsSpans { shared.spans.append(sample.request) }
    recent.append(sample)
  }
}

extension ByteRegion {
  /// A copy, as text.
  func text(_ range: Range<Int>) -> String { String(decoding: array(range), as: UTF8.self) }

  fileprivate func array(_ range: Range<Int>) -> [UInt8] {
    let bytes = bytes(range)
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for index in bytes.indices { result.append(bytes[index]) }
    return result
  }
}
