import CKernel
import Kernel
import Model
import Synchronization
import Testing

/// Runs on a thread with a network of its own: a loopback that is down, and nothing else.
private func inPrivateNetwork(_ body: @escaping @Sendable () throws -> Void) throws {
  let outcome = Mutex<Result<Bool, any Error>>(.success(false))
  try Thread.start(name: "private-net") {
    let result = Result {
      guard sluice_unshare_network() == 0 else { return false }
      try body()
      return true
    }
    outcome.withLock { $0 = result }
  }.join()
  // Not everybody who runs the tests may make a namespace; CI may.
  if try !outcome.withLock({ $0 }).get() { print("netlink tests: skipped, they need root") }
}

private func address(_ text: String) -> IPAddress { IPAddress(text)! }

@Suite struct NetlinkTests {
  @Test func linksAreListedAndSwitched() throws {
    try inPrivateNetwork {
      var netlink = try Netlink()
      let loopback = try #require(try netlink.links().first)
      #expect(loopback.name == "lo")
      #expect(loopback.isLoopback && !loopback.isUp)
      try netlink.setLink(loopback.index, up: true)
      #expect(try netlink.links().first?.isRunning == true)
    }
  }

  @Test func connectionsAreSeenFromTheirHandshakeOn() throws {
    try inPrivateNetwork {
      var netlink = try Netlink()
      let link = try #require(try netlink.links().first).index
      try netlink.setLink(link, up: true)
      // More than one question can name, and of both families.
      let others = (10..<30).map { IPAddress(192, 0, 2, $0) }
      let places = [address("192.0.2.1"), address("2001:db8::1")]
      for place in places { try netlink.add(AddressPlacement(link: link, address: place), owner: .virtualRouter) }
      var diagnosis = try Netlink(.sockets)
      for place in places {
        let endpoint = SocketAddress.ip(Endpoint(place, 4711))
        let listener = try Socket.listen(endpoint, .stream)
        #expect(try diagnosis.openConnections(to: others + [place]).isEmpty, "who listens is nobody's client")
        let client = try Socket.connect(endpoint)
        // On a busy machine the kernel finishes the handshake after `connect` has returned, on either side when it can.
        var epoll = try Epoll(capacity: 1)
        try epoll.add(client, token: 0, .quietStream)
        #expect(epoll.wait(milliseconds: 10_000) == 1, "connected")
        func seen() throws -> [OpenConnection] {
          try diagnosis.openConnections(to: others + [place]).filter { $0.local.port == 4711 }
        }
        var waiting = try seen()
        for _ in 0..<1_000 where waiting.isEmpty {
          _ = epoll.wait(milliseconds: 10)
          waiting = try seen()
        }
        #expect(waiting.map(\.local.address) == [place], "nobody has accepted it")
        #expect(try diagnosis.openConnections(to: others).isEmpty)
        Socket.close(client)
        Socket.close(listener)
        #expect(try diagnosis.openConnections(to: [place]).filter { $0.local.port == 4711 }.isEmpty)
      }
    }
  }

  @Test func addressesComeAndGoWithTheirOwner() throws {
    try inPrivateNetwork {
      var netlink = try Netlink()
      let link = try #require(try netlink.links().first).index
      try netlink.setLink(link, up: true)
      for text in ["192.0.2.1", "2001:db8::1"] {
        let placement = AddressPlacement(link: link, address: address(text))
        #expect(try netlink.add(placement, owner: .anycast))
        #expect(try !netlink.add(placement, owner: .anycast), "it is there already")
        let found = try #require(try netlink.addresses().first { $0.address == placement.address })
        #expect(found.placement == placement)
        #expect(found.owner == .anycast)
        #expect(!found.isTentative)
        #expect(found.isDeprecated == (placement.address.family == .v6), "no source for new connections")
        #expect(try netlink.remove(placement))
        #expect(try !netlink.remove(placement))
      }
      #expect(try !netlink.remove(AddressPlacement(link: 4242, address: address("192.0.2.1"))), "the link is gone")
      let error = #expect(throws: NetlinkError.self) {
        try netlink.add(AddressPlacement(link: 4242, address: address("192.0.2.1")), owner: .anycast)
      }
      #expect(error?.description.contains("192.0.2.1/32 on link 4242") == true)
    }
  }

  @Test func reconcilingRepairsAndLeavesOthersAlone() throws {
    try inPrivateNetwork {
      var netlink = try Netlink()
      let link = try #require(try netlink.links().first).index
      try netlink.setLink(link, up: true)
      func at(_ text: String) -> AddressPlacement { AddressPlacement(link: link, address: address(text)) }
      try netlink.add(at("192.0.2.9"), owner: .virtualRouter)
      try netlink.add(at("192.0.2.8"), owner: .floating)
      var result = try netlink.reconcile([at("192.0.2.1"), at("2001:db8::1")], of: .virtualRouter)
      #expect(result.added == [at("192.0.2.1"), at("2001:db8::1")])
      #expect(result.removed == [at("192.0.2.9")], "left over")
      #expect(try netlink.reconcile([at("192.0.2.1"), at("2001:db8::1")], of: .virtualRouter).changedNothing)
      try netlink.remove(at("192.0.2.1"))
      result = try netlink.reconcile([at("192.0.2.1"), at("2001:db8::1")], of: .virtualRouter)
      #expect(result.added == [at("192.0.2.1")], "somebody removed it by hand")
      result = try netlink.reconcile([], of: .virtualRouter, claimed: [at("192.0.2.8")])
      #expect(result.removed.count == 3, "a claimed address goes without the mark")
      #expect(try netlink.addresses().allSatisfy(\.address.isLoopback))
    }
  }

  @Test func aMacvlanHasItsMACAndNoAddress() throws {
    try inPrivateNetwork {
      var netlink = try Netlink()
      let parent = try #require(try netlink.links().first).index
      // Loopback takes no macvlan: the refusal is typed and in words.
      let error = #expect(throws: NetlinkError.self) {
        try netlink.createMacvlan(name: "slv", on: parent, .virtualRouter(7, .v4))
      }
      #expect(error?.errno != nil)
    }
  }

  @Test func changesAreTold() throws {
    try inPrivateNetwork {
      let events = try NetlinkEvents()
      var netlink = try Netlink()
      let link = try #require(try netlink.links().first).index
      try netlink.setLink(link, up: true)
      let placement = AddressPlacement(link: link, address: address("192.0.2.1"))
      try netlink.add(placement, owner: .virtualRouter)
      try netlink.remove(placement)
      let seen = events.take()
      #expect(seen.contains { if case .link(let link) = $0 { link.isUp } else { false } })
      #expect(seen.contains { if case .address(let found) = $0 { found.placement == placement } else { false } })
      #expect(seen.contains { if case .addressGone(let found) = $0 { found.owner == .virtualRouter } else { false } })
      #expect(events.take().isEmpty)
    }
  }
}
