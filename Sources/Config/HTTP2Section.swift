import Model

extension Reader {
  func http2(_ fields: Fields, into options: inout HTTP2Options) {
    fields.read("enabled", .boolean, into: &options.enabled)
    fields.read("max-streams", .integer(1...100_000), into: &options.maxStreams)
    // RFC 9113 §6.9.2: windows end at 2^31-1; what a stream may hold is bounded here far below.
    if let bytes = fields.value("stream-window", .size(16 * 1024...16 << 20)) { options.streamWindow = Int(bytes) }
    if let bytes = fields.value("connection-window", .size(64 * 1024...1 << 30)) {
      options.connectionWindow = Int(bytes)
    }
    if options.connectionWindow < options.streamWindow {
      let key = fields.has("connection-window") ? "connection-window" : "stream-window"
      fields.error(at: key, "`\(key)`: the connection's window would be smaller than one stream's")
    }
    fields.with("limits", .http2Limits) { limits in
      limits.read("resets", .integer(1...1_000_000), into: &options.limits.resets)
      limits.read("settings", .integer(1...1_000_000), into: &options.limits.settings)
      limits.read("pings", .integer(1...1_000_000), into: &options.limits.pings)
      limits.read("idle-frames", .integer(1...1_000_000), into: &options.limits.idleFrames)
      limits.read("continuations", .integer(0...64), into: &options.limits.continuations)
    }
  }
}
