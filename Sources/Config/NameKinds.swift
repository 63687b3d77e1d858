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

/// Why a zone file cannot be read.
struct ZoneFileError: Error {
  let reason: String
}

extension Reader {
  /// Bytes.
  static let largestZoneFile = 1 << 30

  /// A database as it stands there now.
  func database(_ path: String) -> GeoFile {
    let path = absolute(path)
    let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    // One that is not there is refused by whoever opens it.
    let found = try? FileManager.default.attributesOfItem(atPath: file)
    let time = (found?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    let (number, size) = (found?[.systemFileNumber] as? Int ?? 0, found?[.size] as? Int ?? 0)
    return GeoFile(path: path, identity: "\(number) \(size) \(time)")
  }

  /// A zone file's bytes.
  func zoneFile(_ path: String) throws(ZoneFileError) -> [UInt8] {
    let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let before = try? FileManager.default.attributesOfItem(atPath: path) else {
      throw ZoneFileError(reason: "the file is not there, or its directory is closed to this user")
    }
    guard before[.type] as? FileAttributeType == .typeRegular, let size = before[.size] as? Int else {
      throw ZoneFileError(reason: "it is not a regular file")
    }
    guard size <= Reader.largestZoneFile else {
      throw ZoneFileError(reason: "it has \(size >> 20) MiB, and at most \(Reader.largestZoneFile >> 20) MiB are read")
    }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw ZoneFileError(reason: "this user may not read it")
    }
    defer { try? handle.close() }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    while bytes.count <= size, let piece = try? handle.read(upToCount: 1 << 20), !piece.isEmpty { bytes += piece }
    // One that is being written ends anywhere, which may look right: an address without its last digit.
    let after = try? FileManager.default.attributesOfItem(atPath: path)
    guard bytes.count == size, after?[.size] as? Int == size,
      after?[.modificationDate] as? Date == before[.modificationDate] as? Date,
      after?[.systemFileNumber] as? Int == before[.systemFileNumber] as? Int
    else { throw ZoneFileError(reason: "it is being written") }
    return bytes
  }
}
