import Kernel
import Reactor

/// A stream whose bytes pass through pipes.
struct LongTransfer {
  /// Since something went the other way, which then was so much in all.
  var bytes: Int64 = 0
  var otherWay: Int64
  /// Its socket tells of large pieces only.
  var isPatient = false
  /// Until when less than that stays where it is; `.max`: it is not waited for.
  var due = Int64.max
}

/// Long transfers are read in large pieces: their bytes gather in the kernel until there are many (`SO_RCVLOWAT`), or
/// until `longestWait` is over.
extension Worker {
  /// So many bytes one way, and none the other way meanwhile, are no answer that somebody waits for.
  static let patienceThreshold: Int64 = 16 << 20
  /// PERF: tcp-bulk took 1.11, 1.02 and 1.12 of the CPU time of HAProxy with splice; 0.82 with this, median of seven rounds.
  static let lowWater: Int32 = 1 << 20
  /// In loop milliseconds.
  static let longestWait: Int64 = 1

  /// Notes a piece that was spliced; false when it was so small that the next one is better copied.
  mutating func noteTransfer(_ index: UInt32, _ count: Int, against otherWay: Int64) -> Bool {
    var transfer = transfers[index] ?? LongTransfer(otherWay: otherWay)
    if transfer.otherWay != otherWay { (transfer.bytes, transfer.otherWay) = (0, otherWay) }
    transfer.bytes += Int64(count)
    if !transfer.isPatient {
      guard count >= Worker.spliceThreshold else { return false }
      if transfer.bytes >= Worker.patienceThreshold {
        transfer.isPatient = true
        Socket.setLowWater(streams[index].fd, bytes: Worker.lowWater)
      }
    }
    transfers[index] = transfer
    hasTransfers = true
    return true
  }

  /// Its socket tells at once of what is there.
  mutating func forgetTransfer(_ index: UInt32) {
    guard let transfer = transfers.removeValue(forKey: index) else { return }
    hasTransfers = !transfers.isEmpty
    if transfer.isPatient { Socket.setLowWater(streams[index].fd, bytes: 1) }
  }

  /// A patient stream that was read until nothing was left is looked at in time, whatever its socket tells.
  mutating func awaitMore(_ index: UInt32) {
    guard transfers[index]?.isPatient == true, !streams[index].flags.contains(.readable) else { return }
    let due = milliseconds + Worker.longestWait
    transfers[index]?.due = due
    nextLook = min(nextLook, due)
  }

  /// Reads those that were waited for long enough. Who has sent little meanwhile is slow: its bytes shall not wait.
  @inline(never) mutating func lookAtTransfers() {
    for (index, transfer) in transfers where transfer.due <= milliseconds {
      // To read one may have ended another.
      guard transfers[index]?.due == transfer.due else { continue }
      transfers[index]?.due = .max
      guard !streams[index].flags.contains(.readable) else { continue }
      if Socket.unreadBytes(streams[index].fd) >= Worker.spliceThreshold {
        streams[index].flags.insert(.readable)
        advance(index, writable: false)
      } else {
        transfers[index]?.isPatient = false
        Socket.setLowWater(streams[index].fd, bytes: 1)
      }
    }
    nextLook = transfers.values.reduce(.max) { min($0, $1.due) }
  }
}
