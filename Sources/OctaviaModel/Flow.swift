/// One thing that a flow does. Every step can be done again after it was done: a controller that died in the middle
/// of one does it once more.
package struct Step: Hashable, Sendable {
  package enum Verb: String, Hashable, Sendable, CaseIterable {
    /// A row for a new amphora.
    case allocate
    /// Its certificate, and a machine.
    case boot
    /// Its agent answers.
    case await
    /// Its addresses, and the load balancer's networks.
    case plug
    /// Certificates and configuration to every amphora, and a reload.
    case configure
    /// The same, where one amphora that answers is enough.
    case reconfigure
    /// VRRP, or the address itself where there is one amphora only.
    case elect
    /// The amphora is going to be replaced.
    case condemn
    /// It gives the address to the other one, and lets what is under way end first. One that does not answer is not
    /// waited for.
    case handover
    /// Its certificate is revoked, its machine and addresses are gone.
    case destroy
    /// Its row is gone.
    case forget
    /// The load balancer's addresses are free.
    case release
    /// Nothing is pending any more.
    case settle
    /// The load balancer is gone.
    case remove
    /// The agent's own settings.
    case adjust
  }

  package var verb: Verb
  package var amphora: String?

  package init(_ verb: Verb, _ amphora: String? = nil) {
    self.verb = verb
    self.amphora = amphora
  }

  package var text: String { amphora.map { "\(verb.rawValue) \($0)" } ?? verb.rawValue }

  package init?(_ text: String) {
    let words = text.split(separator: " ")
    guard let word = words.first, let verb = Verb(rawValue: String(word)) else { return nil }
    self.init(verb, words.count > 1 ? String(words[1]) : nil)
  }

  /// What undoes it when a later step fails.
  var inverse: Step? {
    switch verb {
    case .allocate: Step(.forget, amphora)
    case .boot: Step(.destroy, amphora)
    default: nil
    }
  }
}

