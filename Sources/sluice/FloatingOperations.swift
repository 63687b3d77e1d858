internal import Admin
internal import Model
internal import Node

extension Operations {
  func floatingIPs() async -> FloatingReport {
    let view = await node.floatingView()
    var report = FloatingReport()
    report.pools = view.settings.pools.map { pool in
      .init(
        name: pool.name,
        ranges: pool.ranges.map {
          $0.lowerBound == $0.upperBound ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
        },
        device: pool.device, vip: pool.vip, allocated: view.table.entries.values.count { $0.pool == pool.name })
    }
    report.addresses = view.table.sorted.map { .init($0, view) }
    report.troubles = view.troubles
    report.moves = view.moves
    report.repairs = view.repairs
    return report
  }

  func floating(_ verb: FloatingVerb, _ body: FloatingOrderBody) async throws(AdminError) -> FloatingReport.Address {
    let address = try body.address.map { (text) throws(AdminError) in try Operations.address(text) }
    let fixed = try body.fixed.map { (text) throws(AdminError) in try Operations.address(text) }
    let order: FloatingOrder
    switch (verb, address, fixed) {
    case (.allocate, let address, nil): order = .allocate(pool: body.pool, address)
    case (.associate, let address?, let fixed?): order = .associate(address, fixed)
    case (.move, let address?, let fixed?): order = .move(address, fixed)
    case (.disassociate, let address?, nil): order = .disassociate(address)
    case (.release, let address?, nil): order = .release(address)
    default:
      throw AdminError(
        .unprocessable, "\(verb.rawValue) is incomplete", hint: "associate and move take an address and a fixed one")
    }
    do throws(Refusal) {
      let done = try await node.order(floating: order)
      let view = await node.floatingView()
      return .init(view.table.entries[done] ?? FloatingIP(address: done, pool: ""), view)
    } catch {
      throw AdminError(error)
    }
  }

  private static func address(_ text: String) throws(AdminError) -> IPAddress {
    guard let address = IPAddress(text) else {
      throw AdminError(.unprocessable, "`\(text)` is no IP address", hint: "write 192.0.2.1 or 2001:db8::1")
    }
    return address
  }
}

extension FloatingReport.Address {
  fileprivate init(_ entry: FloatingIP, _ view: FloatingView) {
    self.init(
      address: "\(entry.address)", pool: entry.pool, fixed: entry.fixed.map { "\($0)" },
      failover: view.settings.failover(of: entry.address)?.name, isHere: view.plan.places[entry.address] != nil)
  }
}
