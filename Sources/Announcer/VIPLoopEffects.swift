import Kernel
import Model
import VRRP

/// What the routers want done.
extension VIPLoop {
  mutating func carryOut(_ effect: Effect, _ place: Place) {
    switch effect {
    case .send(let advert): send(advert, place)
    case .hold(let order): hold(order, place)
    case .announce(let addresses, let count): announce(addresses, count, place)
    case .verifyAlone(let addresses): verify(addresses, place)
    case .report(let report): tell(of: report, place)
    }
  }

  private mutating func send(_ advert: Advertisement, _ place: Place) {
    let member = units[place.unit].members[place.member]
    guard let link = member.link, let source = units[place.unit].group.members[place.member].primaryAddress,
      let channel = channels[VRRPChannel.Key(link: link, family: member.vip.family)]?.channel
    else { return }
    for destination in member.configuration.destinations {
      let header = PacketHeader(source: source, destination: destination)
      do throws(Errno) {
        guard let payload = encode(advert, header, place) else { continue }
        try channel.send(payload, in: header, from: member.virtualHardware)
        units[place.unit].members[place.member].counters.sent += 1
        units[place.unit].members[place.member].toldUnsent = false
      } catch {
        noteUnsent(error, destination, place)
      }
    }
  }

  private mutating func encode(_ advert: Advertisement, _ header: PacketHeader, _ place: Place) -> [UInt8]? {
    let checksum = units[place.unit].members[place.member].configuration.checksum
    guard let code = units[place.unit].members[place.member].code,
      var sealer = units[place.unit].members[place.member].sealer
    else { return advert.encode(in: header, checksum: checksum) }
    defer { units[place.unit].members[place.member].sealer = sealer }
    return advert.encode(in: header, checksum: checksum, sealedBy: &sealer, with: code)
  }

  private mutating func noteUnsent(_ error: Errno, _ destination: IPAddress, _ place: Place) {
    units[place.unit].members[place.member].counters.unsent += 1
    guard !units[place.unit].members[place.member].toldUnsent else { return }
    units[place.unit].members[place.member].toldUnsent = true
    say(
      VIPReport(
        vip: units[place.unit].members[place.member].vip.name, kind: .vip,
        message: "an advert to \(destination) could not be sent: \(error)"))
  }

  private mutating func hold(_ order: AddressOrder, _ place: Place) {
    let member = units[place.unit].members[place.member]
    let wanted = member.placements(order.addresses)
    units[place.unit].members[place.member].wanted = wanted
    for placement in member.held.subtracting(wanted).sorted(by: <) {
      units[place.unit].members[place.member].held.remove(placement)
      do { try netlink.remove(placement) } catch { complain("\(error)", place) }
    }
    for placement in wanted.sorted(by: <) {
      do {
        if try netlink.add(placement, owner: .virtualRouter) {
          units[place.unit].members[place.member].held.insert(placement)
        } else if !member.held.contains(placement) {
          complain(
            "\(placement.address) is on \(member.vip.interface) already, and not by Sluice: left as it is", place)
        }
      } catch {
        complain("\(error)", place)
      }
    }
  }

  mutating func announce(_ addresses: [IPAddress], _ count: Int, _ place: Place) {
    let member = units[place.unit].members[place.member]
    guard let index = member.link, let link = links[index], let hardware = member.virtualHardware ?? link.hardware,
      !link.isLoopback
    else { return }
    do throws(Errno) {
      let channel: FrameChannel
      if let open = frames[index] {
        channel = open
      } else {
        channel = try FrameChannel(on: index)
        frames[index] = channel
      }
      for _ in 0..<count {
        for address in addresses {
          for frame in VIPFrames.announcements(address, hardware) {
            try channel.send(frame)
            units[place.unit].members[place.member].counters.announcements += 1
          }
        }
      }
    } catch {
      complain("the addresses could not be announced: \(error)", place)
    }
  }

  private mutating func verify(_ addresses: [IPAddress], _ place: Place) {
    let member = units[place.unit].members[place.member]
    guard let index = member.link, let link = links[index], let hardware = link.hardware, !link.isLoopback else {
      return tell(.verified(answeredElsewhere: []), place)
    }
    do throws(Errno) {
      let verification = try VIPVerification(
        vip: member.vip.name, addresses: addresses, on: index, hardware, at: now)
      for descriptor in verification.descriptors {
        let token = newToken(.verification(verification))
        verification.tokens.append(token)
        try epoll.add(descriptor, token: token, .level)
      }
      verifications.append(verification)
    } catch {
      complain("nobody could be asked who answers for the addresses: \(error)", place)
    }
  }

  mutating func tickVerifications() {
    for verification in verifications where verification.deadline <= now {
      guard verification.proceed(at: now) else { continue }
      verifications.removeAll { $0 === verification }
      for token in verification.tokens { sources[token] = nil }
      guard let place = self.place(of: verification.vip) else { continue }
      let rivals = verification.answers.sorted { $0.key < $1.key }
      for (address, hardware) in rivals {
        complain("\(address) is answered for by \(hardware), too", place)
      }
      tell(.verified(answeredElsewhere: rivals.map(\.key)), place)
    }
  }

  func place(of vip: String) -> Place? {
    for unit in units.indices {
      if let member = units[unit].members.firstIndex(where: { $0.vip.name == vip }) {
        return Place(unit: unit, member: member)
      }
    }
    return nil
  }

  func say(_ report: VIPReport) { self.report(report) }

  func complain(_ message: String, _ place: Place) {
    say(VIPReport(vip: units[place.unit].members[place.member].vip.name, kind: .vip, message: message))
  }
}
