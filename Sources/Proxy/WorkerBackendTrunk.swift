import HTTP2
import Kernel
import Model
import Reactor
import TLS

/// Connections to backends that speak HTTP/2: shared by exchanges, as many as the peer takes.
extension Worker {
  static let backendSettings: FrameSettings = {
    var settings = FrameSettings()
    settings.maxHeaderList = 48 * 1024
    settings.maxFields = 124
    settings.streamWindow = 128 * 1024
    settings.connectionWindow = 4 << 20
    return settings
  }()

  /// Puts the exchange on a connection to its backend: one that has room, or a new one.
  mutating func takeBranch(_ exchange: UInt32, _ index: Int, _ pool: CompiledPool) {
    let slot = exchanges[exchange].slot
    guard let number = findTrunk(slot) ?? connectTrunk(exchange, index, pool) else { return }
    guard let branch = openBranch(number, 0, .backend) else {
      return failExchange(exchange, status: 503, .internalLimit)
    }
    let parent = trunks[number].stream
    streams[branch].row = slot.index
    streams[branch].exchange = exchange
    exchanges[exchange].backend = branch
    if trunks[number].served > 1 { streams[branch].flags.insert(.reused) }
    if streams[parent].phase != .trunk {
      streams[branch].phase = .connecting
      exchanges[exchange].phase = .connecting
      setDeadline(branch, min(milliseconds + pool.connectTimeout, exchanges[exchange].deadline))
      waitForBackend(exchange)
    } else {
      setDeadline(parent, .max)
      streams[branch].phase = .exchange
      startTry(exchange, pool)
    }
  }

  private mutating func findTrunk(_ slot: BackendSlot) -> UInt32? {
    var number = backendTrunks[Int(slot.index)]
    while number != Stream.none {
      if trunks[number].phase == .open, trunks[number].count < trunks[number].maxStreams { return number }
      number = trunks[number].next
    }
    return nil
  }

  /// nil: the exchange was told of the failure.
  private mutating func connectTrunk(_ exchange: UInt32, _ index: Int, _ pool: CompiledPool) -> UInt32? {
    let slot = exchanges[exchange].slot
    do throws(Errno) {
      let fd = try Socket.connect(pool.model.backends[index].address)
      guard let stream = open(fd, .backend) else {
        Socket.close(fd)
        failExchange(exchange, status: 503, .internalLimit)
        return nil
      }
      streams[stream].row = slot.index
      streams[stream].phase = .connecting
      counters.add(slot, .connections)
      guard openTrunk(stream, .client, Worker.backendSettings) else {
        close(stream)
        failExchange(exchange, status: 503, .internalLimit)
        return nil
      }
      setDeadline(stream, milliseconds + pool.connectTimeout)
      list(streams[stream].trunk, slot)
      return streams[stream].trunk
    } catch {
      if error == .noDescriptors || error == .noDescriptorsInSystem {
        log.warn("\(pool.model.name): cannot connect: \(error)")
        failExchange(exchange, status: 503, .internalLimit)
        return nil
      }
      counters.add(slot, .connectFailures)
      retryOrFail(exchange, .connectFailed)
      return nil
    }
  }

  /// The connection stands, or was refused.
  mutating func finishConnectingTrunk(_ index: UInt32) {
    if Socket.pendingError(streams[index].fd) != nil { return close(index) }
    let slot = BackendSlot(streams[index].row)
    streams[index].flags.insert(.writable)
    counters.add(slot, .connects)
    guard let pool = pool(ofSlot: slot), let backend = pool.index(of: slot) else { return close(index) }
    guard let context = pool.tls else { return beginUsingTrunk(index) }
    if !beginHandshake(index, pool.model.backends[backend], slot, context) { close(index) }
  }

  /// TLS stands, and the backend has chosen what is spoken in it (RFC 7301).
  mutating func finishTrunkHandshake(_ index: UInt32) {
    if streams[index].negotiated == .http2 { return beginUsingTrunk(index) }
    guard let pool = pool(ofSlot: BackendSlot(streams[index].row)), pool.mayFallBack else {
      return backendHandshakeFailed(index, HandshakeFailure(.name, "the backend does not choose h2"))
    }
    let number = streams[index].trunk
    unlistTrunk(number)
    trunks[number].phase = .left
    while let branch = waitingBranch(number) {
      let exchange = streams[branch].exchange
      guard exchange != Exchange.none, exchanges.isUsed(exchange) else {
        close(branch)
        continue
      }
      changeProtocol(exchange, to: true, pool)
    }
    close(index)
  }

