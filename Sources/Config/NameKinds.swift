import Foundation
import Model

/// An address of a site or a name, with the port that a probe asks.
struct NamePlace: Hashable {
  var address: IPAddress
  var port: UInt16?

  /// "192.0.2.1", "192.0.2.1:443", "2001:db8::1" or "[2001:db8::1]:443".
  init?(_ text: String) {
    if let address = IPAddress(text) {
      self.address = address
    } else if let endpoint = Endpoint(text), endpoint.port != 0 {
      address = endpoint.address
      port = endpoint.port
    } else {
      return nil
    }
  }

  var example: String { address.family == .v4 ? "\(address):443" : "\"[\(address)]:443\"" }
}

extension Kind<NamePlace> {
  static var nameAddress: Kind {
    Kind("an address such as 192.0.2.1, 192.0.2.1:443 or \"[2001:db8::1]:443\"") { NamePlace($0) }
  }
}

extension Kind<Endpoint> {
  static var nameEndpoint: Kind {
    Kind("an address and a port such as 0.0.0.0:53 or \"[::]:53\"") { text in
      Endpoint(text).flatMap { $0.port == 0 ? nil : $0 }
    }
  }
}

extension Kind<String> {
  /// What fits one character string of a TXT record.
  static var characterString: Kind {
    Kind("text of at most 255 bytes") { (1...255).contains($0.utf8.count) ? $0 : nil }
  }

  static var twoLetters: Kind {
    Kind("a code of two letters such as DE or EU") { text in
      text.utf8.count == 2 && text.utf8.allSatisfy { ($0 | 0x20).isASCIILetter } ? text.uppercased() : nil
    }
  }
}

extension Kind<Int> {
  /// Degrees with at most three decimals, in thousandths.
  static var degrees: Kind {
    Kind("degrees from -180 to 180 such as 52.52") { text in
      guard let value = Double(text), abs(value) <= 180 else { return nil }
      return Int((value * 1000).rounded())
    }
  }
}

extension Probe.Kind {
  var needsPort: Bool { if case .exec = self { false } else { true } }
}

extension Reader {
  /// A zone file's bytes, at most 1 GiB; nil when it is not a file that can be read, or changes meanwhile.
  func zoneFile(_ path: String) -> [UInt8]? {
    let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: url.path),
      attributes[.type] as? FileAttributeType == .typeRegular, (attributes[.size] as? Int ?? .max) <= 1 << 30,
      let data = try? Data(contentsOf: url),
      // One that is being written ends anywhere, which may look right: an address without its last digit.
      let after = try? FileManager.default.attributesOfItem(atPath: url.path),
      after[.size] as? Int == data.count, after[.modificationDate] as? Date == attributes[.modificationDate] as? Date,
      after[.systemFileNumber] as? Int == attributes[.systemFileNumber] as? Int
    else { return nil }
    return Array(data)
  }
}
