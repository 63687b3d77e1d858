import Health
import Model
import Routing

/// A target's check, made ready to run again and again: patterns compiled, the request written.
struct CheckPlan: Sendable {
  enum Kind: Sendable {
    case tcp(expect: Regex?)
    case http(HTTPExpectation)
    case grpc(GRPCCheck)
    case udp(expect: Regex?)
    case exec(command: [String], environment: [String])
    case agent
    /// Its pattern does not compile: every run fails with this reason.
    case unusable(String)
  }

  var kind: Kind
  /// What is sent first.
  var send: [UInt8] = []
  var timeout: Duration

  var isAgent: Bool { if case .agent = kind { true } else { false } }
  var isDatagram: Bool { if case .udp = kind { true } else { false } }

  init(_ target: ProbeTarget, _ patterns: inout Patterns) {
    switch target.check {
    case .agent(let agent):
      kind = .agent
      send = agent.send
      timeout = agent.timeout
    case .probe(let probe):
      timeout = probe.timeout
      kind = .agent
      do throws(PatternError) {
        (kind, send) = try CheckPlan.ready(probe.kind, target, &patterns)
      } catch {
        kind = .unusable(error.reason)
      }
    }
  }

  private static func ready(
    _ kind: Probe.Kind, _ target: ProbeTarget, _ patterns: inout Patterns
  ) throws(PatternError) -> (Kind, [UInt8]) {
    switch kind {
    case .tcp(let send, let expect): return (.tcp(expect: try patterns.compiled(expect)), send)
    case .udp(let send, let expect): return (.udp(expect: try patterns.compiled(expect)), send)
    case .http(let http):
      let expectation = HTTPExpectation(
        method: http.method, statuses: http.expect, body: try patterns.compiled(http.body))
      return (.http(expectation), request(http, target.address))
    case .grpc(let grpc):
      let check = GRPCCheck(
        service: grpc.service, authority: grpc.authority ?? host(target.address), isSecure: target.tls != nil)
      return (.grpc(check), check.send)
    case .exec(let command):
      let environment = [
        "SLUICE_POOL=\(target.key.pool)", "SLUICE_BACKEND=\(target.key.backend)", "SLUICE_ADDRESS=\(target.address)",
      ]
      return (.exec(command: command, environment: environment), [])
    }
  }

  /// The request as bytes (RFC 9112 §3). A configured User-Agent replaces ours.
  static func request(_ http: HTTPProbe, _ address: SocketAddress) -> [UInt8] {
    var text = "\(http.method) \(http.path) HTTP/1.1\r\nHost: \(http.host ?? host(address))\r\n"
    if !http.headers.contains(where: { $0.name.lowercased() == "user-agent" }) {
      text += "User-Agent: sluice-probe\r\n"
    }
    for field in http.headers { text += "\(field.name): \(field.value)\r\n" }
    // RFC 9110 §8.6: a method that usually has content says that there is none.
    if ["POST", "PUT", "PATCH"].contains(http.method) { text += "Content-Length: 0\r\n" }
    return Array((text + "Connection: close\r\n\r\n").utf8)
  }

  /// RFC 9110 §4.2.1: the default port is left out. A Unix socket has no name that a server knows.
  private static func host(_ address: SocketAddress) -> String {
    guard case .ip(let endpoint) = address else { return "localhost" }
    guard endpoint.port == 80 else { return "\(endpoint)" }
    return endpoint.address.family == .v4 ? "\(endpoint.address)" : "[\(endpoint.address)]"
  }
}

struct PatternError: Error {
  let reason: String
}

/// Compiled patterns by their text: a pool's backends share theirs.
struct Patterns {
  private var known: [String: Regex] = [:]

  mutating func compiled(_ text: String?) throws(PatternError) -> Regex? {
    guard let text else { return nil }
    if let regex = known[text] { return regex }
    do throws(RegexError) {
      let regex = try Regex(text)
      known[text] = regex
      return regex
    } catch {
      throw PatternError(reason: "the pattern \"\(text)\" does not compile: \(error.message)")
    }
  }
}
