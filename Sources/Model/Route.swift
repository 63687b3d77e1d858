/// A rule of a listener: what it matches and what then happens.
package struct Route: Hashable, Sendable {
  package var name: String?
  package var match: Match
  package var action: Action
  package var requestHeaders: [HeaderEdit] = []
  package var responseHeaders: [HeaderEdit] = []
  package var rewrite: PathRewrite?
  package var timeouts = RouteTimeouts()
  package var retry: RetryPolicy?
  package var mirror: Mirror?

  package init(match: Match = Match(), action: Action) {
    self.match = match
    self.action = action
  }
}

/// All given conditions must hold; none given matches everything.
package struct Match: Hashable, Sendable {
  package enum Host: Hashable, Sendable {
    /// Lower case, without port or trailing dot.
    case exact(String)
    /// "*.example.com", kept as "example.com": one or more labels before it.
    case wildcard(String)
  }

  package enum Path: Hashable, Sendable {
    case exact(String)
    /// Whole segments: "/api" and "/api/" match "/api" and "/api/x", never "/apix".
    case prefix(String)
    /// PCRE2, unanchored unless the pattern says so.
    case regex(String)
  }

  /// A named field's value. `name` is lower case for headers.
  package struct Field: Hashable, Sendable {
    package enum Test: Hashable, Sendable {
      case present, absent
      case exact(String)
      case prefix(String)
      case regex(String)
    }
    package var name: String
    package var test: Test

    package init(name: String, test: Test) {
      self.name = name
      self.test = test
    }
  }

  /// Any of them; empty: every host.
  package var hosts: [Host] = []
  package var path: Path?
  /// Any of them; empty: every method. Case-sensitive (RFC 9110 §9.1).
  package var methods: [String] = []
  package var headers: [Field] = []
  package var query: [Field] = []
  package var cookies: [Field] = []
  /// Any of them; empty: every source.
  package var sources: [IPPrefix] = []
  /// Names that a TLS client asks for (SNI); any of them.
  package var serverNames: [Host] = []
  /// Protocols that a TLS client offers, or what was agreed on (ALPN); any of them.
  package var protocols: [String] = []
  package var clientCertificate: ClientCertificate?

  package init() {}
}

package enum Action: Hashable, Sendable {
  case pool(String)
  /// Shares in proportion to the weights; at least one is positive.
  case split([WeightedPool])
  case redirect(Redirect)
  case respond(FixedResponse)

  /// Those that it leads to.
  package var pools: [String] {
    switch self {
    case .pool(let name): [name]
    case .split(let shares): shares.map(\.pool)
    case .redirect, .respond: []
    }
  }
}

package struct WeightedPool: Hashable, Sendable {
  package var pool: String
  package var weight: Int

  package init(pool: String, weight: Int) {
    self.pool = pool
    self.weight = weight
  }
}

/// Parts that are nil are taken from the request.
package struct Redirect: Hashable, Sendable {
  package var status = 302
  package var scheme: String?
  /// Host, with port when it is not the scheme's.
  package var host: String?
  package var path: String?
  package var keepQuery = true

  package init() {}
}

package struct FixedResponse: Hashable, Sendable {
  package var status: Int
  package var contentType = "text/plain; charset=utf-8"
  package var body = ""

  package init(status: Int) { self.status = status }
}

package enum HeaderEdit: Hashable, Sendable {
  /// Removes all fields of the name, then adds one.
  case set(name: String, value: String)
  case add(name: String, value: String)
  case remove(name: String)
  /// Removes all fields of the name, then adds one with what is known of the client's connection; none where nothing is.
  case setFact(name: String, fact: ConnectionFact)
}

/// What TLS tells of a client, as a field's value.
package enum ConnectionFact: String, Hashable, Sendable, CaseIterable {
  case clientSubject = "client-cert-subject"
  /// SHA-256, lower-case hexadecimal.
  case clientFingerprint = "client-cert-fingerprint"
  case serverName = "sni"
  case version = "tls-version"
  case cipher = "tls-cipher"
}

package enum PathRewrite: Hashable, Sendable {
  /// Replaces what a prefix match matched.
  case prefix(String)
  /// Replaces the whole path; the query stays.
  case path(String)
}

package struct RouteTimeouts: Hashable, Sendable {
  /// From the request's head to the response's end, with all tries; nil: unlimited (a stream may last).
  package var request: Duration?
  /// From sending a try to its response head; nil: the pool's.
  package var perTry: Duration?

  package init() {}
}
