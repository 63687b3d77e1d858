internal import Glibc
internal import Model

/// `loadgen http|tcp|bulk|udp|dns ADDRESS:PORT seconds=5 connections=64 …`
struct Options {
  enum Mode: String {
    /// Requests and their responses.
    case http
    /// `size` bytes there and back.
    case tcp
    /// One byte there, then read without end.
    case bulk
    /// Datagrams of `size` bytes there and back.
    case udp
    /// DNS queries for addresses over UDP, with EDNS.
    case dns
  }

  static let usage = """
    usage: loadgen http|tcp|bulk|udp|dns ADDRESS:PORT [seconds=5] [connections=64] [size=64]
                   [rate=REQUESTS_PER_SECOND] [hosts=N paths=M]
      rate     http: due at random moments of this mean rate, whether or not answers have come
      hosts    http: N hosts h0.bench.test … times M paths /p0/x …, in a fixed random order; dns: N names h0.bench.test …
    """

  var mode: Mode
  var target: SocketAddress
  var seconds = 5.0
  var connections = 64
  var size = 64
  /// 0: the next request goes out when the answer is in.
  var rate = 0.0
  var hosts = 1
  var paths = 1

  var isDatagram: Bool { mode == .udp || mode == .dns }

  static func parsed(_ arguments: [String]) -> Options {
    guard let options = Options(arguments.dropFirst()) else {
      print(usage)
      exit(64)
    }
    return options
  }

  private init?(_ arguments: ArraySlice<String>) {
    guard arguments.count >= 2, let mode = Mode(rawValue: arguments[1]), let endpoint = Endpoint(arguments[2]) else {
      return nil
    }
    self.mode = mode
    target = .ip(endpoint)
    for word in arguments.dropFirst(2) {
      let pair = word.split(separator: "=")
      guard pair.count == 2, let number = Double(pair[1]), number > 0 else { return nil }
      switch pair[0] {
      case "seconds": seconds = number
      case "connections": connections = Int(number)
      case "size": size = min(Int(number), 60_000)
      case "rate": rate = number
      case "hosts": hosts = Int(number)
      case "paths": paths = Int(number)
      default: return nil
      }
    }
  }
}
