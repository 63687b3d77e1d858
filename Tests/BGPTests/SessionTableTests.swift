import BGP
import Model
import Testing
import Wire

/// The whole table of RFC 4271 §8.2.2: what each event makes of each state.
@Suite struct SessionTableTests {
  enum Trigger: String, CaseIterable, Sendable {
    case start, shutdown, reset, deconfigured, restart, reconfigured
    case accepted, connected, failed, foreignFailure, foreignBytes
    case open, badOpen, keepalive, update, badUpdate, refresh, notification, versionError, badHeader
    case fault, bfdDown, bfdUp, bfdAdministrativelyDown, earlyTimer, lateTimer, secondStart
  }

  /// Columns: Idle (stopped), Connect, Active, OpenSent, OpenConfirm, Established.
  /// I idle, C connect, A active, S OpenSent, O OpenConfirm, E Established.
  static let table: [(Trigger, String)] = [
    (.start, "C C A S O E"), (.secondStart, "C C A S O E"),
    (.shutdown, "I I I I I I"), (.deconfigured, "I I I I I I"), (.restart, "I I I I I I"),
    (.reset, "I C C C C C"), (.reconfigured, "I C C C C C"),
    // A peer's connection: refused in Idle, a new conversation otherwise.
    (.accepted, "I S S S O E"),
    (.connected, "I S A S O E"),
    // The connection of the state goes away: only agreed sessions are damped.
    (.failed, "I A A A I I"), (.foreignFailure, "I C A S O E"), (.foreignBytes, "I C A S O E"),
    (.open, "I C A O I I"), (.badOpen, "I C A I I I"), (.keepalive, "I C A I E E"),
    (.update, "I C A I I E"), (.badUpdate, "I C A I I I"), (.refresh, "I C A I I E"),
    (.notification, "I C A I I I"), (.versionError, "I C A I I I"), (.badHeader, "I C A I I I"),
    (.fault, "I C A S O I"),
    (.bfdDown, "I C A S O E"), (.bfdUp, "I C A S O E"), (.bfdAdministrativelyDown, "I C A S O E"),
    (.earlyTimer, "I C A S O E"),
    // Everything expires: retries begin, hold timers end the session.
    (.lateTimer, "I C C I I I"),
  ]

  static let states: [SessionState] = [.idle, .connect, .active, .openSent, .openConfirm, .established]

  private func apply(_ trigger: Trigger, _ rig: inout Rig) {
    let stranger = ConnectionID(.incoming, 77)
    switch trigger {
    case .start, .secondStart: rig.on(.start)
    case .shutdown: rig.on(.stop(.shutdown("bye")))
    case .reset: rig.on(.stop(.reset("")))
    case .deconfigured: rig.on(.stop(.deconfigured))
    case .restart: rig.on(.stop(.restart))
    case .reconfigured: rig.on(.stop(.reconfigured))
    case .accepted: rig.on(.accepted(rig.incoming))
    case .connected: rig.on(.connected(rig.outgoing))
    case .failed: rig.on(.failed(rig.outgoing))
    case .foreignFailure: rig.on(.failed(stranger))
    case .foreignBytes: rig.on(.received(stranger, Message.keepaliveBytes))
    case .open: rig.on(.received(rig.outgoing, Rig.peerOpen.encode()))
    case .badOpen: rig.on(.received(rig.outgoing, open(version: 3)))
    case .keepalive: rig.on(.received(rig.outgoing, Message.keepaliveBytes))
    case .update: rig.on(.received(rig.outgoing, update()))
    case .badUpdate: rig.on(.received(rig.outgoing, update(required, nlri: [33])))
    case .refresh: rig.on(.received(rig.outgoing, RouteRefresh(.v4).encode()))
    case .notification: rig.on(.received(rig.outgoing, Message.encode(Notification(.administrativeShutdown))))
    case .versionError: rig.on(.received(rig.outgoing, Message.encode(.unsupportedVersion)))
    case .badHeader: rig.on(.received(rig.outgoing, [0]))
    case .fault: rig.on(.fault(Notification(.prefixLimit)))
    case .bfdDown: rig.on(.bfd(.down))
    case .bfdUp: rig.on(.bfd(.up))
    case .bfdAdministrativelyDown: rig.on(.bfd(.administrativelyDown))
    case .earlyTimer: rig.on(.timer)
    case .lateTimer: rig.after(.seconds(100_000))
    }
  }

  @Test func everyStateMeetsEveryEvent() {
    #expect(SessionTableTests.table.count == Trigger.allCases.count)
    let letters: [Character: SessionState] = [
      "I": .idle, "C": .connect, "A": .active, "S": .openSent, "O": .openConfirm, "E": .established,
    ]
    for (trigger, row) in SessionTableTests.table {
      for (state, letter) in zip(SessionTableTests.states, row.filter { $0 != " " }) {
        var rig = Rig.at(state)
        #expect(rig.session.state == state)
        apply(trigger, &rig)
        #expect(rig.session.state == letters[letter], "\(trigger) in \(state)")
      }
    }
  }

  /// Wherever it ended, it can be started and gets there: no state is a trap.
  @Test func everyStateAndPairOfEventsLeadsBackToEstablished() {
    for state in SessionTableTests.states {
      for first in Trigger.allCases {
        for second in Trigger.allCases {
          var rig = Rig.at(state)
          apply(first, &rig)
          apply(second, &rig)
          rig.on(.start)
          var found = rig.session.state == .established
          for _ in 0..<12 where !found {
            guard let deadline = rig.session.deadline else { break }
            if deadline > rig.now { rig.now = deadline }
            var effects = rig.on(.timer)
            while !effects.isEmpty {
              var next: [SessionEffect] = []
              for effect in effects {
                switch effect {
                case .connect(let id): next += rig.on(.connected(id))
                case .send(let id, let bytes) where bytes[18] == 1:
                  next += rig.on(.received(id, Rig.peerOpen.encode() + Message.keepaliveBytes))
                default: break
                }
              }
              effects = next
            }
            found = rig.session.state == .established
          }
          #expect(found, "\(first), \(second) in \(state) ends in \(rig.session.state)")
        }
      }
    }
  }

  /// RFC 6608: the subcode says where an unexpected message arrived.
  @Test func unexpectedMessagesNameTheState() {
    for (state, subcode) in [(SessionState.openSent, 1), (.openConfirm, 2)] {
      var rig = Rig.at(state)
      #expect(rig.on(.received(rig.outgoing, update())).notification == Notification(.stateMachine, UInt8(subcode)))
    }
    var rig = Rig.at(.established)
    #expect(rig.on(.received(rig.outgoing, Rig.peerOpen.encode())).notification == Notification(.stateMachine, 3))
  }
}
