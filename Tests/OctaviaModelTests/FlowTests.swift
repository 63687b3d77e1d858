import OctaviaModel
import Testing

/// A world outside: which machines there are.
private struct Machines {
  var running: Set<String> = []
  mutating func perform(_ step: Step) {
    switch step.verb {
    case .boot: running.insert(step.amphora!)
    case .destroy: running.remove(step.amphora!)
    default: break
    }
  }
}

@Suite struct KeepalivedTests {
  @Test(arguments: [1, 0.25]) func aFileTellsItsAddressAndHowLongABackupWaits(_ interval: Double) throws {
    let tree = try Sample.active()
    let text = KeepalivedConfig.text(tree, of: tree.amphorae[0], interface: "eth1", prefix: 24, interval: interval)
    let found = try #require(KeepalivedConfig.takeover(text))
    #expect(found.address == "10.0.0.9")
    #expect(found.wait == .seconds(interval * 4))
  }
}

@Suite struct FlowTests {
  private func flows() throws -> [(String, Tree, Flow)] {
    let source = Sample.source
    var all: [(String, Tree, Flow)] = []
    for topology in Deployment.Topology.allCases {
      let new = try Sample.tree(Sample.whole, topology)
      all.append(("create \(topology)", new, .create(new, topology, source)))
      var tree = try Sample.active(topology)
      try tree.lockWhole(.pendingUpdate, when: [.active], source: source)
      all.append(("update \(topology)", tree, .update(tree, source)))
      all.append(("failover \(topology)", tree, .failover(tree, [tree.amphorae[0]], topology, source)))
      all.append(("failover of all \(topology)", tree, .failover(tree, tree.amphorae, topology, source)))
      var going = try Sample.active(topology)
      try going.deleteLoadBalancer(cascade: true, source: source)
      all.append(("delete \(topology)", going, .delete(going, source)))
    }
    return all
  }

  private func machines(_ tree: Tree) -> Machines { Machines(running: Set(tree.amphorae.map(\.id))) }

  /// Runs to the end; at step `crash` the step's work is done, but nobody heard of it; at step `failing` it fails.
  private func play(_ flow: Flow, _ tree: Tree, crash: Int? = nil, failing: Int? = nil) throws -> (
    Tree, Machines, Flow, Int
  ) {
    var flow = flow
    var tree = tree
    var machines = machines(tree)
    var count = 0
    while true {
      let order = flow.next
      switch order {
      case .perform(let step), .undo(let step):
        if count == failing {
          flow.fail("no")
        } else {
          machines.perform(step)
          if count == crash {
            // The controller is gone; another reads what was written down, and does the step again.
            flow = try #require(Flow(flow.document))
            #expect(flow.next == order)
            machines.perform(step)
          }
          flow.apply(order, JSONObject(), to: &tree, Sample.source)
          flow.advance()
        }
        count += 1
        try #require(count < 200)
      case .finish:
        flow.apply(order, JSONObject(), to: &tree, Sample.source)
        return (tree, machines, flow, count)
      }
    }
  }

  @Test func everyFlowSurvivesACrashAtEveryStep() throws {
    for (name, tree, flow) in try flows() {
      let (expected, running, _, steps) = try play(flow, tree)
      for step in 0..<steps {
        let (got, machines, _, _) = try play(flow, tree, crash: step)
        #expect(got.records.map(\.id) == expected.records.map(\.id), "\(name) at \(step)")
        #expect(machines.running == running.running, "\(name) at \(step)")
        #expect(machines.running == Set(got.amphorae.map(\.id)), "\(name) at \(step)")
      }
    }
  }

  @Test func everyFailureEndsCleanly() throws {
    for (name, tree, flow) in try flows() {
      let (_, _, _, steps) = try play(flow, tree)
      for step in 0..<steps {
        let (got, machines, done, _) = try play(flow, tree, failing: step)
        guard case .finish(.failed(let reason, let whole)) = done.next else {
          Issue.record("\(name) at \(step): \(done.next)")
          continue
        }
        #expect(!reason.isEmpty)
        #expect(!got.loadBalancer.provisioning.isPending, "\(name) at \(step)")
        #expect(got.loadBalancer.provisioning == (whole ? .error : .active), "\(name) at \(step)")
        #expect(got.records.allSatisfy { $0.kind == .amphora || !$0.provisioning.isPending }, "\(name) at \(step)")
        // No machine without a row; a row without its machine only where a deletion was begun.
        #expect(machines.running.isSubset(of: Set(got.amphorae.map(\.id))), "\(name) at \(step): \(reason)")
      }
    }
  }

  @Test func theReplacementIsThereBeforeTheOldOneGoes() throws {
    let tree = try Sample.active()
    let old = tree.amphorae[0]
    let flow = Flow.failover(tree, [old], .activeStandby, Sample.source)
    let ready = try #require(flow.steps.firstIndex { $0.verb == .plug })
    let gone = try #require(flow.steps.firstIndex { $0.verb == .destroy })
    #expect(ready < gone)
    #expect(flow.births.map(\.role) == [.master])
  }
}
