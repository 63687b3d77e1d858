internal import Model
internal import OctaviaModel

/// An agent's file: what its controller gives an amphora at its birth.
package struct AmphoraSettings: Sendable, Hashable {
  package var amphora = ""
  package var directory = "/var/lib/sluice-amphora"
  package var host = "0.0.0.0"
  package var port = 9443
  package var key = ""
  package var heartbeat = Duration.seconds(10)
  package var controllers: [String] = []
  package var isStandalone = true
  package var vrrp = Settings.VRRPKind.sluice
  package var haproxy = "/usr/sbin/haproxy"
  package var keepalived = "/usr/sbin/keepalived"

  package init() {}

  package init(file: String, text: String) throws {
    self.init()
    let root = try SettingsReader(file: file, text: text)
    amphora = try root.require("amphora")
    directory = try root.require("directory")
    if let text = try root.text("bind") {
      guard let (host, port) = Settings.endpoint(text) else { throw root.refuse("bind", "expected address:port") }
      (self.host, self.port) = (host, port)
    }
    key = try root.require("heartbeat-key")
    try root.duration(&heartbeat, "heartbeat")
    controllers = try root.texts("controllers") ?? []
    try root.set(&isStandalone, "standalone", "true or false") { Bool($0) }
    try root.choice(&vrrp, "vrrp")
    try root.set(&haproxy, "haproxy", "a path") { $0 }
    try root.set(&keepalived, "keepalived", "a path") { $0 }
    try root.finish()
  }

  /// The file that says this.
  package var text: String {
    JSON.object([
      "amphora": .string(amphora), "directory": .string(directory),
      "bind": .string(HostText.endpoint(host, port)), "heartbeat-key": .string(key),
      "heartbeat": .string("\(Int(heartbeat / .milliseconds(1)))ms"), "controllers": .strings(controllers),
      "standalone": .string(isStandalone ? "true" : "false"), "vrrp": .string(vrrp.rawValue),
      "haproxy": .string(haproxy),
      "keepalived": .string(keepalived),
    ]).text
  }

  var certificateFile: String { "\(directory)/server.pem" }
  var authorityFile: String { "\(directory)/client-ca.pem" }
}
