import Kernel
import Model
import Reactor
import Sniff
import Synchronization

/// From a listening socket to a client's stream.
extension Worker {
  /// At an event of the socket.
  mutating func accept(_ key: UInt32) {
    guard let place = acceptors.index(forKey: key), !acceptors.values[place].paused else { return }
    acceptors.values[place].burst.begin(turn: turns)
    let limit = acceptors.values[place].burst.size
    // Only an order adds or removes acceptors: the place stays good.
    let (accepted, isEmptied) = accept(key, acceptors.values[place].socket, atMost: limit)
    acceptors.values[place].burst.end(turn: turns, accepted: accepted, isEmptied: isEmptied)
  }

  @discardableResult
  mutating func accept(_ key: UInt32, _ socket: ListeningSocket, atMost limit: Int) -> (
    accepted: Int, isEmptied: Bool
  ) {
    guard let listener = current.listeners[Int(socket.row)] else { return (0, false) }
    for accepted in 0..<limit {
      guard shared.listenerConnections.load(Int(socket.row), 0) < listener.model.limits.connections,
        hasRoomForHandshake(listener)
      else {
        pauseAccepting(key)
        return (accepted, false)
      }
      switch Socket.accept(socket.descriptor) {
      case .connection(let fd, let source): admit(fd, source, listener)
      case .none: return (accepted, true)
      case .failed(let error):
        // ECONNABORTED and the like concern one client; without descriptors or memory, clients wait in the backlog.
        if [.noDescriptors, .noDescriptorsInSystem, .noMemory, .noBuffers].contains(error) {
          log.warn("\(listener.model.name): cannot accept: \(error); new clients wait")
          pauseAccepting(key)
          return (accepted, false)
        }
      }
    }
    return (limit, false)
  }

  private mutating func pauseAccepting(_ key: UInt32) {
    guard let socket = acceptors[key]?.socket else { return }
    acceptors[key]?.paused = true
    epoll.remove(socket.descriptor)
    wakeForSweep()
  }

  mutating func resumeAccepting(_ key: UInt32) {
    guard let socket = acceptors[key]?.socket, let listener = current.listeners[Int(socket.row)] else { return }
    guard shared.listenerConnections.load(Int(socket.row), 0) < listener.model.limits.connections,
      hasRoomForHandshake(listener)
    else { return wakeForSweep() }
    acceptors[key]?.paused = false
    watch(key)
  }

  static let sweepInterval: Int64 = 50

  /// Makes sure that the loop turns in time for the next sweep.
  mutating func wakeForSweep() {
    if sweepTimer == Stream.none { sweepTimer = wheel.insert(token: 0) ?? Stream.none }
    if sweepTimer != Stream.none { wheel.arm(sweepTimer, by: milliseconds + Worker.sweepInterval) }
  }

  private mutating func admit(_ fd: Int32, _ source: Endpoint?, _ listener: CompiledListener) {
    let source = source ?? Endpoint(.anyV4, 0)
    counters.add(listener.row, .accepted)
    let expectsHeader =
      !listener.model.acceptProxyFrom.isEmpty && listener.model.acceptProxyFrom.contains { $0.contains(source.address) }
    // Behind a proxy, what is checked is the client that the header names.
    if !expectsHeader, let _ = refusal(of: source.address, listener) {
      counters.add(listener.row, .refused)
      Socket.resetOnClose(fd)
      return Socket.close(fd)
    }
    guard let index = open(fd, .client) else {
      counters.add(listener.row, .refused)
      return Socket.close(fd)
    }
    streams[index].row = listener.row
    streams[index].source = source
    streams[index].flags = listener.model.transport == .http ? [.http, .writable] : [.writable]
    counters.add(listener.row, .connections)
    shared.listenerConnections.add(Int(listener.row), 0, 1)
    shared.openConnections.wrappingAdd(1, ordering: .relaxed)
    setDeadline(index, milliseconds + listener.headTimeout)
    if expectsHeader { streams[index].phase = .proxyHeader } else { greet(index, listener) }
  }

