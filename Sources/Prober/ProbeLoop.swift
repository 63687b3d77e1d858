import Health
import Kernel
import Model
import Reactor
import TLS

/// The prober's event loop with everything it owns. The extensions: Targets (which checks run),
/// Start, Exchange (sockets), Programs, Finish.
struct ProbeLoop: ~Copyable {
  /// A target, ready to run.
  struct Assignment {
    var target: ProbeTarget
    var plan: CheckPlan
    var run = Run.none
    /// Its last finding was a success.
    var isWell = false
    /// Of a pool that is spoken to by TLS.
    var context: Result<ClientContext, CheckTrouble>?
  }

  let mailbox: Mailbox<ProberOrder>
  let limits: ProberLimits
  var reporter: Reporter
  var complaints: Complaints

  var epoll: Epoll
  var wheel: TimerWheel
  var schedule = ProbeSchedule(seed: Clock.entropy())
  var numbers: [Identity: Int] = [:]
  var assignments: [Int: Assignment] = [:]
  var lastNumber = 0
  /// Backends whose verdict is about to change, whether they have a target or not.
  var changing: Set<BackendKey> = []
  var patterns = Patterns()

  var runs: Slab<Run>
  /// By the run's index.
  var answers: [Answer] = []
  var programs = 0
  /// Due programs that wait until another one has ended.
  var waiting: [Int] = []

  var incoming = ByteRegion(capacity: CheckTools.window)
  var outgoing = ByteRegion(capacity: CheckTools.window)
  var tools = CheckTools()
  var channels: Channels

  /// Coarse clocks, set once per turn.
  var now = Clock.now()
  var milliseconds: Int64
  var isStopping = false

  init(
    mailbox: Mailbox<ProberOrder>, limits: ProberLimits, report: @escaping @Sendable ([ProbeReport]) -> Void,
    complain: @escaping @Sendable (String) -> Void
  ) throws(Errno) {
    let epoll = try Epoll()
    try epoll.add(mailbox.wakeup.descriptor, token: Token.mailbox, .level)
    self.epoll = epoll
    self.mailbox = mailbox
    self.limits = limits
    reporter = Reporter(report)
    complaints = Complaints(complain)
    milliseconds = now.nanoseconds / 1_000_000
    wheel = TimerWheel(limit: limits.checks, now: milliseconds)
    runs = Slab(limit: limits.checks, blank: Run())
    channels = Channels(limit: limits.checks)
  }

  mutating func run() {
    while !isStopping { turn() }
    closeEverything()
  }

  private mutating func turn() {
    let count = epoll.wait(milliseconds: wait())
    now = Clock.now()
    milliseconds = now.nanoseconds / 1_000_000
    for index in 0..<count { dispatch(epoll[index]) }
    wheel.advance(to: milliseconds)
    while let token = wheel.nextDue() {
      let index = Token.index(token)
      if isCurrent(index, token) { timeOut(index) }
    }
    startDue()
    reporter.flush(at: milliseconds)
  }

  /// Until the next timer, probe or burst of findings, whichever is sooner; -1: until an event.
  private func wait() -> Int32 {
    var wait = wheel.wait(from: milliseconds)
    if runs.count < limits.checks, let due = schedule.nextDue {
      // PERF: to the timer wheel's tick, so that probes which are due within it start in one turn.
      let tick = TimerWheel.tickMilliseconds
      let start = (due.nanoseconds / 1_000_000 + tick) / tick * tick
      wait = min(wait ?? .max, max(0, start - milliseconds))
    }
    if let due = reporter.due { wait = min(wait ?? .max, max(0, due - milliseconds)) }
    return wait.map { Int32(clamping: min($0, 60_000)) } ?? -1
  }

  private mutating func dispatch(_ event: Epoll.Event) {
    if event.token == Token.mailbox { return readMail() }
    let index = Token.index(event.token)
    guard isCurrent(index, event.token) else { return }
    if runs[index].child != nil { programEnded(index) } else { advance(index, event) }
  }

  func isCurrent(_ index: UInt32, _ token: UInt64) -> Bool {
    runs.isUsed(index) && runs.generation(index) == Token.generation(token)
  }

  private mutating func readMail() {
    for order in mailbox.take() {
      switch order {
      case .run(let targets): adopt(targets)
      case .pace(let changing): pace(changing)
      case .stop: isStopping = true
      }
    }
  }
}

/// Tells of trouble at a bounded rate.
struct Complaints {
  static let interval = Duration.seconds(10)

  private let say: @Sendable (String) -> Void
  private var next = Instant(nanoseconds: .min)
  private var unsaid = 0

  init(_ say: @escaping @Sendable (String) -> Void) { self.say = say }

  mutating func note(_ text: String, at now: Instant) {
    guard now >= next else {
      unsaid += 1
      return
    }
    say(unsaid == 0 ? text : "\(text) (and \(unsaid) times before that)")
    unsaid = 0
    next = now + Complaints.interval
  }
}
