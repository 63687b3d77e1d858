import DNS
import Kernel
import Model
import Reactor
import Synchronization

/// One question to another server over UDP, from a thread that may wait.
enum Asking {
  /// The response with the question's ID, or nil when none came in time.
  static func ask(_ server: Endpoint, _ question: [UInt8], milliseconds: Int64) -> Message? {
    guard let fd = try? Socket.connect(.ip(server), .datagram) else { return nil }
    defer { Socket.close(fd) }
    guard var epoll = try? Epoll(capacity: 1), (try? epoll.add(fd, token: 0, .level)) != nil else { return nil }
    var region = ByteRegion(capacity: 65_536)
    region.append(question)
    guard region.send(0..<region.count, to: fd).value == question.count else { return nil }
    let deadline = Clock.now() + .milliseconds(milliseconds)
    while true {
      let left = (deadline - Clock.now()).milliseconds
      guard left > 0, epoll.wait(milliseconds: Int32(clamping: left)) > 0 else { return nil }
      region.clear()
      guard region.receive(from: fd).value > 0 else { return nil }
      var bytes: [UInt8] = []
      for index in 0..<region.count { bytes.append(region[index]) }
      guard let message = try? Message(bytes), message.isResponse, bytes.starts(with: question[..<2]) else { continue }
      return message
    }
  }
}

/// Secondaries that are to be told of a new serial (RFC 1996): again after 1, 2, 4, … seconds until they answer.
struct Notifications: Sendable {
  private struct Pending: Sendable {
    var target: Endpoint
    var zone: Zone
    var attempts = 0
    var due: Instant
  }

  private static let maximumAttempts = 6
  private var list: [Pending] = []

  /// Tells of this version instead of an earlier one.
  mutating func add(_ zone: Zone, _ targets: [Endpoint], at now: Instant) {
    list.removeAll { $0.zone.apex == zone.apex }
    list += targets.map { Pending(target: $0, zone: zone, due: now) }
  }

  /// What is due now, taken out; who did not answer is put back by `again`.
  mutating func takeDue(at now: Instant) -> [(target: Endpoint, zone: Zone, attempts: Int)] {
    let due = list.filter { $0.due <= now }
    list.removeAll { $0.due <= now }
    return due.map { ($0.target, $0.zone, $0.attempts) }
  }

  mutating func again(_ target: Endpoint, _ zone: Zone, attempts: Int, at now: Instant) {
    guard attempts < Notifications.maximumAttempts,
      !list.contains(where: { $0.target == target && $0.zone.apex == zone.apex })
    else { return }
    list.append(Pending(target: target, zone: zone, attempts: attempts, due: now + .seconds(1 << (attempts - 1))))
  }
}

extension NameServer {
  /// Sends what is due. Called by the tending thread.
  func notify() {
    let due = state.withLock { $0.notifications.takeDue(at: Clock.now()) }
    for (target, zone, attempts) in due {
      let id = UInt16(truncatingIfNeeded: Clock.entropy())
      guard let bytes = Message.notify(zone, id: id).encoded() else { continue }
      if Asking.ask(target, bytes, milliseconds: 300) == nil {
        state.withLock { $0.notifications.again(target, zone, attempts: attempts + 1, at: Clock.now()) }
      }
    }
  }

  /// Resolves the targets of ALIAS records whose time is over. Called by the tending thread.
  func resolveAliases() {
    let (targets, catalog, resolver) = state.withLock {
      ($0.sets.aliasesDue(at: Clock.now()), $0.catalog, $0.service.resolver)
    }
    for target in targets {
      let found = AliasLookup(catalog: catalog, resolver: resolver).addresses(of: target)
      state.withLock { state in
        state.sets.learn(target, found, at: Clock.now())
        publish(&state)
      }
    }
  }
}

/// The addresses of a name: from our own zones, else from the resolver.
struct AliasLookup {
  let catalog: Catalog
  let resolver: Endpoint?

  /// nil when they cannot be had now.
  func addresses(of target: Name) -> AliasAddresses? {
    var result = AliasAddresses(addresses: [], ttl: .max)
    var isKnown = false
    for type in [RecordType.a, .aaaa] {
      guard let message = own(target, type) ?? resolved(target, type), message.code == .noError else { continue }
      isKnown = true
      for record in message.answers {
        result.ttl = min(result.ttl, record.ttl)
        if record.type == type, let address = IPAddress(bytes: record.data) { result.addresses.append(address) }
      }
    }
    guard isKnown else { return nil }
    if result.ttl == .max { result.ttl = 60 }
    return result
  }

  private func own(_ target: Name, _ type: RecordType) -> Message? {
    guard catalog.zones.list.contains(where: { target.isWithin($0.apex) }),
      let query = Message.query(target, type).encoded()
    else { return nil }
    var responder = Responder(.init(), seed: 1)
    responder.prepare(for: catalog.view)
    var writer = MessageWriter()
    let outcome = responder.answer(
      query.span, from: .init(.loopbackV4, .tcp), at: .init(now: Clock.now(), unixSeconds: 0), zones: catalog.zones,
      view: catalog.view, places: catalog.places, into: &writer)
    return outcome == .respond ? try? Message(writer.message) : nil
  }

  private func resolved(_ target: Name, _ type: RecordType) -> Message? {
    guard let resolver else { return nil }
    var query = Message.query(target, type, id: UInt16(truncatingIfNeeded: Clock.entropy()), udpSize: 1232)
    query.flags = 0x0100
    guard let bytes = query.encoded() else { return nil }
    return Asking.ask(resolver, bytes, milliseconds: 2000)
  }
}
