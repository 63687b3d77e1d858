import BGP
import Model

extension Kind<UInt32> {
  static var autonomousSystem: Kind {
    Kind("an AS number from 1 to 4294967295") { scalar in
      guard !scalar.isQuoted, let number = Units.number(scalar.text[...]), let value = UInt32(exactly: number),
        value > 0, value != 23_456
      else { return .wrong() }
      return .value(value)
    }
  }

  static var routerID: Kind {
    Kind("a router ID such as 192.0.2.1") { text in
      guard let address = IPAddress(text), address.family == .v4, !address.isUnspecified else { return nil }
      return UInt32(truncatingIfNeeded: address.low)
    }
  }

  static var community: Kind {
    Kind("a community such as 65001:100 or graceful-shutdown", text: { Community($0)?.value })
  }
}

extension Kind<UInt64> {
  static var extendedCommunity: Kind {
    Kind("an extended community such as rt:65001:100", text: { ExtendedCommunity($0)?.value })
  }
}

extension Kind<BGPTerms.LargeCommunity> {
  static var largeCommunity: Kind {
    Kind("a large community such as 4200000000:1:2") { text in
      LargeCommunity(text).map { .init($0.administrator, $0.first, $0.second) }
    }
  }
}

extension Kind<BGPSpeaker.PeerAS> {
  static var peerAS: Kind {
    Kind("an AS number, `external` or `internal`") { scalar in
      switch scalar.text {
      case "external": return .value(.external)
      case "internal": return .value(.internal)
      default:
        guard case .value(let number) = Kind<UInt32>.autonomousSystem.parse(scalar) else { return .wrong() }
        return .value(.exactly(number))
      }
    }
  }
}

extension Kind<BGPAnnouncement.Condition.Amount> {
  static var healthy: Kind {
    Kind("a number of backends, or a share such as 50%") { scalar in
      if let share = Units.share(scalar.text) { return .value(.share(share)) }
      guard !scalar.isQuoted, let count = Units.number(scalar.text[...]), (0...100_000).contains(count) else {
        return .wrong()
      }
      return .value(.count(Int(count)))
    }
  }
}

extension Kind<IPAddress> {
  static var address: Kind { Kind("an address such as 192.0.2.1 or 2001:db8::1", text: { IPAddress($0) }) }
}

extension Kind<String> {
  static var device: Kind {
    Kind("a device's name of at most 15 bytes") { text in
      (1...15).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != 47 } ? text : nil
    }
  }
}

extension Kind<Duration> {
  /// RFC 4271 §4.2: none, or three seconds at least.
  static var holdTime: Kind {
    Kind("0s or whole seconds from 3s to 65535s") { text in
      guard let value = Units.duration(text), value == .zero || (.seconds(3)...(.seconds(65_535))).contains(value),
        value.milliseconds % 1_000 == 0
      else { return nil }
      return value
    }
  }

  static func wholeSeconds(_ range: ClosedRange<Int64>) -> Kind {
    Kind("whole seconds from \(range.lowerBound)s to \(range.upperBound)s") { text in
      guard let value = Units.duration(text), value.milliseconds % 1_000 == 0,
        range.contains(value.milliseconds / 1_000)
      else { return nil }
      return value
    }
  }
}
