internal import Compression
internal import Foundation
internal import Logging
internal import NIOConcurrencyHelpers
internal import NIOCore
internal import NIOPosix
internal import OctaviaModel
internal import TLS

extension Agent {
  /// Sends a heartbeat in every interval, to one controller after the other.
  func beat() async {
    guard
      let channel = try? await DatagramBootstrap(group: Loops.group)
        .bind(host: settings.host.contains(":") ? "::" : "0.0.0.0", port: 0).get()
    else { return logger.error("no socket for heartbeats") }
    var turn = 0
    while !Task.isCancelled {
      let settings = settings
      if !settings.controllers.isEmpty, hasHealthyVRRP {
        let packet = await packet(settings)
        let target = settings.controllers[turn % settings.controllers.count]
        turn += 1
        if let (host, port) = Settings.endpoint(target), let address = try? SocketAddress(ipAddress: host, port: port) {
          let envelope = AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: packet))
          try? await channel.writeAndFlush(envelope)
        }
      }
      try? await Task.sleep(for: settings.heartbeat)
    }
    try? await channel.close()
  }

  private func packet(_ settings: AmphoraSettings) async -> [UInt8] {
    var readings = Readings()
    for plane in planes() where plane.isRunning {
      if let found = try? await plane.readings() { readings = readings + found }
    }
    let heartbeat = state.withLockedValue { state in
      state.sequence += 1
      for (id, report) in readings.listeners {
        let now = report.counters
        let last = state.last[id] ?? .init()
        state.last[id] = now
        readings.listeners[id]?.counters = now.since(last)
      }
      return Heartbeat(
        amphora: settings.amphora, sequence: state.sequence, listeners: readings.listeners, pools: readings.pools)
    }
    let body = Compression.deflate(Array(heartbeat.document.text.utf8))
    return body + Heartbeat.hexadecimal(Digest.sha256.authenticate(body, key: Array(settings.key.utf8)))
  }
}

extension Heartbeat.Counters {
  /// What has come since; counters that went back belong to a program that was started again.
  fileprivate func since(_ last: Heartbeat.Counters) -> Heartbeat.Counters {
    func difference(_ new: Int, _ old: Int) -> Int { new >= old ? new - old : new }
    var result = self
    result.bytesIn = difference(bytesIn, last.bytesIn)
    result.bytesOut = difference(bytesOut, last.bytesOut)
    result.totalConnections = difference(totalConnections, last.totalConnections)
    result.requestErrors = difference(requestErrors, last.requestErrors)
    return result
  }
}
