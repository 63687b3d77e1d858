import Kernel
import Model
import Reactor

/// A UDP session in the access log: a line at its end, with the keys of other lines.
extension Worker {
  mutating func writeLog(session index: UInt32, _ why: Ending) {
    guard log.isEnabled else { return }
    let session = datagrams.sessions[index]
    let listener = current.listeners[Int(session.listener)]
    text.clear()
    text.append("{\"time\":\"")
    text.append(timestamp: Clock.wall())
    text.append("\",\"listener\":\"")
    text.append(json: listener?.model.name ?? "-")
    text.append("\",\"client\":\"")
    text.append(endpoint: session.name.client)
    text.append("\",\"status\":0")
    // A reload may have numbered the routes anew.
    if session.generation == current.generation, let listener, Int(session.route) < listener.actions.count,
      let name = listener.actions[Int(session.route)].name
    {
      text.append(",\"route\":\"")
      text.append(json: name)
      text.append("\"")
    }
    if Int(session.pool) < current.pools.count, let pool = current.pools[Int(session.pool)] {
      text.append(",\"pool\":\"")
      text.append(json: pool.model.name)
      text.append("\"")
      if session.tries > 0, let backend = pool.index(of: session.slot) {
        text.append(",\"backend\":\"")
        text.append(json: pool.model.backends[backend].name)
        text.append("\"")
      }
    }
    text.append(",\"tries\":")
    text.append(decimal: UInt64(session.tries))
    text.append(",\"bytes_in\":")
    text.append(decimal: session.bytesIn)
    text.append(",\"bytes\":")
    text.append(decimal: session.bytesOut)
    text.append(",\"duration_us\":")
    text.append(decimal: UInt64(max(0, now.nanoseconds - session.started) / 1000))
    if session.firstReply > 0 {
      text.append(",\"first_byte_us\":")
      text.append(decimal: UInt64(max(0, session.firstReply - session.started) / 1000))
    }
    text.append(",\"reason\":\"")
    text.append(why.text)
    text.append("\"}\n")
    if !text.overflowed { log.append(text) }
  }
}
