internal import CMaxMindDB
package import DNS
internal import Glibc
package import Model

/// Why a database cannot be used.
package struct GeoError: Error, Hashable, Sendable, CustomStringConvertible {
  package let path: String
  package let reason: String
  package var description: String { "\(path): \(reason)" }
}

/// Several databases as one: a city's and an ASN's say different things of the same address.
package struct GeoDatabases: PlaceSource, Sendable {
  private let list: [GeoDatabase]

  package init() { list = [] }

  package init(_ paths: [String]) throws(GeoError) {
    var list: [GeoDatabase] = []
    for path in paths { list.append(try GeoDatabase(path)) }
    self.list = list
  }

  package func place(of address: IPAddress) -> Place? {
    guard !list.isEmpty else { return nil }
    var place = Place()
    for database in list { database.add(address, to: &place) }
    return place
  }
}

/// One file, mapped into memory.
@safe final class GeoDatabase: @unchecked Sendable {
  // SAFETY: opened in init, closed in deinit, never changed between: libmaxminddb's lookups only read it.
  private let database: UnsafeMutablePointer<MMDB_s>

  init(_ path: String) throws(GeoError) {
    let opened = UnsafeMutablePointer<MMDB_s>.allocate(capacity: 1)
    unsafe opened.initialize(to: MMDB_s())
    let status = unsafe MMDB_open(path, UInt32(MMDB_MODE_MMAP), opened)
    guard status == MMDB_SUCCESS else {
      unsafe opened.deallocate()
      throw GeoError(path: path, reason: unsafe String(cString: MMDB_strerror(status)))
    }
    // Only now: an object that is whole is closed by `deinit`, also when its init throws.
    unsafe database = opened
  }

  deinit {
    unsafe MMDB_close(database)
    unsafe database.deallocate()
  }

  /// Adds what this file knows of an address; what an earlier one said stays.
  func add(_ address: IPAddress, to place: inout Place) {
    var status: Int32 = 0
    var found = unsafe lookup(address, &status)
    guard status == MMDB_SUCCESS else { return }
    // In a tree of IPv6 an IPv4 address stands below ::/96.
    var length = unsafe Int(found.netmask)
    if address.family == .v4, unsafe database.pointee.metadata.ip_version == 6 { length -= 96 }
    place.prefixLength = max(place.prefixLength, UInt8(min(max(length, 0), address.width)))
    guard unsafe found.found_entry else { return }
    if place.country == 0 { unsafe place.country = code(&found.entry, Path.country) ?? 0 }
    if place.continent == 0 { unsafe place.continent = code(&found.entry, Path.continent) ?? 0 }
    if place.system == 0, let data = unsafe value(&found.entry, Path.system), unsafe data.type == MMDB_DATA_TYPE_UINT32
    {
      unsafe place.system = data.uint32
    }
    if place.coordinates == nil,
      let latitude = unsafe value(&found.entry, Path.latitude), unsafe latitude.type == MMDB_DATA_TYPE_DOUBLE,
      let longitude = unsafe value(&found.entry, Path.longitude), unsafe longitude.type == MMDB_DATA_TYPE_DOUBLE
    {
      unsafe place.coordinates = Coordinates(latitude: latitude.double_value, longitude: longitude.double_value)
    }
  }

  @unsafe private func lookup(_ address: IPAddress, _ status: inout Int32) -> MMDB_lookup_result_s {
    // SAFETY: each sockaddr is a local that lives through the call, and of the size that its family says.
    if address.family == .v4 {
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.low).bigEndian
      return unsafe withUnsafePointer(to: &name) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe MMDB_lookup_sockaddr(database, $0, &status)
        }
      }
    }
    var name = sockaddr_in6()
    name.sin6_family = sa_family_t(AF_INET6)
    unsafe withUnsafeMutableBytes(of: &name.sin6_addr) { bytes in
      unsafe bytes.storeBytes(of: address.high.bigEndian, toByteOffset: 0, as: UInt64.self)
      unsafe bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    return unsafe withUnsafePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe MMDB_lookup_sockaddr(database, $0, &status)
      }
    }
  }

  @unsafe private func value(_ entry: inout MMDB_entry_s, _ path: Path) -> MMDB_entry_data_s? {
    var data = unsafe MMDB_entry_data_s()
    guard unsafe MMDB_aget_value(&entry, &data, path.words) == MMDB_SUCCESS, unsafe data.has_data else { return nil }
    return unsafe data
  }

  @unsafe private func code(_ entry: inout MMDB_entry_s, _ path: Path) -> UInt16? {
    guard let data = unsafe value(&entry, path), unsafe data.type == MMDB_DATA_TYPE_UTF8_STRING,
      unsafe data.data_size == 2
    else { return nil }
    // SAFETY: the string has the two bytes that `data_size` says; it is not terminated.
    let text = unsafe data.utf8_string!
    return unsafe UInt16(UInt8(bitPattern: text[0])) << 8 | UInt16(UInt8(bitPattern: text[1]))
  }
}

/// A path into a record, as libmaxminddb wants it: an array of C strings that ends with NULL. Never freed.
@safe private struct Path: @unchecked Sendable {
  // SAFETY: allocated once for the process's life and never written again.
  let words: UnsafePointer<UnsafePointer<CChar>?>

  private init(_ list: String...) {
    let words = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: list.count + 1)
    for (index, word) in list.enumerated() { unsafe (words + index).initialize(to: unsafe UnsafePointer(strdup(word))) }
    unsafe (words + list.count).initialize(to: nil)
    unsafe self.words = UnsafePointer(words)
  }

  static let country = Path("country", "iso_code")
  static let continent = Path("continent", "code")
  static let system = Path("autonomous_system_number")
  static let latitude = Path("location", "latitude")
  static let longitude = Path("location", "longitude")
}
