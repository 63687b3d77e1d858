package import Model

/// One consistent-enough reading of the data plane: each number is exact, but
/// they are not all of one moment. Snapshots of several workers add up.
package struct DataPlaneStatistics: Hashable, Sendable {
  /// Worker threads that took part.
  package var workers = 0
  /// By the worker's number; of one node.
  package var loops: [WorkerStatistics] = []
  /// Lines of the access log that were lost, since its target was too slow or refused them.
  package var droppedLogLines: UInt64 = 0
  /// By listener name. A listener that a reload removed is gone once its last connection is.
  package var listeners: [String: ListenerStatistics] = [:]
  /// By the backend's slot, which outlives Worlds.
  package var backends: [BackendSlot: BackendStatistics] = [:]
  /// By pool name: from sending a request to a backend until the head of its response.
  package var responseTimes: [String: LatencyHistogram] = [:]
  /// By pool name: requests that wait for a backend with room, now.
  package var queued: [String: Int] = [:]

  package init() {}

  package static func += (left: inout DataPlaneStatistics, right: DataPlaneStatistics) {
    left.workers += right.workers
    left.listeners.merge(right.listeners, uniquingKeysWith: +)
    left.backends.merge(right.backends, uniquingKeysWith: +)
    left.responseTimes.merge(right.responseTimes, uniquingKeysWith: +)
    left.queued.merge(right.queued, uniquingKeysWith: +)
  }
}

/// Counters grow from the start of the process and never reset; gauges say so.
package struct ListenerStatistics: Hashable, Codable, Sendable {
  /// Client connections (TCP, HTTP) or sessions (UDP) taken in.
  package var accepted: UInt64 = 0
  /// Gauge: of those, the ones open now.
  package var connections: UInt64 = 0
  /// Refused before a byte was read: access list, connection limit or rate, PROXY header.
  package var refused: UInt64 = 0
  /// Requests with a complete head (HTTP), sessions (UDP), connections (TCP).
  package var requests: UInt64 = 0
  /// Gauge: requests between their head and the end of their response.
  package var inFlight: UInt64 = 0
  /// From clients.
  package var bytesIn: UInt64 = 0
  /// To clients.
  package var bytesOut: UInt64 = 0
  /// What clients were answered, whoever made the answer.
  package var responses = ResponseCounts()
  /// Requests refused as malformed or over a limit (400, 408, 413, 414, 431).
  package var malformed: UInt64 = 0
  /// Requests refused by a rate (429).
  package var rateLimited: UInt64 = 0
  /// Connections that ended by one of the listener's timeouts.
  package var timeouts: UInt64 = 0
  /// Datagrams that did not get on: no backend, a full socket buffer, or too long for the other side.
  package var dropped: UInt64 = 0
  package var http2 = HTTP2Statistics()
  /// From a request's head to the end of its response (HTTP).
  package var requestTimes = LatencyHistogram()
  package var tls = HandshakeStatistics()
  /// By other site that its clients may belong to.
  package var sites: [String: SiteStatistics] = [:]
  /// By name, of those that have one.
  package var routes: [String: RouteStatistics] = [:]

  package init() {}

  package static func + (left: ListenerStatistics, right: ListenerStatistics) -> ListenerStatistics {
    var sum = left
    sum.accepted &+= right.accepted
    sum.connections &+= right.connections
    sum.refused &+= right.refused
    sum.requests &+= right.requests
    sum.inFlight &+= right.inFlight
    sum.bytesIn &+= right.bytesIn
    sum.bytesOut &+= right.bytesOut
    sum.responses = left.responses + right.responses
    sum.malformed &+= right.malformed
    sum.rateLimited &+= right.rateLimited
    sum.timeouts &+= right.timeouts
    sum.dropped &+= right.dropped
    sum.http2 = left.http2 + right.http2
    sum.requestTimes = left.requestTimes + right.requestTimes
    sum.tls = left.tls + right.tls
    sum.sites.merge(right.sites, uniquingKeysWith: +)
    sum.routes.merge(right.routes, uniquingKeysWith: +)
    return sum
  }
}

