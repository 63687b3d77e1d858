import BGP
import Kernel
import Model

/// Which peers there are, and what each of them hears.
extension BGPLoop {
  mutating func adopt(_ order: BGPOrder) {
    let before = topology
    topology = order.topology
    reconcileSentinel()
    reconcileListeners(before)
    reconcilePeers(before)
    orderPaths()
    guard order.routes != routes || order.topology?.speakers != before?.speakers else { return }
    routes = order.routes
    hasSelectiveRoutes = order.routes?.values.contains { $0.speakers != nil } == true
    terms = order.routes.map { routes in
      Dictionary(
        uniqueKeysWithValues: routes.lazy.map { ($0.key, AnnouncementTerms($0.value.terms, $0.key.address.family)) })
    }
    for name in peers.keys {
      peers[name]?.isDirty = true
      announce(name)
    }
  }

  /// Graceful restart is for planned restarts. RFC 4724 has a peer keep routes after any loss of the connection, so
  /// it is offered only while somebody would tell it of a crash.
  private mutating func reconcileSentinel() {
    guard topology?.gracefulRestart != nil else {
      sentinel = nil
      return
    }
    guard sentinel == nil else { return }
    do throws(Errno) {
      sentinel = try SessionGuard(
        words: Message.encode(Notification(.administrativeReset, message: "the node's process has died")))
    } catch {
      report(.trouble("graceful restart is not offered: no guard against crashes: \(error)"))
      topology?.gracefulRestart = nil
    }
  }

  /// Tells a peer what has changed for it, unless it still has much to read.
  mutating func announce(_ name: String) {
    guard let peer = peers[name], peer.isDirty, let all = terms else { return }
    if let id = peer.speaker.session.established?.id, let token = peer.links[id], let link = links[token],
      link.pending > BGPLink.patience
    {
      return
    }
    let wanted =
      hasSelectiveRoutes
      ? all.filter { prefix, _ in routes?[prefix]?.speakers?.contains(peer.config.name) ?? true } : all
    var effects: Speaker.Effects = []
    peers[name]?.isDirty = false
    peers[name]?.speaker.announce(wanted, at: now, random: &random, into: &effects)
    perform(name, effects)
  }

  // MARK: Peers

  private mutating func reconcilePeers(_ before: BGPTopology?) {
    let wanted = Dictionary(uniqueKeysWithValues: (topology?.speakers ?? []).map { ($0.name, $0) })
    for (name, peer) in peers {
      if let topology, let before, let config = wanted[peer.config.name], peer.config.isSameSession(as: config),
        topology.localAS == before.localAS, topology.identifier == before.identifier,
        topology.gracefulRestart == before.gracefulRestart
      {
        peers[name]?.config = config
      } else {
        remove(name)
      }
    }
    for speaker in topology?.speakers ?? [] where peers[speaker.name] == nil {
      guard case .address = speaker.peer else { continue }
      add(speaker)
    }
  }

  private mutating func add(_ config: BGPSpeaker) {
    guard case .address(let address, let interface) = config.peer else { return }
    // An interface that is not there yet is looked up again with each attempt.
    let scope = interface.flatMap { PeerSocket.interface($0) } ?? 0
    add(config, name: config.name, PeerName(address, port: config.port, scope: scope), isDynamic: false)
    drive(config.name, .start)
  }

  mutating func add(_ config: BGPSpeaker, name: String, _ remote: PeerName, isDynamic: Bool) {
    guard let topology else { return }
    let speaker = Speaker(
      SessionSettings(config, topology, justStarted: true), prefixLimit: config.prefixLimit,
      addresses: SelfAddresses())
    peers[name] = BGPPeer(
      name: name, config: config, isDynamic: isDynamic, remote: remote, options: config.socketOptions(topology.localAS),
      speaker: speaker, since: now)
    announce(name)
  }

  mutating func remove(_ name: String) {
    drive(name, .stop(.deconfigured))
    peers[name] = nil
    report(.gone(name))
  }

  /// The paths that BFD shall watch: to every configured peer, and to dynamic neighbours that are there.
  func orderPaths() {
    bfd.apply(
      peers.values.compactMap { peer in
        guard let options = peer.config.bfd else { return nil }
        let local = peer.config.localAddress.map { PeerName($0, scope: peer.remote.scope) }
        return BFDPath(
          name: peer.name, remote: peer.remote, local: local, isMultihop: peer.config.isMultihop, options: options)
      })
  }

  mutating func heard(_ news: BFDNews) {
    guard let peer = peers[news.name], peer.config.bfd != nil else { return }
    peers[news.name]?.bfd = news.text
    let word: BFDWord =
      switch news.word {
      case .up: .up
      case .down: .down
      case .administrativelyDown: .administrativelyDown
      }
    let wasEstablished = peer.speaker.session.established != nil
    drive(news.name, .bfd(word))
    if let peer = peers[news.name] { report(.peer(peer.report(), event: wasEstablished ? "BFD \(news.text)" : nil)) }
  }
}

extension BGPSpeaker {
  /// All but what the driver can change under a session.
  fileprivate func isSameSession(as other: BGPSpeaker) -> Bool {
    var quiet = other
    quiet.bfd = bfd
    return quiet == self
  }
}
