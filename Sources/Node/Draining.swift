internal import Model

extension Node {
  /// Returns when no connection is open, or when `limit` has passed.
  package func drained(within limit: Duration) async {
    let deadline = ports.now() + limit
    while ports.openConnections() > 0, ports.now() < deadline {
      do { try await Task.sleep(for: .milliseconds(20)) } catch { return }
    }
    let rest = ports.openConnections()
    note(.stopped, rest == 0 ? "every connection ended" : "\(rest) connections were cut after \(limit)")
  }
}
