import Model

/// `access-log`: a place, or a mapping with the place and the form of lines.
extension Reader {
  func accessLog(_ root: Fields, into topology: inout Topology) {
    guard let node = root["access-log"] else { return }
    guard case .map = node.content else {
      if let text = root.value("access-log", .nonEmpty) { topology.accessLog = target(text, .daemon) }
      return
    }
    root.with("access-log", .accessLog) { fields in
      let facility = fields.value("facility", .facility)
      guard let text = fields.value("to", .nonEmpty) else {
        if fields.lacks("to") {
          error(fields.place, "`access-log`: expected `to`: off, stdout, syslog, syslog:ADDRESS, or a path")
        }
        return
      }
      topology.accessLog = target(text, facility ?? .daemon)
      if facility != nil, !text.hasPrefix("syslog") {
        error(fields.keyPlace("facility"), "`facility`: only for `to: syslog`")
      }
      guard let format = fields.value("format", .nonEmpty), format != "json" else { return }
      do throws(LogTemplate.Fault) {
        topology.accessLogTemplate = try LogTemplate(format)
      } catch {
        self.error(fields.keyPlace("format"), "`format`: \(error)")
      }
    }
  }

  private func target(_ text: String, _ facility: SyslogTarget.Facility) -> AccessLogTarget {
    switch text {
    case "off": return .off
    case "stdout": return .stdout
    case "syslog": return .syslog(SyslogTarget(facility: facility))
    default:
      if text.hasPrefix("syslog:"), let address = SocketAddress(String(text.dropFirst(7))) {
        return .syslog(SyslogTarget(address: address, facility: facility))
      }
      return .file(absolute(text))
    }
  }
}

extension Kind<SyslogTarget.Facility> {
  static var facility: Kind {
    Kind(
      SyslogTarget.Facility.allCases.map(\.rawValue).joined(separator: ", "),
      text: { SyslogTarget.Facility(rawValue: $0) })
  }
}
