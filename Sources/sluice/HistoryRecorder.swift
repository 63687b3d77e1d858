internal import Admin

/// The running node's history.
actor HistoryRecorder {
  private var history = History()

  func record(_ status: StatusReport, at time: Int64) { history.record(status, at: time) }
  func report() -> HistoryReport { HistoryReport(samples: history.samples) }
}
