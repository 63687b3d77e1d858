import Health
import Model

/// What makes two targets the same one across an `apply`.
struct Identity: Hashable {
  let key: BackendKey
  let isAgent: Bool

  init(key: BackendKey, isAgent: Bool) {
    self.key = key
    self.isAgent = isAgent
  }

  init(_ target: ProbeTarget) {
    key = target.key
    isAgent = if case .agent = target.check { true } else { false }
  }
}

extension ProbeTarget {
  /// Whether both ask the same question of the same server, be it at other times.
  func asksLike(_ other: ProbeTarget) -> Bool {
    guard address == other.address, tls == other.tls else { return false }
    switch (check, other.check) {
    case (.probe(let one), .probe(let two)): return one.kind == two.kind
    case (.agent(let one), .agent(let two)): return one.port == two.port && one.send == two.send
    default: return false
    }
  }

  var pace: ProbeSchedule.Pace {
    switch check {
    case .probe(let probe): ProbeSchedule.Pace(probe)
    // The same share as a probe's unless configured: it keeps nodes apart.
    case .agent(let agent): ProbeSchedule.Pace(every: agent.every, jitter: 0.1)
    }
  }
}

extension ProbeLoop {
  mutating func adopt(_ wanted: [ProbeTarget]) {
    var gone = Set(numbers.keys)
    patterns = Patterns()
    for target in wanted {
      let identity = Identity(target)
      gone.remove(identity)
      guard let number = numbers[identity], let old = assignments[number]?.target else {
        enter(target, identity)
        continue
      }
      if old == target { continue }
      if old.asksLike(target) {
        assignments[number]?.target = target
        assignments[number]?.plan = CheckPlan(target, &patterns)
        schedule.set(number, pace: target.pace, at: now)
      } else {
        // What the old question finds would be taken for an answer to the new one.
        leave(identity)
        enter(target, identity)
      }
    }
    for identity in gone { leave(identity) }
  }

  mutating func pace(_ changing: [BackendKey: Bool]) {
    for (key, isChanging) in changing {
      if isChanging { self.changing.insert(key) } else { self.changing.remove(key) }
      guard let number = numbers[Identity(key: key, isAgent: false)] else { continue }
      schedule.setChanging(number, isChanging, at: now)
    }
  }

  private mutating func enter(_ target: ProbeTarget, _ identity: Identity) {
    lastNumber += 1
    numbers[identity] = lastNumber
    let context = context(for: target)
    assignments[lastNumber] = Assignment(target: target, plan: CheckPlan(target, &patterns), context: context)
    schedule.set(lastNumber, pace: target.pace, at: now)
    if !identity.isAgent, changing.contains(identity.key) { schedule.setChanging(lastNumber, true, at: now) }
  }

  private mutating func leave(_ identity: Identity) {
    guard let number = numbers.removeValue(forKey: identity) else { return }
    schedule.remove(number)
    if let run = assignments.removeValue(forKey: number)?.run, run != Run.none { abandon(run) }
  }
}
