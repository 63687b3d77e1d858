internal import Glibc
internal import Model

/// One port and what happens on it: `http:127.0.0.1:9001,size=13,delay=10,width=8`.
struct Service {
  enum Kind: String {
    /// Answers each request head with `size` bytes.
    case http
    /// Sends back what comes.
    case echo
    /// Sends without end, once a first byte has come.
    case pour
    /// Sends back each datagram.
    case udp
  }

  static let usage =
    "usage: responder KIND:ADDRESS[,size=BYTES][,delay=MS[,width=REQUESTS]]…  (KIND: http echo pour udp)"

  var kind: Kind
  var address: SocketAddress
  /// Bytes of an HTTP body.
  var size = 13
  /// Service time in milliseconds: a timer, nobody sleeps.
  var delay: Int64 = 0
  /// Requests that are worked on at once when there is a delay; the others wait in order.
  var width = Int.max

  /// Ends the program with the usage when `text` is no service.
  static func parsed(_ text: String) -> Service {
    guard let service = Service(text) else {
      print("responder: \(text): not understood\n\(usage)")
      exit(64)
    }
    return service
  }

  private init?(_ text: String) {
    let words = text.split(separator: ",")
    guard let first = words.first, let colon = first.firstIndex(of: ":"),
      let kind = Kind(rawValue: String(first[..<colon])),
      let endpoint = Endpoint(String(first[first.index(after: colon)...]))
    else { return nil }
    self.kind = kind
    address = .ip(endpoint)
    for word in words.dropFirst() {
      let pair = word.split(separator: "=")
      guard pair.count == 2, let number = Int(pair[1]), number >= 0 else { return nil }
      switch pair[0] {
      case "size": size = number
      case "delay": delay = Int64(number)
      case "width": width = max(1, number)
      default: return nil
      }
    }
  }
}
