import DNS
import Kernel
package import Model
import Synchronization
package import Telemetry

/// Why a question cannot be asked.
package struct NameQuestionError: Error, CustomStringConvertible {
  package let description: String
}

/// What people ask about the name server.
extension NameServer {
  /// The World that is answered by.
  package var world: World? { state.withLock { $0.world } }

  /// nil when no name service is configured.
  package func report() -> NameReport? {
    let statistics = statistics()
    return state.withLock { state in
      guard state.world?.topology.names != nil else { return nil }
      return NameReport(
        statistics: statistics,
        zones: state.catalog.zones.list.map { zone in
          let parent = state.catalog.signers[zone.apex].map { [$0.delegationSigner(zone.apex).description] }
          return .init(
            name: zone.apex.description, serial: zone.serial, records: zone.recordCount, delegationSigners: parent ?? []
          )
        },
        names: state.sets.report())
    }
  }

  /// The answer that a client would get over TCP, in presentation format.
  package func answer(_ name: String, _ type: String, client: IPAddress?) throws -> String {
    guard let owner = Name(name) else { throw NameQuestionError(description: "\(name) is no domain name") }
    guard let kind = RecordType(type) else { throw NameQuestionError(description: "\(type) is no record type") }
    guard let query = Message.query(owner, kind, id: 0, udpSize: 4096).encoded() else { return "" }
    let catalog = state.withLock { $0.catalog }
    var responder = Responder(catalog.settings, seed: Clock.entropy())
    responder.prepare(for: catalog.view)
    var writer = MessageWriter()
    let outcome = responder.answer(
      query.span, from: .init(client ?? .loopbackV4, .tcp),
      at: .init(now: Clock.now(), unixSeconds: UInt32(truncatingIfNeeded: Clock.wall() / 1_000_000)),
      zones: catalog.zones, view: catalog.view, places: catalog.places, into: &writer)
    guard outcome == .respond, let message = try? Message(writer.message) else { return "no answer\n" }
    var lines = ["\(message.code.description)\(message.isAuthoritative ? ", authoritative" : "")"]
    for (title, records) in [
      ("answer", message.answers), ("authority", message.authorities),
      ("additional", message.additionals.filter { $0.type != .opt }),
    ] where !records.isEmpty {
      lines.append("\(title):")
      lines += records.map { "  \($0)" }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension DynamicSets {
  func report() -> [NameReport.Balanced] {
    described().map { owner, expansion, health, ttl in
      NameReport.Balanced(
        name: owner.name.description, policy: expansion.policy, ttl: ttl,
        longestTTL: expansion.set.ttl.longest,
        members: zip(zip(expansion.set.members, expansion.members), health).map { member, health in
          .init(
            address: member.0.address, source: member.1.description, isUp: health.isUp, share: health.share)
        })
    }
  }
}

extension MemberSource: CustomStringConvertible {
  var description: String {
    switch self {
    case .fixed: ""
    case .backend(let key): "\(key.pool)/\(key.backend)"
    case .site(let name, _): "site \(name)"
    }
  }
}