  /// A backend that may choose has chosen otherwise than before: the exchange takes another connection to it.
  mutating func changeProtocol(_ exchange: UInt32, to isHTTP1: Bool, _ pool: CompiledPool) {
    let backend = exchanges[exchange].backend
    exchanges[exchange].backend = Stream.none
    streams[backend].exchange = Stream.none
    close(backend)
    let slot = exchanges[exchange].slot
    speaksHTTP1[Int(slot.index)] = isHTTP1
    guard exchanges[exchange].flags.isDisjoint(with: .protocolChanged),
      let index = pool.index(of: slot, near: Int(exchanges[exchange].index))
    else { return retryOrFail(exchange, .handshakeFailed) }
    exchanges[exchange].flags.insert(.protocolChanged)
    takeConnection(exchange, index, pool)
  }

  /// The connection carries streams from now on.
  private mutating func beginUsingTrunk(_ index: UInt32) {
    let number = streams[index].trunk
    streams[index].phase = .trunk
    setDeadline(index, .max)
    markDirty(number)
    // Trying may end a branch, and with it any other: each is looked for anew.
    while let branch = waitingBranch(number) {
      let exchange = streams[branch].exchange
      streams[branch].phase = .exchange
      guard exchange != Exchange.none, exchanges.isUsed(exchange) else {
        close(branch)
        continue
      }
      guard let pool = current.pools[Int(exchanges[exchange].pool)] else {
        failExchange(exchange, status: 503, .poolMissing)
        continue
      }
      startTry(exchange, pool)
      guard streams.isUsed(index), streams[index].trunk == number else { return }
    }
  }

  private mutating func waitingBranch(_ number: UInt32) -> UInt32? {
    var branch = trunks[number].branches
    while branch != Stream.none {
      if streams[branch].phase == .connecting { return branch }
      branch = streams[branch].next
    }
    return nil
  }

  // MARK: The list of a slot

  private mutating func list(_ number: UInt32, _ slot: BackendSlot) {
    let head = backendTrunks[Int(slot.index)]
    trunks[number].next = head
    trunks[number].previous = Stream.none
    if head != Stream.none { trunks[head].previous = number }
    backendTrunks[Int(slot.index)] = number
    trunks[number].isListed = true
  }

  mutating func unlistTrunk(_ number: UInt32) {
    guard trunks[number].isListed else { return }
    trunks[number].isListed = false
    let (previous, next) = (trunks[number].previous, trunks[number].next)
    if previous == Stream.none {
      backendTrunks[Int(streams[trunks[number].stream].row)] = next
    } else {
      trunks[previous].next = next
    }
    if next != Stream.none { trunks[next].previous = previous }
  }

  /// No new streams on a slot's connections; those without any close.
  mutating func closeTrunks(_ slot: Int) {
    while backendTrunks[slot] != Stream.none {
      let number = backendTrunks[slot]
      unlistTrunk(number)
      trunks[number].phase = .left
      if trunks[number].count == 0 { close(trunks[number].stream) }
    }
  }

  mutating func settleBackendTrunk(_ number: UInt32, _ index: UInt32) {
    guard trunks[number].count == 0 else { return setDeadline(index, .max) }
    guard !isDraining, let pool = pool(ofSlot: BackendSlot(streams[index].row)) else { return close(index) }
    setDeadline(index, milliseconds + pool.keepAliveTimeout)
  }

  private mutating func pool(ofSlot slot: BackendSlot) -> CompiledPool? {
    for pool in current.pools {
      if let pool, pool.isMultiplexed, pool.index(of: slot) != nil { return pool }
    }
    return nil
  }

  // MARK: What the backend says of its connection

  mutating func backendSettings(_ number: UInt32) {
    trunks[number].maxStreams = engine.peerMaxStreams(number)
    guard !trunks[number].hasSettings else { return }
    trunks[number].hasSettings = true
    resumeUpgrades(number)
  }

  /// RFC 9113 §6.8: streams above the last one were not processed, and may be tried again.
  mutating func backendLeaves(_ number: UInt32, _ event: FrameEvent) {
    unlistTrunk(number)
    trunks[number].phase = .left
    var branch = trunks[number].branches
    while branch != Stream.none {
      if engine.id(of: branch) > event.id { streams[branch].flags.insert(.refused) }
      branch = streams[branch].next
    }
  }
}
