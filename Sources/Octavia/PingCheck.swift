internal import Foundation

/// What HAProxy runs, as nobody, to ping a member.
enum PingCheck {
  static func install(_ folder: String) throws {
    let file = "\(folder)/ping-wrapper.sh"
    try "#!/bin/sh\nexec ping -n -c 1 -W 1 \"$HAPROXY_SERVER_ADDR\" >/dev/null\n".write(
      toFile: file, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
  }
}
