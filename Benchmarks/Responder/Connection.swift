internal import Reactor

/// A client of the responder, in its loop's slab.
struct Connection: BitwiseCopyable {
  var fd: Int32 = -1
  var service: UInt32 = 0
  /// Bytes of "\r\n\r\n" that the last read ended with.
  var matched = 0
  /// Whole responses still to be sent, the one in progress included.
  var owed = 0
  /// Bytes of the response in progress that are out.
  var sent = 0
  /// Echo: what the socket refused.
  var output = Chain()

  /// Counts the request heads that end in `bytes`; `matched` carries over to the next read.
  static func countHeads(in bytes: borrowing Span<UInt8>, matched: inout Int) -> Int {
    var heads = 0
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      // Position in CR LF CR LF: even positions want CR, odd ones LF.
      if byte == (matched & 1 == 0 ? 13 : 10) {
        matched += 1
        if matched == 4 {
          heads += 1
          matched = 0
        }
      } else {
        matched = byte == 13 ? 1 : 0
      }
    }
    return heads
  }
}

/// Requests in service and waiting, of a port with a delay. Service times are equal, so the order is the deadlines'.
struct Queue {
  struct Item: BitwiseCopyable {
    var index: UInt32
    var generation: UInt32
    /// In nanoseconds of the monotonic clock.
    var due: Int64
  }

  private var working: [Item] = []
  private var waiting: [Item] = []
  private var firstWorking = 0
  private var firstWaiting = 0
  let delay: Int64
  let width: Int

  init(_ service: Service) {
    delay = service.delay * 1_000_000
    width = service.width
  }

  mutating func add(_ index: UInt32, _ generation: UInt32, now: Int64) {
    let item = Item(index: index, generation: generation, due: now + delay)
    if working.count - firstWorking < width { working.append(item) } else { waiting.append(item) }
  }

  /// When the next request is done; nil: there is none.
  var nextDue: Int64? { firstWorking < working.count ? working[firstWorking].due : nil }

  /// A request that is done, once.
  mutating func next(now: Int64) -> Item? {
    guard let due = nextDue, due <= now else { return nil }
    let item = working[firstWorking]
    firstWorking += 1
    if firstWaiting < waiting.count {
      var fresh = waiting[firstWaiting]
      firstWaiting += 1
      // The place was free from the moment that the other was done, not from when the loop noticed.
      fresh.due = due + delay
      working.append(fresh)
    }
    Queue.compact(&working, &firstWorking)
    Queue.compact(&waiting, &firstWaiting)
    return item
  }

  private static func compact(_ items: inout [Item], _ first: inout Int) {
    guard first >= 1024 || first == items.count else { return }
    items.removeFirst(first)
    first = 0
  }
}
