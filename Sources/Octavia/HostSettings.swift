internal import Model
internal import OctaviaModel

/// The file of an existing host that lends itself to amphorae: `sluice amphora --host FILE`.
package struct HostSettings: Sendable, Hashable {
  package var name = ""
  package var directory = "/var/lib/sluice-host"
  package var host = "0.0.0.0"
  package var port = 9444
  /// Amphorae's own: whatever addresses they have go with the amphora.
  package var interfaces: [String] = []

  package init() {}

  package init(file: String, text: String) throws {
    self.init()
    let root = try SettingsReader(file: file, text: text)
    name = try root.require("host")
    try root.set(&directory, "directory", "an absolute path") { $0.hasPrefix("/") ? $0 : nil }
    if let text = try root.text("bind") {
      guard let (host, port) = Settings.endpoint(text) else { throw root.refuse("bind", "expected address:port") }
      (self.host, self.port) = (host, port)
    }
    interfaces = try root.texts("interfaces") ?? []
    try root.finish()
    if interfaces.isEmpty { throw root.refuse("interfaces", "name at least one") }
  }

  init(_ place: HostPlace) {
    name = place.name
    directory = place.directory
    host = place.address
    port = place.port
    interfaces = Set(place.interfaces.values).sorted()
  }

  package var text: String {
    """
    host: \(name)
    directory: \(directory)
    bind: "\(HostText.endpoint(host, port))"
    interfaces: [\(interfaces.joined(separator: ", "))]

    """
  }

  package var certificateFile: String { "\(directory)/server.pem" }
  package var authorityFile: String { "\(directory)/client-ca.pem" }
}
