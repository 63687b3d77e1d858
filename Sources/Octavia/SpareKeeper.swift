internal import Logging
internal import OctaviaModel

/// Keeps amphorae ready that belong to no load balancer: what takes one is spared the machine's birth.
struct SpareKeeper: Sendable {
  let store: Store
  let performer: any Performer
  let settings: Settings
  let logger: Logger
  let now: @Sendable () -> Timestamp
  let makeID: @Sendable () -> String

  func run() async {
    while !Task.isCancelled {
      do { try await tend() } catch { if !Task.isCancelled { logger.warning("spare amphorae: \(error)") } }
      try? await Task.sleep(for: .seconds(1))
    }
  }

  private func tend() async throws {
    let source = Source(now: now(), makeID: makeID)
    let wanted = settings.spares
    let limit = source.now - settings.health.timeout
    // The count and the new rows are one transaction: two controllers make no more than one.
    let (silent, booting) = try await store.write { rows in
      var spares = try rows.spares()
      let silent = try spares.filter { try rows.lastHeard($0.id).map { $0.updated < limit } ?? false }.map(\.id)
      spares.removeAll { silent.contains($0.id) }
      while spares.count < wanted {
        let new = Record(amphora: source.makeID(), source)
        try rows.put(new)
        spares.append(new)
      }
      return (silent, spares.filter { $0.text("status") == AmphoraStatus.booting.rawValue })
    }
    for amphora in silent {
      logger.warning("spare amphora \(amphora) is silent; it is replaced")
      try await remove(amphora)
    }
    for amphora in booting {
      do {
        let findings = try await performer.prepare(amphora)
        let moment = now()
        try await store.write { rows in
          guard var record = try rows.spares().first(where: { $0.id == amphora.id }) else { return }
          record.fields.merge(findings)
          record["status"] = .string(AmphoraStatus.ready.rawValue)
          try rows.put(record)
          // One that never says anything becomes silent, too.
          try rows.watch(record.id, tree: "", now: moment)
        }
      } catch is CancellationError {
        return
      } catch {
        logger.warning("spare amphora \(amphora.id): \(error)")
        try await remove(amphora.id)
      }
    }
  }

  private func remove(_ amphora: String) async throws {
    // First its row: nobody shall take it now.
    let isOurs = try await store.write { rows in
      guard try rows.isSpare(amphora) else { return false }
      try rows.remove(amphora)
      try rows.revokeCertificates(amphora: amphora)
      return true
    }
    if isOurs { try await performer.destroy(amphora) }
  }
}
