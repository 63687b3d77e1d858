import BGP
import Kernel
import Model

/// Events to a peer's session, and what they cause.
extension BGPLoop {
  mutating func drive(_ name: String, _ event: SessionEvent) {
    guard peers[name] != nil else { return }
    var effects: Speaker.Effects = []
    peers[name]?.speaker.handle(event, at: now, random: &random, into: &effects)
    perform(name, effects)
    forgetIfDone(name)
  }

  mutating func perform(_ name: String, _ effects: Speaker.Effects) {
    let deadline = peers[name]?.speaker.deadline
    peers[name]?.deadline = deadline
    var failed: [ConnectionID] = []
    var spoken: Set<UInt64> = []
    for effect in effects {
      switch effect {
      case .connect(let id): if !connect(name, id) { failed.append(id) }
      case .send(let id, let bytes):
        guard let token = peers[name]?.links[id] else { continue }
        links[token]?.output += bytes
        spoken.insert(token)
      case .close(let id):
        guard let token = peers[name]?.links.removeValue(forKey: id) else { continue }
        spoken.remove(token)
        beginClosing(token)
      case .state: tell(name, nil)
      case .established(let negotiated):
        peers[name]?.negotiated = negotiated
        peers[name]?.lastError = nil
        established(name, negotiated)
      case .ended(let reason):
        peers[name]?.negotiated = nil
        note(name, "session ended: \(reason)")
      case .attemptFailed(let reason):
        // A connection that simply closed says nothing that a refused one does not.
        if case .closed = reason { continue }
        note(name, "attempt failed: \(reason)")
      case .update, .refresh: break
      }
    }
    for token in spoken { flush(token) }
    for id in failed { drive(name, .failed(id)) }
  }

  private mutating func established(_ name: String, _ negotiated: Negotiated) {
    peers[name]?.since = now
    guardSession(name)
    let families = negotiated.families.map { $0 == .v4 ? "IPv4" : "IPv6" }.joined(separator: " and ")
    let kind = negotiated.isInternal ? "internal" : "AS \(negotiated.peerAS)"
    tell(name, "established with \(kind), \(families), hold time \(negotiated.holdTime) s")
    // RFC 4724 §4.1: the R bit belongs to the first session after our start.
    guard let topology, let peer = peers[name] else { return }
    peers[name]?.speaker.update(SessionSettings(peer.config, topology, justStarted: false))
  }

  private func guardSession(_ name: String) {
    guard let peer = peers[name], let id = peer.speaker.session.established?.id, let token = peer.links[id],
      let link = links[token]
    else { return }
    if sentinel?.hold(token, link.fd) == false {
      report(.trouble("the guard against crashes is gone: after one, routers keep our routes for graceful-restart"))
    }
  }

  private mutating func note(_ name: String, _ text: String) {
    peers[name]?.lastError = text
    peers[name]?.since = now
    tell(name, text)
  }

  private func tell(_ name: String, _ event: String?) {
    if let peer = peers[name] { report(.peer(peer.report(), event: event)) }
  }

  /// A dynamic neighbour without a connection is nobody, once its penalty is over.
  private mutating func forgetIfDone(_ name: String) {
    guard let peer = peers[name], peer.isDynamic, peer.accepted > 0, peer.links.isEmpty,
      peer.speaker.session.state != .idle
    else { return }
    peers[name] = nil
    report(.gone(name))
    orderPaths()
  }
}