/// Requests whose cookie names another site.
package struct SiteStatistics: Hashable, Codable, Sendable {
  /// Passed on to it.
  package var forwarded: UInt64 = 0
  /// Served here, since it was not well.
  package var kept: UInt64 = 0

  package init(forwarded: UInt64 = 0, kept: UInt64 = 0) {
    self.forwarded = forwarded
    self.kept = kept
  }

  package static func + (left: SiteStatistics, right: SiteStatistics) -> SiteStatistics {
    SiteStatistics(forwarded: left.forwarded &+ right.forwarded, kept: left.kept &+ right.kept)
  }
}

package struct RouteStatistics: Hashable, Codable, Sendable {
  /// Requests (HTTP), connections (TCP), sessions (UDP) that it was taken for.
  package var requests: UInt64 = 0
  /// Answers with 4xx and 5xx, whoever made them.
  package var clientErrors: UInt64 = 0
  package var serverErrors: UInt64 = 0

  package init() {}

  package static func + (left: RouteStatistics, right: RouteStatistics) -> RouteStatistics {
    var sum = left
    sum.requests &+= right.requests
    sum.clientErrors &+= right.clientErrors
    sum.serverErrors &+= right.serverErrors
    return sum
  }
}

package struct BackendStatistics: Hashable, Codable, Sendable {
  /// Gauge: requests (HTTP), connections (TCP) or sessions (UDP) on it now.
  package var inFlight: UInt64 = 0
  /// Gauge: open connections to it, idle ones too.
  package var connections: UInt64 = 0
  /// Gauge: of those, kept alive without a request.
  package var idle: UInt64 = 0
  /// Tries sent to it, retries included.
  package var requests: UInt64 = 0
  /// Of those, the ones that were another try of the same request.
  package var retries: UInt64 = 0
  /// Connections established.
  package var connects: UInt64 = 0
  package var connectFailures: UInt64 = 0
  /// Tries without a usable response: connect failures, resets, timeouts, malformed responses.
  package var failures: UInt64 = 0
  /// Of those, by a timeout.
  package var timeouts: UInt64 = 0
  /// What the backend answered.
  package var responses = ResponseCounts()
  /// From the backend.
  package var bytesIn: UInt64 = 0
  /// To the backend.
  package var bytesOut: UInt64 = 0
  /// TLS handshakes that were completed, resumed ones too.
  package var handshakes: UInt64 = 0
  package var resumptions: UInt64 = 0
  package var handshakeFailures: UInt64 = 0
  /// From sending a request until the head of its response.
  package var responseTimes = LatencyHistogram()

  package init() {}

  package static func + (left: BackendStatistics, right: BackendStatistics) -> BackendStatistics {
    var sum = left
    sum.inFlight &+= right.inFlight
    sum.connections &+= right.connections
    sum.idle &+= right.idle
    sum.requests &+= right.requests
    sum.retries &+= right.retries
    sum.connects &+= right.connects
    sum.connectFailures &+= right.connectFailures
    sum.failures &+= right.failures
    sum.timeouts &+= right.timeouts
    sum.responses = left.responses + right.responses
    sum.bytesIn &+= right.bytesIn
    sum.bytesOut &+= right.bytesOut
    sum.handshakes &+= right.handshakes
    sum.resumptions &+= right.resumptions
    sum.handshakeFailures &+= right.handshakeFailures
    sum.responseTimes = left.responseTimes + right.responseTimes
    return sum
  }
}

/// Responses by class of their status; 1xx are interim ones and not final answers.
package struct ResponseCounts: Hashable, Codable, Sendable, BitwiseCopyable {
  package var informational: UInt64 = 0
  package var successful: UInt64 = 0
  package var redirection: UInt64 = 0
  package var clientError: UInt64 = 0
  package var serverError: UInt64 = 0

  @inlinable package init() {}

  /// Counts one response; a status outside 100...599 counts nowhere.
  @inlinable package mutating func count(status: Int) {
    switch status {
    case 100...199: informational &+= 1
    case 200...299: successful &+= 1
    case 300...399: redirection &+= 1
    case 400...499: clientError &+= 1
    case 500...599: serverError &+= 1
    default: break
    }
  }

  package static func + (left: ResponseCounts, right: ResponseCounts) -> ResponseCounts {
    var sum = left
    sum.informational &+= right.informational
    sum.successful &+= right.successful
    sum.redirection &+= right.redirection
    sum.clientError &+= right.clientError
    sum.serverError &+= right.serverError
    return sum
  }
}
