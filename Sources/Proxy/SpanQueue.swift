import Synchronization
import Telemetry

/// Sampled requests on their way to the exporter; what finds no room is counted and forgotten, so that no worker waits.
final class SpanQueue: Sendable {
  private struct State {
    var waiting: [TracedRequest] = []
    var limit = 0
    var dropped: UInt64 = 0
  }

  private let state = Mutex(State())

  func setLimit(_ limit: Int) { state.withLock { $0.limit = limit } }

  func append(_ request: TracedRequest) {
    state.withLock { state in
      if state.waiting.count < state.limit { state.waiting.append(request) } else { state.dropped += 1 }
    }
  }

  /// The oldest ones.
  func take(_ most: Int) -> [TracedRequest] {
    state.withLock { state in
      let taken = Array(state.waiting.prefix(most))
      state.waiting.removeFirst(taken.count)
      return taken
    }
  }

  var dropped: UInt64 { state.withLock { $0.dropped } }
}
