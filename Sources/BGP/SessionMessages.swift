import Model
import Wire

/// What arrives on a connection, and what each state makes of it (RFC 4271 §8.2.2).
extension Session {
  mutating func receive(
    _ id: ConnectionID, _ bytes: [UInt8], at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]
  ) {
    guard let index = index(of: id) else { return }
    conversations[index].buffer += bytes
    // Taken out, so that the messages are read in place without a second copy of it.
    let buffer = conversations[index].buffer
    conversations[index].buffer = []
    var position = 0
    while let index = self.index(of: id) {
      do throws(Notification) {
        let rest = buffer.span.extracting(position..<buffer.count)
        guard let (_, length) = try Message.frame(rest) else {
          conversations[index].buffer = Array(buffer[position...])
          return
        }
        let message = try Message.decode(rest.extracting(0..<length), options: conversations[index].codec)
        position += length
        countReceived(message)
        take(id, message, at: now, &random, &effects)
      } catch {
        refuse(id, error, at: now, &random, &effects)
      }
    }
  }

  private mutating func take(
    _ id: ConnectionID, _ message: Message, at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]
  ) {
    guard let index = index(of: id) else { return }
    switch (conversations[index].phase, message) {
    case (_, .notification(let notification)): refused(id, notification, at: now, &random, &effects)
    case (.delaying, .open(let open)):
      // Event 20: the peer spoke first.
      sendOpen(index, at: now, &effects)
      opened(id, open, at: now, &random, &effects)
    case (.openSent, .open(let open)): opened(id, open, at: now, &random, &effects)
    case (.openConfirm(let negotiated), .keepalive):
      restartHold(index, at: now)
      establish(index, negotiated, at: now, &effects)
    case (.established, .keepalive): restartHold(index, at: now)
    case (.established, .update(let update)):
      restartHold(index, at: now)
      effects.append(.update(update))
    case (.established, .routeRefresh(let refresh)):
      restartHold(index, at: now)
      if refresh.subtype != nil { effects.append(.refresh(refresh)) }
    case (.delaying, _): refuse(id, .fsmError, at: now, &random, &effects)
    // RFC 6608: the subcode tells in which state.
    case (.openSent, _): refuse(id, Notification(.stateMachine, 1), at: now, &random, &effects)
    case (.openConfirm, _): refuse(id, Notification(.stateMachine, 2), at: now, &random, &effects)
    case (.established, .open): refuse(id, Notification(.stateMachine, 3), at: now, &random, &effects)
    }
  }

  private mutating func opened(
    _ id: ConnectionID, _ open: Open, at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]
  ) {
    let negotiated: Negotiated
    do throws(Notification) {
      negotiated = try Negotiated(open, settings, bare: openIsBare)
    } catch {
      refuse(id, error, at: now, &random, &effects)
      return
    }
    guard survivesCollision(id, negotiated, at: now, &random, &effects), let index = index(of: id) else { return }
    conversations[index].phase = .openConfirm(negotiated)
    conversations[index].codec = negotiated.codec
    restartHold(index, at: now)
    // Hold time 0 means no timer once Established; until then a silent connection must not stand in the way for ever.
    if negotiated.holdTime == 0 { conversations[index].hold = now + settings.openHold }
    sendKeepalive(index, at: now, &random, &effects)
  }

  /// §6.8: of two connections between the same speakers one goes. False: this one.
  private mutating func survivesCollision(
    _ id: ConnectionID, _ negotiated: Negotiated, at now: Instant, _ random: inout Random,
    _ effects: inout [SessionEffect]
  ) -> Bool {
    guard let other = conversations.first(where: { $0.id != id && $0.negotiated != nil }) else { return true }
    let isKept: Bool
    if other.isEstablished {
      // RFC 4724 §5: it restarted before we noticed; the old connection is dead. A connection that
      // is older than the session is an ordinary collision instead.
      // Without a hold timer its coming back is the only sign of its death, too.
      if other.negotiated?.peerRestart != nil || other.negotiated?.holdTime == 0, let index = index(of: other.id),
        let since = other.since,
        let mine = self.index(of: id), conversations[mine].created > since
      {
        effects.append(.close(other.id))
        end(index, .peerRestarted, damped: false, at: now, &random, &effects)
        return true
      }
      isKept = false
    } else {
      // The connection that the higher identifier made stays; RFC 6286 §2.3 for equal ones.
      let oursIsHigher =
        settings.identifier != negotiated.peerIdentifier
        ? settings.identifier > negotiated.peerIdentifier : settings.localAS > negotiated.peerAS
      isKept = (id.origin == .outgoing) == oursIsHigher
    }
    refuse(isKept ? other.id : id, Notification(.collision), damped: false, at: now, &random, &effects)
    return isKept
  }
}