/// What brings a change to the amphorae, step by step. It is written down before each step, so that it survives its
/// controller.
package struct Flow: Hashable, Sendable {
  package enum Goal: String, Hashable, Sendable {
    case create, update, delete, failover
    case adjust
  }

  package enum Direction: String, Hashable, Sendable { case forward, revert }

  /// An amphora that a flow makes.
  package struct Birth: Hashable, Sendable {
    package var amphora: String
    package var role: AmphoraRole
  }

  package let id: String
  package let loadBalancer: String
  package let goal: Goal
  package private(set) var steps: [Step]
  package private(set) var births: [Birth]
  /// Those that it replaces.
  package private(set) var condemned: [String]
  /// The next step; in a revert, those before it are undone, last first.
  package private(set) var cursor = 0
  package private(set) var direction = Direction.forward
  /// Why it is reverted.
  package private(set) var failure: String?

  private init(
    id: String, loadBalancer: String, goal: Goal, steps: [Step], births: [Birth] = [], condemned: [String] = []
  ) {
    self.id = id
    self.loadBalancer = loadBalancer
    self.goal = goal
    self.steps = steps
    self.births = births
    self.condemned = condemned
  }

  // MARK: plans

  /// - Parameter spares: amphorae that run already and belong to nothing; they are taken first.
  package static func create(
    _ tree: Tree, _ topology: Deployment.Topology, _ source: Source, spares: [String] = []
  ) -> Flow {
    var spares = spares[...]
    let births = topology.roles.map { Birth(amphora: spares.popFirst() ?? source.makeID(), role: $0) }
    // Machines boot side by side: all are asked for before the first is waited for.
    let verbs: [Step.Verb] = [.allocate, .boot, .await, .plug]
    let build = verbs.flatMap { verb in births.map { Step(verb, $0.amphora) } }
    return Flow(
      id: source.makeID(), loadBalancer: tree.id, goal: .create,
      steps: build + [Step(.configure), Step(.elect), Step(.settle)],
      births: births)
  }

  package static func update(_ tree: Tree, _ source: Source) -> Flow {
    Flow(
      id: source.makeID(), loadBalancer: tree.id, goal: .update, steps: [Step(.reconfigure), Step(.settle)])
  }

  package static func delete(_ tree: Tree, _ source: Source) -> Flow {
    let amphorae = tree.amphorae.map(\.id)
    return Flow(
      id: source.makeID(), loadBalancer: tree.id, goal: .delete,
      steps: amphorae.map { Step(.destroy, $0) } + amphorae.map { Step(.forget, $0) } + [Step(.release), Step(.remove)])
  }

  /// Each amphora of `old` gets a successor before it goes; one after the other, in the order given.
  package static func failover(
    _ tree: Tree, _ old: [Record], _ topology: Deployment.Topology, _ source: Source, spares: [String] = []
  ) -> Flow {
    var spares = spares[...]
    var steps: [Step] = []
    var births: [Birth] = []
    // A load balancer without a single amphora gets its whole set.
    let held = tree.amphorae.compactMap { AmphoraRole(rawValue: $0.text("role")) }
    for role in topology.roles where !held.contains(role) {
      births.append(Birth(amphora: spares.popFirst() ?? source.makeID(), role: role))
      steps += build(births.last!.amphora) + [Step(.reconfigure), Step(.elect)]
    }
    for amphora in old {
      let role = AmphoraRole(rawValue: amphora.text("role")) ?? .standalone
      births.append(Birth(amphora: spares.popFirst() ?? source.makeID(), role: role))
      steps += [Step(.condemn, amphora.id)] + build(births.last!.amphora)
      if topology == .activeStandby { steps.append(Step(.handover, amphora.id)) }
      // With two, the heir stands ready before the old one goes; with one, the address can be in one place only.
      steps += [Step(.destroy, amphora.id), Step(.forget, amphora.id), Step(.reconfigure), Step(.elect)]
    }
    return Flow(
      id: source.makeID(), loadBalancer: tree.id, goal: .failover, steps: steps + [Step(.settle)], births: births,
      condemned: old.map(\.id))
  }

  package static func adjust(_ tree: Tree, _ amphora: String, _ source: Source) -> Flow {
    Flow(
      id: source.makeID(), loadBalancer: tree.id, goal: .adjust, steps: [Step(.adjust, amphora), Step(.settle)])
  }

  private static func build(_ amphora: String) -> [Step] {
    [.allocate, .boot, .await, .plug].map { Step($0, amphora) }
  }

  // MARK: progress

  package enum Order: Hashable, Sendable {
    case perform(Step)
    case undo(Step)
    /// Everything is done, or everything that can be is undone.
    case finish(Ending)
  }

  package enum Ending: Hashable, Sendable {
    case done
    /// `whole`: the load balancer itself is in error, not only what was to be changed.
    case failed(String, whole: Bool)
  }

  package var next: Order {
    switch direction {
    case .forward: cursor < steps.count ? .perform(steps[cursor]) : .finish(.done)
    case .revert:
      cursor > 0
        ? .undo(steps[cursor - 1].inverse!) : .finish(.failed(failure ?? "", whole: goal != .update && goal != .adjust))
    }
  }

  /// The order that `next` gave is done.
  package mutating func advance() {
    switch direction {
    case .forward: cursor += 1
    case .revert: retreat(to: cursor - 1)
    }
  }

  /// The step cannot be done. What was made is undone, back to the last amphora that is gone for good: its heir stays.
  package mutating func fail(_ reason: String) {
    guard direction == .forward else { return advance() }
    failure = "\(cursor < steps.count ? steps[cursor].text : goal.rawValue): \(reason)"
    direction = .revert
    // The step itself may be half done.
    retreat(to: min(cursor + 1, steps.count))
  }

  private mutating func retreat(to position: Int) {
    cursor = position
    while cursor > 0 {
      let step = steps[cursor - 1]
      // A point of no return: the condemned amphora is gone, or half gone.
      if step.verb == .destroy {
        cursor = 0
        return
      }
      if step.inverse != nil { return }
      cursor -= 1
    }
  }

  /// Amphorae that this flow condemned and that are still there.
  package func survivors(in tree: Tree) -> [String] { condemned.filter { tree[.amphora, $0] != nil } }
}

extension Flow {
  /// As it is kept in the database.
  package var document: JSON {
    .object([
      "id": .string(id), "load_balancer": .string(loadBalancer), "goal": .string(goal.rawValue),
      "steps": .strings(steps.map(\.text)), "births": .strings(births.map { "\($0.amphora) \($0.role.rawValue)" }),
      "condemned": .strings(condemned), "cursor": .int(cursor), "direction": .string(direction.rawValue),
      "failure": .optional(failure),
    ])
  }

  package init?(_ document: JSON) {
    guard let id = document["id"].string, let balancer = document["load_balancer"].string,
      let goal = document["goal"].string.flatMap(Goal.init), let cursor = document["cursor"].int,
      let direction = document["direction"].string.flatMap(Direction.init)
    else { return nil }
    let births = document["births"].strings.compactMap { text -> Birth? in
      let words = text.split(separator: " ")
      guard words.count == 2, let role = AmphoraRole(rawValue: String(words[1])) else { return nil }
      return Birth(amphora: String(words[0]), role: role)
    }
    self.init(
      id: id, loadBalancer: balancer, goal: goal, steps: document["steps"].strings.compactMap(Step.init),
      births: births,
      condemned: document["condemned"].strings)
    guard (0...steps.count).contains(cursor) else { return nil }
    self.cursor = cursor
    self.direction = direction
    failure = document["failure"].string
  }
}
