import BGP
import Kernel
import Model

/// A listening socket.
struct BGPListener {
  let name: PeerName
  let fd: Int32
  let token: UInt64
}

extension BGPLink {
  /// RFC 9687 §3: a peer that has taken nothing for so long is gone.
  static let sendHold = Duration.seconds(480)

  var deadline: Instant? { isClosing ? closeBy : stalledSince.map { $0 + BGPLink.sendHold } }
}

/// Connections: how they come, speak, listen and go.
extension BGPLoop {
  private mutating func nextToken() -> UInt64 {
    lastToken += 1
    return lastToken
  }

  // MARK: Coming

  /// False: it failed at once.
  mutating func connect(_ name: String, _ id: ConnectionID) -> Bool {
    guard var peer = peers[name] else { return false }
    if case .address(let address, let interface?) = peer.config.peer {
      peer.remote = PeerName(address, port: peer.config.port, scope: PeerSocket.interface(interface) ?? 0)
      peers[name]?.remote = peer.remote
    }
    let local = peer.config.localAddress.map { PeerName($0, scope: peer.remote.scope) }
    do throws(Errno) {
      let fd = try PeerSocket.connect(to: peer.remote, from: local, peer.options)
      try register(fd, name, id, isOpen: false)
    } catch {
      complain(name, "cannot connect: \(error)")
      return false
    }
    return true
  }

  private mutating func register(_ fd: Int32, _ name: String, _ id: ConnectionID, isOpen: Bool) throws(Errno) {
    let token = nextToken()
    do throws(Errno) {
      try epoll.add(fd, token: token, .stream)
    } catch {
      Socket.close(fd)
      throw error
    }
    var link = BGPLink(fd: fd, peer: name, id: id, isOpen: isOpen)
    if isOpen { link.addresses = ends(of: fd) }
    links[token] = link
    peers[name]?.links[id] = token
  }

  private mutating func complain(_ name: String, _ text: String) {
    guard peers[name]?.lastError != text else { return }
    peers[name]?.lastError = text
    if let peer = peers[name] { report(.peer(peer.report(), event: nil)) }
  }

  private func ends(of fd: Int32) -> SelfAddresses {
    guard let local = PeerSocket.local(fd) else { return SelfAddresses() }
    let address = local.address
    if address.family == .v4 { return SelfAddresses(v4: address) }
    guard address.high >> 54 == 0x3fa else { return SelfAddresses(v6: address) }
    return SelfAddresses(linkLocal: address)
  }

  mutating func acceptAll(_ listener: Int32) {
    while true {
      do throws(Errno) {
        guard let (fd, remote) = try PeerSocket.accept(listener) else { return }
        accept(fd, remote)
      } catch {
        // Out of descriptors: the listener stays ready, and is tried again with the next event.
        return
      }
    }
  }

  private mutating func accept(_ fd: Int32, _ remote: PeerName) {
    guard let name = owner(of: remote), let peer = peers[name] else { return Socket.close(fd) }
    do throws(Errno) {
      try PeerSocket.setTTL(fd, remote.address.family, peer.options)
      peers[name]?.accepted += 1
      // The session has its own numbers for those that it makes.
      let id = ConnectionID(.incoming, peer.accepted + 1)
      try register(fd, name, id, isOpen: true)
      drive(name, .accepted(id))
    } catch {
      complain(name, "cannot take its connection: \(error)")
    }
  }

  /// The peer that connects from there; a dynamic neighbour becomes one now. nil: nobody we know, or too many.
  private mutating func owner(of remote: PeerName) -> String? {
    for (name, peer) in peers where peer.remote.address == remote.address {
      if peer.remote.scope == 0 || peer.remote.scope == remote.scope { return name }
    }
    guard let topology else { return nil }
    for speaker in topology.speakers {
      guard case .range(let range, let limit) = speaker.peer, range.contains(remote.address),
        peers.values.count(where: { $0.config.name == speaker.name }) < limit
      else { continue }
      let name = "\(speaker.name)@\(remote.address)"
      add(speaker, name: name, PeerName(remote.address, port: speaker.port, scope: remote.scope), isDynamic: true)
      drive(name, .start)
      orderPaths()
      return name
    }
    return nil
  }

  // MARK: Speaking

  mutating func writable(_ token: UInt64) {
    guard let link = links[token] else { return }
    guard link.isOpen else {
      if let error = Socket.pendingError(link.fd) {
        complain(link.peer, "cannot connect: \(error)")
        return lost(token)
      }
      let addresses = ends(of: link.fd)
      links[token]?.isOpen = true
      links[token]?.addresses = addresses
      return drive(link.peer, .connected(link.id))
    }
    flush(token)
  }

  mutating func flush(_ token: UInt64) {
    guard var link = links[token], link.isOpen else { return }
    var failed = false
    while link.pending > 0 {
      let result = PeerSocket.send(link.fd, link.output[link.sent...].prefix(1 << 16))
      guard result.value > 0 else {
        failed = result.failed
        break
      }
      link.sent += result.bytes
      link.stalledSince = nil
    }
    if link.pending == 0 {
      link.output.removeAll(keepingCapacity: link.output.count < 1 << 16)
      link.sent = 0
    } else {
      link.stalledSince = link.stalledSince ?? now
      if link.sent > 1 << 18 {
        link.output.removeFirst(link.sent)
        link.sent = 0
      }
    }
    let mayRead = link.isPaused && link.pending < BGPLink.highWater / 2
    if mayRead { link.isPaused = false }
    links[token] = link
    if failed { return lost(token) }
    if link.isClosing {
      if link.pending == 0 { Socket.shutdownWrite(link.fd) }
      return
    }
    if mayRead { unread.insert(token) }
    if link.pending <= BGPLink.patience, peers[link.peer]?.isDirty == true { announce(link.peer) }
  }

  // MARK: Listening

  /// Up to so many bytes a turn.
  private static let portion = 1 << 16

  mutating func read(_ token: UInt64) {
    guard let link = links[token], link.isOpen else { return }
    if link.pending > BGPLink.highWater, !link.isClosing {
      links[token]?.isPaused = true
      return
    }
    let (bytes, transfer) = PeerSocket.read(link.fd, limit: BGPLoop.portion)
    if transfer.wouldBlock { return }
    if transfer.isEnd || transfer.failed { return lost(token) }
    unread.insert(token)
    if link.isClosing { return }
    peers[link.peer]?.speaker.addresses = link.addresses
    drive(link.peer, .received(link.id, bytes))
  }

  // MARK: Going

  /// The session has done with it: what was said goes out, then it ends.
  mutating func beginClosing(_ token: UInt64) {
    guard var link = links[token] else { return }
    guard link.isOpen else { return close(token) }
    link.isClosing = true
    link.closeBy = now + .seconds(2)
    links[token] = link
    flush(token)
    unread.insert(token)
  }

  /// The connection failed, or the peer closed it.
  private mutating func lost(_ token: UInt64) {
    guard let link = links[token] else { return }
    close(token)
    guard !link.isClosing else { return }
    peers[link.peer]?.links[link.id] = nil
    drive(link.peer, .failed(link.id))
  }

  private mutating func close(_ token: UInt64) {
    guard let link = links.removeValue(forKey: token) else { return }
    unread.remove(token)
    if sentinel != nil {
      // Its descriptor of this connection would keep it open.
      Socket.shutdownBoth(link.fd)
      sentinel?.release(token)
    }
    Socket.close(link.fd)
  }

  mutating func linkExpired(_ token: UInt64) {
    guard let link = links[token] else { return }
    if !link.isClosing { Socket.resetOnClose(link.fd) }
    lost(token)
  }
}
