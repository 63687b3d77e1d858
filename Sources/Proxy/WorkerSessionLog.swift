import Kernel
import Model
import Reactor

/// A UDP session in the access log: a line at its end, with the keys of other lines.
extension Worker {
  mutating func writeLog(session index: UInt32, _ why: Ending) {
    guard log.isEnabled else { return }
    let session = datagrams.sessions[index]
    let listener = current.listeners[Int(session.listener)]
    // A reload may have numbered the routes anew.
    var route: CompiledRoute?
    if session.generation == current.generation, let listener, Int(session.route) < listener.actions.count {
      route = listener.actions[Int(session.route)]
    }
    let pool = Int(session.pool) < current.pools.count ? current.pools[Int(session.pool)] : nil
    let backend = session.tries > 0 ? pool?.index(of: session.slot) : nil
    let duration = max(0, now.nanoseconds - session.started) / 1000
    if log.hasTemplate {
      var line = LogLine(listener: listener, client: session.name.client, reason: why.text)
      (line.route, line.pool, line.backend) = (route, pool, backend)
      (line.status, line.tries, line.duration) = (0, Int64(session.tries), duration)
      (line.bytesIn, line.bytes) = (Int64(clamping: session.bytesIn), Int64(clamping: session.bytesOut))
      if session.firstReply > 0 { line.firstByte = max(0, session.firstReply - session.started) / 1000 }
      return write(line, request: Chain())
    }
    beginLine(listener, session.name.client)
    log.block.append(",\"status\":0")
    Worker.write(route, pool, backend: backend, to: &log.block)
    log.block.append(",\"tries\":")
    log.block.append(decimal: UInt64(session.tries))
    log.block.append(",\"bytes_in\":")
    log.block.append(decimal: session.bytesIn)
    log.block.append(",\"bytes\":")
    log.block.append(decimal: session.bytesOut)
    log.block.append(",\"duration_us\":")
    log.block.append(decimal: UInt64(duration))
    if session.firstReply > 0 {
      log.block.append(",\"first_byte_us\":")
      log.block.append(decimal: UInt64(max(0, session.firstReply - session.started) / 1000))
    }
    log.block.append(",\"reason\":\"")
    log.block.append(why.text)
    log.block.append("\"}\n")
    log.endLine()
  }
}
