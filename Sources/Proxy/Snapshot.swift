import Balance
import HTTP
import HTTP2
import Model
import Reactor
import Routing
import TLS
import Wire

/// One worker's own compiled copy of a World.
///
/// Each worker has its own, so that no reference count is written by two threads. Rows
/// (listener and pool numbers) are kept by name through every World; a row that is not
/// in this World is nil.
final class Snapshot: Sendable {
  let generation: UInt64
  let listeners: [CompiledListener?]
  let pools: [CompiledPool?]
  let logsAccess: Bool
  /// nil: JSON.
  let logTemplate: LogTemplate?
  /// Requests may be sampled: those whose sender says so, and by chance out of 2^32.
  let samples: Bool
  let sampling: UInt32
  let exportsSpans: Bool
  /// The row of a listener that is none: whose clients are copies.
  let copiesRow: UInt32

  init(
    generation: UInt64, listeners: [CompiledListener?], pools: [CompiledPool?], logsAccess: Bool,
    logTemplate: LogTemplate? = nil, tracing: Tracing? = nil, copiesRow: UInt32 = 0
  ) {
    self.copiesRow = copiesRow
    samples = tracing != nil
    sampling = UInt32(min(max(tracing?.sample ?? 0, 0), 1) * Double(UInt32.max))
    exportsSpans = tracing?.otlp != nil
    self.generation = generation
    self.listeners = listeners
    self.pools = pools
    self.logsAccess = logsAccess
    self.logTemplate = logTemplate
  }
}

final class CompiledListener: Sendable {
  let row: UInt32
  let model: Listener
  let routes: RouteTable
  let actions: [CompiledRoute]
  /// Where each route is counted; without a name nowhere.
  let routeRows: [UInt32]
  let headLimits: HeadLimits
  let bodyLimit: Int64
  let headTimeout: Int64
  let idleTimeout: Int64
  let keepAliveTimeout: Int64
  let tunnelTimeout: Int64
  let halfClosedTimeout: Int64
  /// Without a datagram in either direction (UDP).
  let sessionIdle: Int64
  let requestIDName: [UInt8]
  /// "Via: 1.1 name\r\n", or empty.
  let viaLine: [UInt8]
  /// Its name in JSON.
  let loggedName: [UInt8]
  let maxRequests: UInt32
  let frameSettings: FrameSettings
  let frameLimits: FrameLimits
  let checksAccess: Bool
  /// nil: in clear.
  let tls: CompiledTLS?
  /// Routes look into ClientHellos that are passed on.
  let sniffs: Bool
  /// Routes or fields want to know what TLS tells of a client.
  let wantsFacts: Bool
  let setsXForwarded: Bool
  let appendsXForwarded: Bool
  let setsForwarded: Bool
  let appendsForwarded: Bool
  let trustsRequestID: Bool
  /// nil: clients belong to no site.
  let affinity: CompiledAffinity?
  /// Bit `FieldName.rawValue`: the client's lines of this name are not passed on.
  fileprivate let replaced: UInt64

  init(
    row: UInt32, model: Listener, poolRows: [String: UInt32], tls: ServerContext?, siteRows: [String: UInt32] = [:],
    routeRows: [String: UInt32] = [:], ailments: [String: String] = [:], copied: Set<String> = []
  ) throws(RouteTableError) {
    self.row = row
    self.model = model
    routes = try RouteTable(routes: model.routes)
    // A request id that is not trusted is not passed on; the usual name is known to the parser.
    var dropped: [String] = []
    if let name = model.http.requestID?.lowercased(), !model.http.trustRequestID, name != "x-request-id" {
      dropped.append(name)
    }
    affinity = model.affinity.map { [dropped] in
      CompiledAffinity(
        $0, rows: siteRows, poolRows: poolRows, dropped: dropped, ailments: ailments, copied: copied)
    }
    if model.affinity != nil { dropped.append(CompiledAffinity.mark.lowercased()) }
    actions = model.routes.map { [dropped] in CompiledRoute($0, poolRows: poolRows, dropped: dropped, copied: copied) }
    self.routeRows = model.routes.map { $0.name.flatMap { routeRows[$0] } ?? CompiledListener.uncounted }
    headLimits = HeadLimits(
      headBytes: model.limits.headBytes, targetBytes: model.limits.uriBytes, fields: model.limits.headerCount)
    bodyLimit = model.limits.bodyBytes ?? .max
    headTimeout = model.timeouts.head.milliseconds
    idleTimeout = model.timeouts.idle.milliseconds
    keepAliveTimeout = model.timeouts.keepAlive.milliseconds
    tunnelTimeout = model.timeouts.tunnel.milliseconds
    halfClosedTimeout = model.timeouts.halfClosed.milliseconds
    sessionIdle = model.udp.idle.milliseconds
    loggedName = CompiledListener.logged(model.name)
    requestIDName = Array((model.http.requestID ?? "").lowercased().utf8)
    viaLine = model.http.via.map { Array("Via: 1.1 \($0)\r\n".utf8) } ?? []
    maxRequests = UInt32(clamping: model.http.maxRequests ?? Int(UInt32.max))
    self.tls = model.tls.flatMap { model in tls.map { CompiledTLS(model: model, context: $0) } }
    sniffs = model.sniffs
    wantsFacts =
      routes.asksForFacts
      || actions.contains { !$0.requestEdits.computed.isEmpty || !$0.responseEdits.computed.isEmpty }
    frameSettings = CompiledListener.settings(model.http2, model.limits)
    frameLimits = CompiledListener.limits(model.http2.limits)
    checksAccess = !model.access.allow.isEmpty || !model.access.deny.isEmpty
    setsXForwarded = model.http.xForwarded != .off
    appendsXForwarded = model.http.xForwarded == .append
    setsForwarded = model.http.forwarded != .off
    appendsForwarded = model.http.forwarded == .append
    trustsRequestID = model.http.trustRequestID
    var replaced: [FieldName] = [.upgrade]
    // What is appended to is written as one line.
    if setsXForwarded { replaced.append(.xForwardedFor) }
    if setsXForwarded, !appendsXForwarded { replaced += [.xForwardedProto, .xForwardedHost] }
    if setsForwarded { replaced.append(.forwarded) }
    if !trustsRequestID, model.http.requestID?.lowercased() == "x-request-id" { replaced.append(.xRequestID) }
    self.replaced = replaced.reduce(0) { $0 | 1 << UInt64($1.rawValue) }
  }
}

