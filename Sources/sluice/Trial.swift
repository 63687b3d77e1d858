internal import Admin
internal import Config
internal import Model
internal import Node

/// Configurations that come by the API, and the one that awaits confirmation: it is undone by the node itself, whatever
/// becomes of whoever applied it.
actor Trial {
  private struct Pending {
    let number: Int
    let before: Topology
    let appliedBefore: AppliedText?
    let limit: Duration
    let timer: Task<Void, Never>
  }

  private let node: Node
  private var pending: Pending?
  private var number = 0
  /// What is in force instead of the node's file.
  private(set) var applied: AppliedText?

  /// - Parameter applied: what the process before this one had applied.
  init(_ node: Node, applied: AppliedText?) {
    self.node = node
    self.applied = applied
  }

  var isPending: Bool { pending != nil }

  /// - Throws: with everything as it was.
  func apply(_ topology: Topology, _ text: AppliedText, confirmWithin limit: Duration?) async throws(Failure) {
    guard pending == nil else { throw Trial.conflict }
    let before = await node.topology
    // The lock of this actor is open while the node works: the place is taken first.
    number += 1
    let number = number
    if let limit {
      let timer = Task {
        do { try await Task.sleep(for: limit) } catch { return }
        await expire(number)
      }
      pending = Pending(number: number, before: before, appliedBefore: applied, limit: limit, timer: timer)
    }
    do {
      try await node.apply(.load(topology))
    } catch {
      if pending?.number == number {
        pending?.timer.cancel()
        pending = nil
      }
      throw Failure("the configuration was not taken over: \(error)", hint: "the old one is still in force")
    }
    applied = text
    if let limit {
      await node.note(.trial, "\(text.name) is in force for \(limit) unless it is confirmed")
    } else {
      await node.note(.trial, "\(text.name) is in force, applied by the API")
    }
  }

  func confirm() async throws(Failure) {
    guard let pending else { throw Trial.nothing }
    pending.timer.cancel()
    self.pending = nil
    await node.note(.trial, "\(applied?.name ?? "the configuration") is confirmed")
  }

  /// Undoes what is pending, now.
  func revert() async throws(Failure) {
    guard let pending else { throw Trial.nothing }
    pending.timer.cancel()
    try await undo(pending, "taken back by an operator")
  }

  /// The file is in force again.
  func forget() { applied = nil }

  static let conflict = Failure(
    "another configuration awaits confirmation", hint: "`sluice confirm` keeps it, `sluice revert` undoes it")
  private static let nothing = Failure(
    "nothing awaits confirmation", hint: "it was confirmed or undone already: `sluice events` says which")

  private func expire(_ number: Int) async {
    guard let pending, pending.number == number else { return }
    try? await undo(pending, "not confirmed within \(pending.limit), undone")
  }

  private func undo(_ trial: Pending, _ why: String) async throws(Failure) {
    pending = nil
    let name = applied?.name ?? "the configuration"
    do {
      try await node.apply(.load(trial.before))
    } catch {
      await node.note(.refused, "\(name) could not be undone: \(error)")
      throw Failure("the configuration of before was not taken over: \(error)", hint: "`sluice reload` reads the file")
    }
    applied = trial.appliedBefore
    await node.note(.trial, "\(name): \(why)")
  }
}
