import Kernel
import Model
import VRRP

/// What the routers report, in words.
extension VIPLoop {
  mutating func tell(of report: Report, _ place: Place) {
    let name = units[place.unit].members[place.member].vip.name
    let kind: VIPReport.Kind
    let message: String
    switch report {
    case .changed(let from, let to, let reason): return changed(from, to, reason, place)
    case .priority(let from, let to):
      let failing = units[place.unit].group.members[place.member].tracks
      let names = units[place.unit].members[place.member].vip.tracks.map(\.name).filter { failing.isWell($0) == false }
      (kind, message) = (
        .vip, "priority \(from) -> \(to)\(names.isEmpty ? "" : ", failing: \(names.joined(separator: ", "))")"
      )
    case .otherAddresses(let source):
      (kind, message) = (.vip, "\(source) advertises other addresses: the configurations differ")
    case .learntInterval(let interval, let source):
      (kind, message) = (
        .vip, "\(source) advertises each \(interval.centiseconds * 10) ms: that is how long silence is counted now"
      )
    case .dualActiveBegan(let rival):
      (kind, message) = (.dual, "\(rival) is active, too: this node goes on, its standing is higher")
    case .dualActiveEnded(let rival, let lasted):
      (kind, message) = (
        .dual, "\(rival) has given way; it was heard for \(lasted.milliseconds) ms beside this node; announcing again"
      )
    case .ownsAlone: (kind, message) = (.verified, "nobody else answers for the addresses")
    case .answeredElsewhere(let addresses, let attempt):
      let list = addresses.map { "\($0)" }.joined(separator: ", ")
      (kind, message) = (.verified, "somebody else still answers for \(list) (asked \(attempt) times)")
    case .handoverRefused: (kind, message) = (.vip, "the addresses cannot be handed over")
    }
    var said = VIPReport(vip: name, kind: kind, message: message)
    if case .priority = report { said.isOwnDoing = true }
    say(said)
  }

  private mutating func changed(_ from: RouterState, _ to: RouterState, _ reason: Reason, _ place: Place) {
    let member = units[place.unit].members[place.member]
    let instant = Clock.now()
    var message = "\(reason.words)"
    switch to {
    case .active:
      units[place.unit].members[place.member].announcementTook = instant - now
      let addresses = member.configuration.movingAddresses.map { "\($0)" }.joined(separator: ", ")
      message += "; has \(addresses) on \(member.vip.interface), announced after \((instant - now).tenths) ms"
    case .backup, .initialize:
      if from == .active { message += "; was active for \((now - member.since).words)" }
    }
    units[place.unit].members[place.member].since = now
    units[place.unit].members[place.member].transitions += 1
    let kind: VIPReport.Kind =
      switch to {
      case .active: .active
      case .backup: .backup
      case .initialize: reason == .shutdown ? .backup : .fault
      }
    var said = VIPReport(vip: member.vip.name, kind: kind, message: message)
    said.isOwnDoing = reason.isOwnDoing
    say(said)
  }
}

extension Reason {
  /// Whether the node may have led to it; of silence and resignations nobody can say.
  fileprivate var isOwnDoing: Bool {
    switch self {
    case .outranked, .fault, .recovered, .handover, .group: true
    case .started, .shutdown, .owner, .silence, .resignation: false
    }
  }

  fileprivate var words: String {
    switch self {
    case .started: "started"
    case .shutdown: "resigned: this node stops"
    case .owner: "owns the addresses"
    case .silence(let source, let time):
      source.map { "router \($0) silent for \(time.words)" } ?? "no router heard for \(time.words)"
    case .resignation(let source): "\(source) resigned"
    case .outranked(let source, let priority): "outranked by \(source), priority \(priority)"
    case .fault(let faults): "fault: \(faults.joined(separator: ", "))"
    case .recovered: "the fault is gone"
    case .handover: "handed over, as ordered"
    case .group: "its group moved"
    }
  }
}

extension Duration {
  /// "5.012 s" or "87 ms".
  fileprivate var words: String {
    let count = milliseconds
    if count < 1_000 { return "\(count) ms" }
    let rest = count % 1_000
    return "\(count / 1_000).\(rest < 100 ? "0" : "")\(rest < 10 ? "0" : "")\(rest) s"
  }

  /// Milliseconds with one decimal.
  fileprivate var tenths: String { "\(nanoseconds / 1_000_000).\(nanoseconds / 100_000 % 10)" }
}
