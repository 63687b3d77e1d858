package import Model
import Wire

/// One worker's authoritative server: a query in, a response out, no allocation between.
///
/// UDP, TCP and tests call the same `answer`. What it needs to know of the world
/// (zones, what is well, the time) comes as arguments; what it remembers (round
/// robin, rate limits) is its own, so workers share nothing.
package struct Responder: ~Copyable {
  package struct Settings: Hashable, Sendable {
    /// The largest UDP response, whatever a client offers (DNS flag day 2020).
    package var udpLimit = 1232
    /// What CHAOS TXT version.bind and version.server say; nil: REFUSED.
    package var version: [UInt8]?
    /// What NSID says (RFC 5001); also CHAOS TXT id.server and hostname.bind. nil: nothing.
    package var serverID: [UInt8]?
    package var cookies: ServerCookies?
    package var rateLimit: RateLimiter.Settings?
    /// How many CNAME and DNAME records an answer follows.
    package var maximumChain = 12

    package init() {}
  }

  package enum Transport: Hashable, Sendable, BitwiseCopyable {
    case udp, tcp
    /// TCP under TLS (RFC 7858).
    case tls
  }

  package struct Client: Sendable, BitwiseCopyable {
    package var address: IPAddress
    package var transport: Transport

    package init(_ address: IPAddress, _ transport: Transport) {
      self.address = address
      self.transport = transport
    }
  }

  package struct Moment: Sendable, BitwiseCopyable {
    package var now: Instant
    /// Seconds since 1970, for cookies.
    package var unixSeconds: UInt32

    package init(now: Instant, unixSeconds: UInt32) {
      self.now = now
      self.unixSeconds = unixSeconds
    }
  }

  package enum Outcome: Hashable, Sendable {
    /// The writer holds the response.
    case respond
    /// Nothing is sent.
    case drop(Drop)
    /// Over TCP: send the zone of this index in `Zones.list`, with `ZoneTransfer`.
    case transfer(zone: Int, since: UInt32?)
  }

  package enum Drop: Hashable, Sendable { case notAQuery, rateLimited }

  package private(set) var settings: Settings
  /// The last query, e.g. for counters.
  package internal(set) var query = Query()
  /// The last response's code.
  package private(set) var code = ResponseCode.noError

  var name = LookupName()
  var other = LookupName()
  var random: Random
  var turns: [UInt32] = []
  var response = ResponseState()
  var signatures = SignatureCache()
  private var keys: [TransactionSigner] = []
  /// Signs what answers the last query, if that was signed and its signature right.
  package private(set) var signer: ResponseSigner?
  var limiter: RateLimiter?

  package init(_ settings: Settings, seed: UInt64) {
    self.settings = settings
    random = Random(seed: seed)
    limiter = settings.rateLimit.map { RateLimiter($0, seed: random.next()) }
  }

  /// What counters want to know of the last response.
  package struct Account: Sendable, BitwiseCopyable {
    package var code: ResponseCode
    /// Whether it has TC set.
    package var isTruncated: Bool
    /// Signatures made so far.
    package var signatures: UInt64
  }

  /// PERF: mutating, because the compiler copies a whole responder (600 bytes) for each property that is read from
  /// another module; those copies were 480 of 4,170 instructions of a query.
  package mutating func account() -> Account {
    Account(code: code, isTruncated: response.isTruncated, signatures: signatures.made)
  }

  /// Takes other settings over; rate limits keep their accounts unless they changed.
  package mutating func configure(_ settings: Settings, keys: [TransactionSigner] = []) {
    self.keys = keys
    if settings.rateLimit != self.settings.rateLimit {
      limiter = settings.rateLimit.map { RateLimiter($0, seed: random.next()) }
    }
    self.settings = settings
  }

  /// Answers the query that was last read by a code alone, e.g. a transfer that its client may not have.
  package mutating func decline(
    _ code: ResponseCode, _ bytes: Span<UInt8>, from client: Client, at moment: Moment,
    into writer: inout MessageWriter
  ) -> Outcome {
    finish(code, bytes, client, moment, &writer)
  }

  /// Makes room for round robin's counters; call when a new view comes, so that queries allocate nothing.
  package mutating func prepare(for view: DynamicView) {
    guard turns.count < view.turnCount else { return }
    // Workers begin at different places, or they would walk in step.
    turns += (turns.count..<view.turnCount).map { _ in UInt32(truncatingIfNeeded: random.next()) >> 1 }
  }

  package mutating func answer(
    _ bytes: Span<UInt8>, from client: Client, at moment: Moment, zones: borrowing Zones, view: borrowing DynamicView,
    places: some PlaceSource = NoPlaces(), into writer: inout MessageWriter
  ) -> Outcome {
    response = ResponseState()
    signer = nil
    writer.reset(limit: client.transport == .udp ? 512 : 65_535)
    do {
      try Query.read(bytes, name: &name, into: &query)
    } catch {
      guard error == .malformed else { return .drop(.notAQuery) }
      return finish(.formatError, bytes, client, moment, &writer)
    }
    // Updates are not taken from anybody (RFC 2136 §3.3); a NOTIFY has no secondary zone to refresh here.
    guard query.opcode == 0 else {
      return finish(query.opcode == 5 ? .refused : .notImplemented, bytes, client, moment, &writer)
    }
    begin(bytes, client, &writer)
    guard query.hasQuestion else {
      // RFC 7873 §5.4: a query without a question only asks for a cookie.
      let isCookieRequest = query.extensions?.clientCookie != nil && settings.cookies != nil
      return finish(isCookieRequest ? .noError : .formatError, bytes, client, moment, &writer)
    }
    if let version = query.extensions?.version, version > 0 {
      return finish(.badVersion, bytes, client, moment, &writer)
    }
    if let start = query.signatureStart {
      guard let request = RequestSignature(bytes, start: start) else {
        return finish(.formatError, bytes, client, moment, &writer)
      }
      let (key, failure) = TransactionSignature.check(request, bytes, keys: keys, at: moment.unixSeconds)
      if let failure { return refuse(request, key, failure, bytes, client, moment, &writer) }
      if let key {
        signer = ResponseSigner(key, request: request.code)
        writer.setLimit(writer.limit - key.room)
        response.fullLimit -= key.room
      }
    }

    let code: ResponseCode
    switch query.class {
    case .internet:
      if query.type == .axfr || query.type == .ixfr {
        guard let found = zones.find(name), found.label == 0 else {
          return finish(.notAuthoritative, bytes, client, moment, &writer)
        }
        if client.transport != .udp {
          guard query.type == .axfr || query.knownSerial != nil else {
            return finish(.formatError, bytes, client, moment, &writer)
          }
          return .transfer(zone: found.zone, since: query.type == .ixfr ? query.knownSerial : nil)
        }
        // RFC 5936 §4.2, RFC 1995 §2: a transfer needs TCP; the lone SOA says so to IXFR.
        guard query.type == .ixfr else { return finish(.notImplemented, bytes, client, moment, &writer) }
        query.type = .soa
      }
      // NXNAME is only ever denied (RFC 9824 §3.5).
      if query.type == .opt || query.type == .nxname || query.type.rawValue == 0 {
        return finish(.formatError, bytes, client, moment, &writer)
      }
      if query.type.isMeta, query.type != .any { return finish(.notImplemented, bytes, client, moment, &writer) }
      let wantsSignatures = zones.isSigned && query.extensions?.dnssecOK == true
      if !wantsSignatures, let quick = quick(zones, view, client, places, &writer) {
        code = quick
      } else {
        writer.remember(name, at: 12)
        let plain = resolve(zones, view, client, places, &writer)
        code = wantsSignatures ? sign(plain, zones, at: moment, into: &writer) : plain
      }
    case .chaos: code = chaos(&writer)
    default: code = .refused
    }
    return finish(code, bytes, client, moment, &writer)
  }

  // MARK: Frame

  /// Header and question; the limit leaves room for OPT.
  private mutating func begin(_ bytes: Span<UInt8>, _ client: Client, _ writer: inout MessageWriter) {
    if client.transport == .udp, let extensions = query.extensions {
      writer.setLimit(max(512, min(Int(extensions.udpSize), settings.udpLimit)))
    }
    response.fullLimit = writer.limit
    writer.reserveHeader()
    if query.hasQuestion { writer.copy(bytes, 12, query.questionEnd - 12) }
    writer.setLimit(response.fullLimit - optionsSize())
    response.body = writer.mark
  }

  /// Fills in the header, adds OPT, and asks the rate limiter.
  private mutating func finish(
    _ code: ResponseCode, _ bytes: Span<UInt8>, _ client: Client, _ moment: Moment, _ writer: inout MessageWriter
  ) -> Outcome {
    self.code = code
    var hasExtensions = query.extensions != nil
    if writer.count == 0 {
      // What cannot be read is answered by its header alone: never more bytes than came.
      query.hasQuestion = false
      hasExtensions = false
      response = ResponseState()
      writer.reserveHeader()
      response.fullLimit = writer.limit
      response.body = writer.mark
    }
    let cookie = hasExtensions ? checkedCookie(client, moment) : .none
    if client.transport == .udp, cookie != .valid, limiter != nil {
      let kind: RateLimiter.Kind = code == .nameError ? .negative : code == .noError ? response.kind : .error
      let decision =
        limiter?.decide(client.address, kind, subject: kind == .error ? 0 : response.subject, at: moment.now) ?? .send
      switch decision {
      case .send: break
      case .drop: return .drop(.rateLimited)
      case .truncate:
        if let body = response.body { writer.rollBack(to: body) }
        response.empty()
        response.isTruncated = true
      }
    }
    writer.setLimit(response.fullLimit)
    if hasExtensions { options(code, client, moment, &writer) }
    // QR, opcode and RD of the query, AA, TC.
    var flags: UInt16 = 0x8000 | query.flags & 0x7900 | code.rawValue & 15
    if response.isAuthoritative { flags |= 0x0400 }
    if response.isTruncated { flags |= 0x0200 }
    writer.header(
      query.id, flags, query.hasQuestion ? 1 : 0, response.answers, response.authorities, response.additionals)
    if signer != nil {
      writer.setLimit(writer.limit + (signer?.key.room ?? 0))
      signer?.sign(&writer, at: moment.unixSeconds)
    }
    return .respond
  }

  /// RFC 8945 §5.2: NOTAUTH with the reason in a TSIG record, which only a wrong time lets us sign.
  private mutating func refuse(
    _ request: RequestSignature, _ key: TransactionSigner?, _ failure: TransactionSignature.Failure,
    _ bytes: Span<UInt8>, _ client: Client, _ moment: Moment, _ writer: inout MessageWriter
  ) -> Outcome {
    let room = request.key.wire.count + request.algorithm.wire.count + 32 + 6 + (key?.size ?? 0)
    response.fullLimit -= room
    let outcome = finish(.notAuthoritative, bytes, client, moment, &writer)
    guard outcome == .respond else { return outcome }
    writer.setLimit(writer.limit + room)
    if failure == .badTime, let key {
      var signer = ResponseSigner(key, request: request.code)
      signer.sign(&writer, at: moment.unixSeconds, error: failure.rawValue)
    } else {
      let time = [40, 32, 24, 16, 8, 0].map { UInt8(truncatingIfNeeded: request.time >> UInt64($0)) }
      TransactionSignature.append(
        key: request.key, algorithm: request.algorithm, time: time + [1, 44], code: [], error: failure.rawValue,
        other: [], to: &writer)
    }
    return .respond
  }

  // MARK: EDNS

  private enum CookieState { case none, valid, other }

  private func checkedCookie(_ client: Client, _ moment: Moment) -> CookieState {
    guard let cookies = settings.cookies, let extensions = query.extensions, let own = extensions.clientCookie,
      let server = extensions.serverCookie
    else { return .none }
    let check = cookies.check(client: own, server: server, address: client.address, time: moment.unixSeconds)
    return check == .invalid ? .other : .valid
  }

  private mutating func optionsSize() -> Int {
    guard let extensions = query.extensions else { return 0 }
    var size = 11 + 6
    if extensions.wantsServerID, let id = settings.serverID { size += 4 + id.count }
    if extensions.clientCookie != nil, settings.cookies != nil { size += 28 }
    if let subnet = extensions.subnet { size += 4 + subnet.size }
    return size
  }

  private mutating func options(
    _ code: ResponseCode, _ client: Client, _ moment: Moment, _ writer: inout MessageWriter
  ) {
    guard let extensions = query.extensions else { return }
    let mark = writer.mark
    let flags: UInt16 = (extensions.dnssecOK ? 0x8000 : 0) | (extensions.compactOK ? 0x4000 : 0)
    if !extensions.hasOptions, response.extendedError == nil {
      // PERF: what nearly every response ends with, as a word and three bytes.
      let size = UInt64(UInt16(clamping: settings.udpLimit))
      writer.u64(
        UInt64(RecordType.opt.rawValue) &<< 40 | size &<< 24 | UInt64(code.rawValue >> 4 & 0xff) &<< 16
          | UInt64(flags >> 8))
      writer.u8(UInt8(truncatingIfNeeded: flags))
      writer.u16(0)
      guard !writer.overflowed else { return writer.rollBack(to: mark) }
      response.additionals += 1
      return
    }
    writer.u8(0)
    writer.u16(RecordType.opt.rawValue)
    writer.u16(UInt16(clamping: settings.udpLimit))
    writer.u8(UInt8(truncatingIfNeeded: code.rawValue >> 4))
    writer.u8(0)
    writer.u16(flags)
    let length = writer.count
    writer.u16(0)
    if extensions.wantsServerID, let id = settings.serverID {
      writer.u16(3)
      writer.u16(UInt16(clamping: id.count))
      writer.copy(id)
    }
    if let own = extensions.clientCookie, let cookies = settings.cookies {
      let server = cookies.make(client: own, address: client.address, time: moment.unixSeconds)
      writer.u16(10)
      writer.u16(24)
      writer.u64(own)
      writer.u64(server.0)
      writer.u64(server.1)
    }
    if var subnet = extensions.subnet {
      subnet.scope = response.scope
      subnet.write(into: &writer)
    }
    if let extended = response.extendedError {
      writer.u16(15)
      writer.u16(2)
      writer.u16(extended)
    }
    if extensions.wantsPadding, client.transport == .tls { pad(&writer) }
    guard !writer.overflowed else {
      writer.rollBack(to: mark)
      return
    }
    writer.patch16(at: length, UInt16(writer.count - length - 2))
    response.additionals += 1
  }

  /// RFC 8467 §4.1: responses to blocks of 468 bytes, a signature behind them counted, where they can be read by
  /// nobody else; to no more than a message may have.
  private func pad(_ writer: inout MessageWriter) {
    let block = 468
    let size = writer.count + 4 + (signer?.key.room ?? 0)
    let padding = min((block - size % block) % block, writer.limit - writer.count - 4)
    guard padding >= 0 else { return }
    writer.u16(12)
    writer.u16(UInt16(clamping: padding))
    writer.zeros(padding)
  }

  // MARK: CHAOS

  /// version.bind and its like (RFC 4892), by choice of whoever configures it.
  private mutating func chaos(_ writer: inout MessageWriter) -> ResponseCode {
    guard query.type == .txt || query.type == .any else { return .refused }
    let text: [UInt8]?
    switch name.suffix(0) {
    case ChaosName.versionBind, ChaosName.versionServer: text = settings.version
    case ChaosName.idServer, ChaosName.hostnameBind: text = settings.serverID
    default: text = nil
    }
    guard let text, text.count <= 255 else { return .refused }
    writer.pointer(12)
    writer.u16(RecordType.txt.rawValue)
    writer.u16(RecordClass.chaos.rawValue)
    writer.u32(0)
    writer.u16(UInt16(text.count + 1))
    writer.u8(UInt8(text.count))
    writer.copy(text)
    response.answers = 1
    response.isAuthoritative = true
    return .noError
  }
}

private enum ChaosName {
  static let versionBind = Name(unchecked: [7] + Array("version".utf8) + [4] + Array("bind".utf8) + [0])
  static let versionServer = Name(unchecked: [7] + Array("version".utf8) + [6] + Array("server".utf8) + [0])
  static let idServer = Name(unchecked: [2] + Array("id".utf8) + [6] + Array("server".utf8) + [0])
  static let hostnameBind = Name(unchecked: [8] + Array("hostname".utf8) + [4] + Array("bind".utf8) + [0])
}
