internal import Logging
internal import OctaviaModel

/// What nobody asks for: machines without a row, addresses without an owner, certificates near their end.
struct Housekeeper: Sendable {
  let store: Store
  let performer: any Performer
  let settings: Settings
  let logger: Logger
  let now: @Sendable () -> Timestamp
  private let looks: AsyncStream<Void>
  private let looking: AsyncStream<Void>.Continuation

  init(
    store: Store, performer: any Performer, settings: Settings, logger: Logger, now: @escaping @Sendable () -> Timestamp
  ) {
    self.store = store
    self.performer = performer
    self.settings = settings
    self.logger = logger
    self.now = now
    (looks, looking) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Somebody has seen what should not be there.
  func look() { looking.yield() }

  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask {
        while !Task.isCancelled {
          try? await Task.sleep(for: .seconds(60))
          if Task.isCancelled { return }
          await reconcile()
          await rotate()
        }
      }
      for await _ in looks {
        await reconcile()
        // Whoever calls often is not heard more often.
        try? await Task.sleep(for: .seconds(1))
      }
      group.cancelAll()
    }
  }

  /// A machine whose amphora is in no row and in no flow is removed: the last word on a controller that was killed.
  func reconcile(isStart: Bool = false) async {
    do {
      let existing = try await performer.existing()
      let known = try await store.read { rows in
        Set(try rows.records(.amphora).map(\.id))
          .union(try rows.flows().flatMap { $0.flow.births.map(\.amphora) + $0.flow.condemned })
      }
      for amphora in existing where !known.contains(amphora) {
        logger.warning("amphora \(amphora) belongs to nothing; it is removed")
        try await performer.destroy(amphora)
        try await store.write { try $0.revokeCertificates(amphora: amphora) }
      }
      // Only at the start: later, an address without a row may be one whose row is about to come.
      if isStart { _ = try await store.write { try $0.releaseOrphanedPorts() } }
    } catch {
      logger.warning("housekeeping: \(error)")
    }
  }

  private func rotate() async {
    do {
      let limit = now() + settings.rotateBefore
      let trees = try await store.read { rows in
        try rows.trees([.loadBalancer, .amphora], project: nil)
      }
      for tree in trees where tree.loadBalancer.provisioning == .active {
        for amphora in tree.amphorae {
          let id = amphora.id
          guard let current = try await store.read({ try $0.certificate(amphora: id) }), current.expires < limit else {
            continue
          }
          let findings = try await performer.rotate(amphora, tree)
          let balancer = tree.id
          try await store.write { rows in
            guard var tree = try rows.tree(balancer) else { return }
            tree.update(id) { $0.fields.merge(findings) }
            try rows.save(tree, id: balancer)
          }
        }
      }
    } catch {
      logger.warning("rotating certificates: \(error)")
    }
  }
}