extension CompiledListener {
  static let uncounted = UInt32.max

  static func logged(_ name: String) -> [UInt8] {
    var text = ByteRegion(capacity: 6 * name.utf8.count)
    text.append(json: name)
    return text.array()
  }

  @inline(__always) func replaces(_ name: FieldName) -> Bool { replaced & 1 << UInt64(name.rawValue) != 0 }
}

/// TLS of a listener, as its clients meet it.
final class CompiledTLS: Sendable {
  let model: ListenerTLS
  let context: ServerContext
  let handshakeTimeout: Int64

  init(model: ListenerTLS, context: ServerContext) {
    self.model = model
    self.context = context
    handshakeTimeout = model.handshakeTimeout.milliseconds
  }
}

/// Field edits in the form that heads are written in.
struct CompiledEdits: Sendable {
  /// Lower case; what `set` and `remove` take out.
  let removed: [[UInt8]]
  /// Whole lines with CRLF.
  let added: [UInt8]
  /// Lines whose value is a fact of the connection; left out where it has none.
  let computed: [ComputedField]

  init(_ edits: [HeaderEdit]) {
    var removed: [[UInt8]] = []
    var added: [UInt8] = []
    var computed: [ComputedField] = []
    for edit in edits {
      switch edit {
      case .set(let name, let value):
        removed.append(Array(name.lowercased().utf8))
        added += "\(name): \(value)\r\n".utf8
      case .add(let name, let value): added += "\(name): \(value)\r\n".utf8
      case .setFact(let name, let fact):
        removed.append(Array(name.lowercased().utf8))
        computed.append(ComputedField(name: Array("\(name): ".utf8), fact: fact))
      case .remove(let name): removed.append(Array(name.lowercased().utf8))
      }
    }
    self.removed = removed
    self.added = added
    self.computed = computed
  }
}

/// A field whose value is a fact of the connection.
struct ComputedField: Sendable {
  /// "Name: "
  let name: [UInt8]
  let fact: ConnectionFact
}

final class CompiledRoute: Sendable {
  enum Action: Sendable {
    case pool(UInt32)
    /// Pools by cumulative weight.
    case split([(UInt32, UInt32)], total: UInt32)
    case redirect(Redirect)
    case respond(FixedResponse)
  }

  let name: String?
  let action: Action
  let requestEdits: CompiledEdits
  let responseEdits: CompiledEdits
  let rewrite: PathRewrite?
  /// The path prefix that a rewrite replaces.
  let prefixLength: Int
  let requestTimeout: Int64
  let tryTimeout: Int64
  let retry: RetryPolicy?
  /// Of `retry`, in the form that each request needs.
  let attempts: UInt8?
  let retriesStatus: Bool?
  let mirror: CompiledMirror?