  /// Why a source may not connect; nil: it may.
  private mutating func refusal(of source: IPAddress, _ listener: CompiledListener) -> Ending? {
    if listener.checksAccess, !listener.model.access.permits(source) { return .accessDenied }
    if let rate = listener.model.limits.connectionRatePerSource,
      !shared.rates.admit(source, purpose: UInt64(listener.row) << 1, rate, now: now)
    {
      return .rateLimited
    }
    return nil
  }

  /// A client whose source is known starts to be served.
  private mutating func greet(_ index: UInt32, _ listener: CompiledListener) {
    if let tls = listener.tls { return beginHandshake(index, listener, tls) }
    serve(index, listener)
  }

  /// A client whose bytes can be read starts to be served.
  mutating func serve(_ index: UInt32, _ listener: CompiledListener) {
    streams[index].phase = .request
    guard !streams[index].flags.contains(.http) else { return }
    guard listener.sniffs else { return openTunnel(index, listener) }
    streams[index].phase = .sniffing
    if !streams[index].input.isEmpty { sniff(index) }
  }

  /// A new stream with its timer, in the epoll; nil at the limit of connections.
  mutating func open(_ fd: Int32, _ role: Stream.Role) -> UInt32? {
    guard let index = streams.insert() else { return nil }
    let token = Token.make(.stream, index, streams.generation(index))
    guard let timer = wheel.insert(token: token) else {
      streams.remove(index)
      return nil
    }
    streams[index].fd = fd
    streams[index].role = role
    streams[index].timer = timer
    do throws(Errno) {
      try epoll.add(fd, token: token, .stream)
    } catch {
      wheel.remove(timer)
      streams.remove(index)
      return nil
    }
    return index
  }

  mutating func readProxyHeader(_ index: UInt32) {
    guard let listener = current.listeners[Int(streams[index].row)] else { return close(index) }
    incoming.clear()
    buffers.copy(streams[index].input, to: &incoming)
    let held = incoming.count
    let result = incoming.receive(from: streams[index].fd)
    guard result.value > 0 else {
      if result.wouldBlock { noteEmpty(index) } else { close(index) }
      return
    }
    if incoming.room > 0, !streams[index].flags.contains(.ending) { noteEmpty(index) }
    do throws(ProxyError) {
      guard let (header, length) = try ProxyHeader.parse(incoming.bytes) else {
        let fresh = held..<incoming.count
        guard buffers.append(incoming, fresh, to: &streams[index].input) else { return close(index) }
        if streams[index].flags.contains(.readable) { continueNextTurn(index) }
        return
      }
      buffers.release(&streams[index].input)
      if case .proxied(let source, let destination, _) = header.origin {
        streams[index].source = Endpoint(source.address.unmapped, source.port)
        streams[index].flags.insert(.proxied)
        proxied[index] = destination
      }
      if length < incoming.count {
        guard buffers.append(incoming, length..<incoming.count, to: &streams[index].input) else {
          return close(index)
        }
      }
    } catch {
      counters.add(listener.row, .refused)
      log.warn("\(listener.model.name): \(streams[index].source): \(error.reason)")
      return close(index)
    }
    if refusal(of: streams[index].source.address, listener) != nil {
      counters.add(listener.row, .refused)
      resetOnClose(index)
      return close(index)
    }
    greet(index, listener)
    if streams.isUsed(index), streams[index].phase == .request { readRequest(index) }
  }

  /// Where the client connected to: what the PROXY header says, or the socket's own address.
  mutating func destination(of index: UInt32) -> Endpoint? {
    if streams[index].flags.contains(.proxied), let destination = proxied[index] { return destination }
    if isBranch(index) {
      return streams[index].trunk == Stream.none ? nil : destination(of: trunks[streams[index].trunk].stream)
    }
    return Socket.localEndpoint(streams[index].fd)
  }
}
