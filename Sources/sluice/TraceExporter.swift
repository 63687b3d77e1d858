internal import Admin
internal import Model
internal import Node
internal import Telemetry

/// Brings sampled requests to the collector, in batches, on no worker's thread. A batch that the collector does not take
/// is lost and counted: nothing grows.
actor TraceExporter {
  private static let batch = 512

  private let node: Node
  private var exported: UInt64 = 0
  private var lost: UInt64 = 0
  private var dropped: UInt64 = 0
  /// The last complaint, so that it is told once.
  private var trouble: String?

  init(node: Node) { self.node = node }

  /// nil: nothing is sampled.
  func report(_ tracing: Tracing?) -> TracingReport? {
    tracing.map {
      TracingReport(collector: $0.otlp, exported: exported, lost: lost, dropped: dropped, trouble: trouble)
    }
  }

  /// Until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      let topology = await node.topology
      if let tracing = topology.tracing, let collector = tracing.otlp {
        while await export(tracing, collector, topology.node.name ?? "") {}
      }
      do { try await Task.sleep(for: topology.tracing?.every ?? .seconds(1)) } catch { return }
    }
  }

  /// One batch; whether there may be more at once.
  private func export(_ tracing: Tracing, _ collector: String, _ name: String) async -> Bool {
    let (requests, dropped) = node.ports.explain.takeSpans(TraceExporter.batch)
    self.dropped = dropped
    guard !requests.isEmpty else { return false }
    let body = OTLP.request(requests, service: tracing.service, node: name, version: node.version)
    let failure = await WebCall.post(collector, body: body, limit: .seconds(5))
    if failure == nil { exported += UInt64(requests.count) } else { lost += UInt64(requests.count) }
    if failure != trouble {
      trouble = failure
      await node.note(.tracing, failure.map { "spans are lost: \($0)" } ?? "the collector takes spans again")
    }
    return failure == nil && requests.count == TraceExporter.batch
  }
}