  /// - Parameters:
  ///   - dropped: fields of clients, in lower case, that are not passed on.
  ///   - copied: pools that get copies, whoever of.
  init(_ route: Route, poolRows: [String: UInt32], dropped: [String], copied: Set<String>) {
    mirror = route.mirror.map { CompiledMirror($0, pool: poolRows[$0.pool] ?? .max) }
    // What comes from a client is no copy, whether its backend gets copies, or somebody gets them of it.
    let isNearCopies = route.mirror != nil || !copied.isDisjoint(with: route.action.pools)
    let dropped = isNearCopies ? dropped + ["x-sluice-mirror"] : dropped
    name = route.name
    action =
      switch route.action {
      case .pool(let pool): .pool(poolRows[pool] ?? .max)
      case .split(let shares):
        {
          var sum: UInt32 = 0
          let cumulative = shares.map { share in
            sum += UInt32(clamping: share.weight)
            return (sum, poolRows[share.pool] ?? .max)
          }
          return .split(cumulative, total: sum)
        }()
      case .redirect(let redirect): .redirect(redirect)
      case .respond(let response): .respond(response)
      }
    requestEdits = CompiledEdits(dropped.map { .remove(name: $0) } + route.requestHeaders)
    responseEdits = CompiledEdits(route.responseHeaders)
    rewrite = route.rewrite
    prefixLength =
      switch route.match.path {
      case .prefix(let path): path.utf8.count
      default: 0
      }
    requestTimeout = route.timeouts.request?.milliseconds ?? 0
    tryTimeout = route.timeouts.perTry?.milliseconds ?? 0
    retry = route.retry
    attempts = route.retry.map { UInt8(clamping: $0.attempts) }
    retriesStatus = route.retry.map { !$0.onStatus.isEmpty }
  }
}

final class CompiledPool: Sendable {
  let row: UInt32
  let model: Pool
  let table: PickTable
  let standings: [Standing]
  let keys: KeyHasher
  let persistence: CompiledPersistence
  let connectTimeout: Int64
  let responseTimeout: Int64
  /// nil: in clear.
  let tls: ClientContext?
  let keepAliveTimeout: Int64
  let queueTimeout: Int64
  /// Of tunnels at a drained backend; nil: none.
  let drainTimeout: Int64?
  let outlier: OutlierPolicy?
  let countsServerErrors: Bool
  let attempts: UInt8
  let retriesStatus: Bool
  let persists: Bool
  let learnsLatency: Bool
  /// Its name in JSON.
  let loggedName: [UInt8]
  /// By index.
  private let slots: [UInt32]
  /// Its backends speak HTTP/2, or may.
  let isMultiplexed: Bool
  /// Each of its backends chooses.
  let mayFallBack: Bool
  /// nil: its clients are not divided by version.
  let split: CompiledSplit?
  /// Differs when a backend has come, gone or moved.
  let layout: UInt64

  init(
    row: UInt32, model: Pool, standings: [Standing], table: PickTable, secret: String, tls: ClientContext?,
    split: CompiledSplit? = nil
  ) {
    self.split = split
    self.row = row
    self.model = model
    self.table = table
    self.standings = standings
    keys = KeyHasher(secret: secret)
    self.tls = tls
    persistence = CompiledPersistence(pool: model, secret: secret)
    connectTimeout = model.timeouts.connect.milliseconds
    responseTimeout = model.timeouts.response.milliseconds
    keepAliveTimeout = model.timeouts.keepAlive.milliseconds
    drainTimeout = model.timeouts.drain?.milliseconds
    queueTimeout = model.queue.timeout.milliseconds
    outlier = model.outlier
    countsServerErrors = model.outlier?.countServerErrors == true
    attempts = UInt8(clamping: model.retry.attempts)
    retriesStatus = !model.retry.onStatus.isEmpty
    isMultiplexed = model.protocol != .h1
    mayFallBack = model.protocol == .auto
    persists = model.persistence != nil
    loggedName = CompiledListener.logged(model.name)
    learnsLatency = model.policy == .peakEWMA
    slots = standings.map(\.slot.index)
    var hash = SipHash(key: (0, 0))
    for standing in standings { hash.update(UInt64(standing.slot.index)) }
    for label in split?.labels ?? [] { hash.update(label.span) }
    layout = hash.finish() | 1
  }

  func index(of slot: BackendSlot) -> Int? { slots.firstIndex(of: slot.index) }

  /// The same for an exchange, which remembers where the backend was.
  @inline(__always) func index(of slot: BackendSlot, near index: Int) -> Int? {
    index < slots.count && slots[index] == slot.index ? index : self.index(of: slot)
  }

  /// Whether a backend has the slot.
  @inline(__always) func contains(_ slot: BackendSlot, near index: Int) -> Bool {
    self.index(of: slot, near: index) != nil
  }
}

/// How a pool keeps clients on their backend.
enum CompiledPersistence: Sendable {
  case none
  case cookie(StickyCookie)
  case source(prefixV4: Int, prefixV6: Int, idle: Int64, maxEntries: Int)
  case header(name: [UInt8], idle: Int64, maxEntries: Int)

  init(pool: Pool, secret: String) {
    switch pool.persistence {
    case nil: self = .none
    case .cookie(let cookie): self = .cookie(StickyCookie(cookie, pool: pool, secret: secret))
    case .source(let v4, let v6, let idle, let maxEntries):
      self = .source(prefixV4: v4, prefixV6: v6, idle: idle.milliseconds, maxEntries: maxEntries)
    case .header(let name, let idle, let maxEntries):
      self = .header(name: Array(name.lowercased().utf8), idle: idle.milliseconds, maxEntries: maxEntries)
    }
  }
}
