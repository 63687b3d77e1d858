import Kernel
import Model

/// Where peers connect to.
extension BGPLoop {
  mutating func reconcileListeners(_ before: BGPTopology?) {
    let wanted = (topology?.listen ?? []).map { PeerName($0, port: topology?.port ?? 0) }
    for listener in listeners where !wanted.contains(listener.name) { Socket.close(listener.fd) }
    listeners.removeAll { !wanted.contains($0.name) }
    listen()
    setKeys(before)
  }

  /// Opens what is missing; what cannot be had is tried again.
  mutating func listen() {
    listenAgain = nil
    guard let topology else { return }
    for address in topology.listen where !listeners.contains(where: { $0.name.address == address }) {
      let name = PeerName(address, port: topology.port)
      do throws(Errno) {
        let fd = try PeerSocket.listen(name)
        lastToken += 1
        listeners.append(BGPListener(name: name, fd: fd, token: lastToken))
        do throws(Errno) {
          try epoll.add(fd, token: lastToken, .level)
        } catch {
          Socket.close(fd)
          listeners.removeLast()
          throw error
        }
        setKeys(nil)
      } catch {
        report(.trouble("BGP cannot listen on \(Endpoint(address, topology.port)): \(error)"))
        listenAgain = now + .seconds(10)
      }
    }
  }

  mutating func closeListeners() {
    for listener in listeners { Socket.close(listener.fd) }
    listeners = []
    listenAgain = nil
  }

  /// The MD5 keys of those who may connect; the kernel drops what does not carry them.
  private func setKeys(_ before: BGPTopology?) {
    for speaker in before?.speakers ?? [] where speaker.password != nil {
      setKey(speaker, [])
    }
    for speaker in topology?.speakers ?? [] {
      if let password = speaker.password { setKey(speaker, Array(password.utf8)) }
    }
  }

  private func setKey(_ speaker: BGPSpeaker, _ key: [UInt8]) {
    let (remote, prefix): (PeerName, Int?) =
      switch speaker.peer {
      case .address(let address, let interface):
        (PeerName(address, scope: interface.flatMap { PeerSocket.interface($0) } ?? 0), nil)
      case .range(let range, _): (PeerName(range.address), range.length)
      }
    for listener in listeners where listener.name.address.family == remote.address.family {
      do throws(Errno) {
        try PeerSocket.setKey(listener.fd, remote, prefix: prefix, key)
      } catch {
        if !key.isEmpty { report(.trouble("speaker \(speaker.name): its password cannot be set: \(error)")) }
      }
    }
  }
}
