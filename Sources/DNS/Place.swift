package import Model

/// Where a client is, as a database of networks says.
package struct Place: Hashable, Sendable, BitwiseCopyable {
  /// Two letters, upper case, first one high; 0 when unknown. ISO 3166-1.
  package var country: UInt16 = 0
  /// Two letters like a country's: AF, AN, AS, EU, NA, OC, SA.
  package var continent: UInt16 = 0
  /// The autonomous system; 0 when unknown.
  package var system: UInt32 = 0
  /// Degrees, north and east positive.
  package var coordinates: Coordinates?
  /// For how many bits of the address this holds.
  package var prefixLength: UInt8 = 0

  package init() {}

  /// "DE" as `country` and `continent` keep it; nil for anything but two letters.
  package static func code(_ text: String) -> UInt16? {
    let letters = Array(text.uppercased().utf8)
    guard letters.count == 2, letters.allSatisfy({ (65...90).contains($0) }) else { return nil }
    return UInt16(letters[0]) << 8 | UInt16(letters[1])
  }
}

/// What tells the place of an address: a MaxMind database, a table of a test.
package protocol PlaceSource {
  func place(of address: IPAddress) -> Place?
}

/// Knows no place.
package struct NoPlaces: PlaceSource, Sendable {
  package init() {}
  package func place(of address: IPAddress) -> Place? { nil }
}

/// A point on the globe, kept as a direction from its centre, so that distances compare by one product.
package struct Coordinates: Hashable, Sendable, BitwiseCopyable {
  private let x: Double
  private let y: Double
  private let z: Double

  /// - Parameters: degrees; beyond ±90 and ±180 they are clamped.
  package init(latitude: Double, longitude: Double) {
    let toRadians = Double.pi / 180
    let north = min(max(latitude, -90), 90) * toRadians
    let east = min(max(longitude, -180), 180) * toRadians
    let flat = Coordinates.sine(.pi / 2 - abs(north))
    x = flat * Coordinates.sine(.pi / 2 - abs(east))
    y = flat * Coordinates.sine(east)
    z = Coordinates.sine(north)
  }

  /// 1 at the same point, -1 at the opposite one: the cosine of the angle between.
  package func closeness(to other: Coordinates) -> Double { x * other.x + y * other.y + z * other.z }

  /// For -π...π, within 1e-6 (Taylor, after folding to ±π/2): floor 1 has no mathematical library.
  private static func sine(_ angle: Double) -> Double {
    let folded = angle > .pi / 2 ? .pi - angle : angle < -.pi / 2 ? -.pi - angle : angle
    let square = folded * folded
    return folded
      * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110)))))
  }
}
