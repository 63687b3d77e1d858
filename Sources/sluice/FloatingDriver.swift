internal import Announcer
internal import Foundation
internal import Kernel
internal import Model
internal import Node
internal import Store
internal import Synchronization

/// Rules, addresses and rows behind the node's port. A thread of its own waits for `nft` and for the kernel.
final class FloatingDriver: Sendable {
  private let keeper: StateKeeper
  private let program: RuleProgram
  private let thread: WorkThread
  /// What was made so last; touched on the thread alone.
  private let done = Mutex<FloatingPlan?>(nil)

  private init(_ keeper: StateKeeper) throws(Errno) {
    self.keeper = keeper
    program = RuleProgram(file: "\(keeper.path).nft")
    thread = try WorkThread(name: "sluice-nat")
  }

  /// - Throws: what is missing on this machine.
  static func port(_ topology: Topology, _ keeper: StateKeeper?) throws(Failure) -> FloatingPort {
    guard let keeper else { return FloatingPort() }
    if topology.floating != nil {
      let missing = Privileges.missing(of: [.netAdmin, .netRaw])
      guard missing.isEmpty else {
        throw Failure(
          "floating addresses need \(missing.map(\.name).joined(separator: " and ")), which this process lacks",
          hint: "run it as root, or give its service AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW")
      }
    }
    let driver: FloatingDriver
    do throws(Errno) {
      driver = try FloatingDriver(keeper)
    } catch {
      throw Failure("cannot start the thread of floating addresses: \(error)", hint: "raise the limit of open files")
    }
    var port = FloatingPort()
    port.restore = { try await keeper.asking { try $0.floatingRecord() } }
    port.save = { record in try await keeper.asking { try $0.save(record) } }
    port.adopt = { (try? await driver.thread.run { driver.adopt() }) ?? FloatingPlan() }
    port.apply = { plan in try await driver.thread.run { try driver.apply(plan) } }
    return port
  }

  private func adopt() -> FloatingPlan {
    var plan = FloatingPlan()
    plan.mappings = (try? rules())?.inward ?? [:]
    plan.places = FloatingAddresses.present()
    return plan
  }

  private func apply(_ plan: FloatingPlan) throws -> FloatingOutcome {
    try done.withLock { done in
      var outcome = FloatingOutcome()
      let found = try rules()
      if !found.isExactly(plan.mappings) {
        try program.replace(FloatingRules(plan.mappings))
        if done?.mappings == plan.mappings {
          outcome.repairs.append("the rules of floating addresses were not as they should be: put back")
        }
        // A connection goes by the rules that it began with, for as long as it is remembered.
        let moved = found.inward.filter { plan.mappings[$0.key] != $0.value }.keys
        if let trouble = forget(moved) { outcome.troubles.append(trouble) }
      }
      let put = FloatingAddresses.put(plan.places)
      outcome.troubles += put.troubles
      if let before = done?.places {
        let back = put.added.filter { before[$0] == plan.places[$0] && before[$0] != nil }
        if !back.isEmpty {
          outcome.repairs.append(
            "put \(back.map { "\($0)" }.joined(separator: ", ")) back: somebody had removed it")
        }
      }
      done = plan
      return outcome
    }
  }

  private func forget(_ addresses: some Collection<IPAddress>) -> String? {
    guard !addresses.isEmpty else { return nil }
    do throws(NetlinkError) {
      var netlink = try Netlink(.netfilter)
      for address in addresses { try netlink.forgetConnections(of: address) }
      return nil
    } catch {
      return "open connections stay where they are: \(error)"
    }
  }

  private func rules() throws -> ListedRules {
    guard let text = try program.list() else { return ListedRules() }
    return try ListedRules(json: Data(text.utf8))
  }
}

/// What `nft -j list table` says of our table.
private struct ListedRules {
  var inward: [IPAddress: IPAddress] = [:]
  private var outward: [IPAddress: IPAddress] = [:]
  private var count = 0
  private var isThere = false

  init() {}

  init(json: Data) throws {
    isThere = true
    for item in try JSONDecoder().decode(Listing.self, from: json).nftables {
      if item.rule != nil { count += 1 }
      guard let map = item.map else { continue }
      for pair in map.elem ?? [] {
        guard pair.count == 2, let from = IPAddress(pair[0]), let to = IPAddress(pair[1]) else { continue }
        if map.name.hasPrefix("in") { inward[from] = to } else { outward[from] = to }
      }
    }
  }

  func isExactly(_ mappings: [IPAddress: IPAddress]) -> Bool {
    if mappings.isEmpty { return !isThere }
    return count == FloatingRules.count && inward == mappings
      && outward == Dictionary(mappings.map { ($0.value, $0.key) }) { first, _ in first }
  }

  private struct Listing: Decodable {
    struct Item: Decodable {
      var map: Map?
      var rule: Rule?
    }
    struct Map: Decodable {
      var name: String
      var elem: [[String]]?
    }
    struct Rule: Decodable {}

    var nftables: [Item]
  }
}
