internal import Admin
internal import Foundation

/// `sluice vip` for people.
enum VIPText {
  static func table(_ report: VIPsReport, colours: Bool) -> String {
    guard !report.vips.isEmpty else { return "this node has no vips\n" }
    var table = TextTable([
      ("VIP", .left), ("STATE", .left), ("SINCE", .right), ("PRIORITY", .right), ("ADDRESSES", .left),
      ("INTERFACE", .left), ("HEARD", .left), ("DROPPED", .right), ("FAILING", .left),
    ])
    for vip in report.vips {
      let priority =
        vip.priority == vip.configuredPriority ? "\(vip.priority)" : "\(vip.priority) of \(vip.configuredPriority)"
      table.add([
        .init(vip.name), .init(vip.state, colour(vip.state)), .init(StatusText.duration(vip.sinceSeconds)),
        .init(priority), .init((vip.addresses + vip.companions).joined(separator: ", ")), .init(vip.interface),
        .init(vip.lastHeard ?? "-"), .init("\(vip.dropped.values.reduce(0, +))"),
        .init(vip.failing.joined(separator: "; ")),
      ])
    }
    return table.render(colours: colours)
  }

  static func details(_ vip: VIPStatusReport) -> String {
    var rows: [(String, String)] = [
      ("vip", vip.name), ("state", "\(vip.state) for \(StatusText.duration(vip.sinceSeconds))"),
      ("addresses", (vip.addresses + vip.companions).joined(separator: ", ") + " on \(vip.interface)"),
      ("protocol", proto(vip)),
      (
        "priority",
        "\(vip.priority), configured \(vip.configuredPriority), \(vip.preempts ? "preempts" : "does not preempt")"
      ),
    ]
    func add(_ name: String, _ value: String?) { if let value, !value.isEmpty { rows.append((name, value)) } }
    add("handover", vip.handover)
    add("group", vip.group)
    add("source", vip.source)
    add("heard", vip.lastHeard)
    add("failing", vip.failing.joined(separator: "; "))
    add("crash", vip.crash.map { "at most \($0.words)" })
    add("clean stop", vip.cleanStop.map { "at most \($0.words)" })
    add("adverts", "\(vip.sent) sent, \(vip.accepted) accepted" + (vip.unsent > 0 ? ", \(vip.unsent) not sent" : ""))
    add("dropped", vip.dropped.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
    add("announced", "\(vip.announcements) packets in \(vip.transitions) changes of state")
    return rows.map { "\($0.0.padding(to: 11))\($0.1.printable)\n" }.joined()
  }

  static func printJSON(_ vip: VIPStatusReport) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(vip), as: UTF8.self))
  }

  private static func proto(_ vip: VIPStatusReport) -> String {
    var text = "VRRP version \(vip.version), router \(vip.routerId), each \(vip.intervalMilliseconds) ms"
    text += vip.peers.isEmpty ? ", multicast" : ", with \(vip.peers.joined(separator: ", "))"
    if vip.isSigned { text += ", signed" }
    if vip.virtualMAC { text += ", virtual MAC" }
    return text
  }

  private static func colour(_ state: String) -> TextTable.Colour? {
    switch state {
    case "active": .green
    case "fault": .red
    default: nil
    }
  }
}
