package import Model

/// A shared key that messages are authenticated with (TSIG, RFC 8945). The HMAC itself is a driver's.
package struct TransactionSigner: Sendable {
  package let name: Name
  package let algorithm: Name
  /// Bytes of a whole code.
  package let size: Int
  let authenticate: @Sendable ([UInt8]) -> [UInt8]

  package init(
    name: Name, algorithm: TransactionKey.Algorithm, authenticate: @escaping @Sendable ([UInt8]) -> [UInt8]
  ) {
    self.name = name.lowercased
    self.algorithm = Name(algorithm.rawValue) ?? .root
    self.authenticate = authenticate
    size =
      switch algorithm {
      case .sha256: 32
      case .sha384: 48
      case .sha512: 64
      }
  }

  /// The code of a message.
  package func code(_ message: [UInt8]) -> [UInt8] { authenticate(message) }

  /// Bytes that a signature adds to a message.
  var room: Int { name.wire.count + algorithm.wire.count + 26 + size + 6 }
}

/// What the TSIG record of a request says.
struct RequestSignature: Sendable {
  var key: Name
  var algorithm: Name
  var time: UInt64
  var fudge: UInt16
  var code: [UInt8]
  var originalID: UInt16
  /// Where the record begins.
  var start: Int

  /// The last record of a message; nil when it cannot be read.
  init?(_ bytes: Span<UInt8>, start: Int) {
    var position = start
    var array: [UInt8] = []
    array.reserveCapacity(bytes.count)
    for index in bytes.indices { array.append(bytes[index]) }
    guard let key = try? Message.name(array, &position), bytes.count - position >= 10 else { return nil }
    position += 10
    guard let algorithm = try? Message.name(array, &position), bytes.count - position >= 10 else { return nil }
    time = 0
    for index in 0..<6 { time = time << 8 | UInt64(bytes[position + index]) }
    fudge = Query.word(bytes, position + 6)
    let size = Int(Query.word(bytes, position + 8))
    position += 10
    guard bytes.count - position >= size + 6 else { return nil }
    code = Array(array[position..<(position + size)])
    originalID = Query.word(bytes, position + size)
    let other = Int(Query.word(bytes, position + size + 4))
    guard bytes.count == position + size + 6 + other else { return nil }
    self.key = key.lowercased
    self.algorithm = algorithm.lowercased
    self.start = start
  }
}

/// Signs the responses to one signed request: one message, or the many of a transfer (RFC 8945 §5.3.1).
package struct ResponseSigner: Sendable {
  package let key: TransactionSigner
  private var previous: [UInt8]
  private var isFirst = true

  init(_ key: TransactionSigner, request: [UInt8]) {
    self.key = key
    previous = request
  }

  /// Appends the TSIG record; the writer's limit must leave `key.room`.
  package mutating func sign(_ writer: inout MessageWriter, at unixSeconds: UInt32, error: UInt16 = 0) {
    var input: [UInt8] = []
    input += big(UInt16(previous.count)) + previous
    input += writer.message
    let time = big48(UInt64(unixSeconds)) + big(300)
    let other = error == 18 ? big48(UInt64(unixSeconds)) : []
    let variables = TransactionSignature.variables(key, time: time, error: error, other: other)
    // Behind the first message only the time counts.
    input += isFirst ? variables : time
    let code = key.authenticate(input)
    isFirst = false
    previous = code
    TransactionSignature.append(
      key: key.name, algorithm: key.algorithm, time: time, code: code, error: error, other: other, to: &writer)
  }
}

enum TransactionSignature {
  /// RFC 8945 §5: why a request is not taken.
  enum Failure: UInt16, Error { case badSignature = 16, badKey = 17, badTime = 18 }

  static func variables(_ key: TransactionSigner, time: [UInt8], error: UInt16, other: [UInt8]) -> [UInt8] {
    // Class ANY, TTL 0.
    key.name.wire + [0, 255, 0, 0, 0, 0] + key.algorithm.wire + time + big(error) + big(UInt16(other.count)) + other
  }

  /// The request's key when its code is right and its time is near.
  static func check(
    _ request: RequestSignature, _ bytes: Span<UInt8>, keys: [TransactionSigner], at unixSeconds: UInt32
  ) -> (key: TransactionSigner?, failure: Failure?) {
    guard let key = keys.first(where: { $0.name == request.key && $0.algorithm == request.algorithm }) else {
      return (nil, .badKey)
    }
    // What was signed: the message without the TSIG, with the client's own ID.
    var message: [UInt8] = []
    for index in 0..<request.start { message.append(bytes[index]) }
    message[0] = UInt8(request.originalID >> 8)
    message[1] = UInt8(truncatingIfNeeded: request.originalID)
    let additionals = (UInt16(message[10]) << 8 | UInt16(message[11])) &- 1
    message[10] = UInt8(additionals >> 8)
    message[11] = UInt8(truncatingIfNeeded: additionals)
    let time = big48(request.time) + big(request.fudge)
    let expected = key.authenticate(message + variables(key, time: time, error: 0, other: []))
    // §5.2.2.1: a code may be cut, to half at least; §5.2.2: compared in constant time.
    guard request.code.count >= max(10, key.size / 2), request.code.count <= key.size else {
      return (key, .badSignature)
    }
    var difference: UInt8 = 0
    for (mine, theirs) in zip(expected, request.code) { difference |= mine ^ theirs }
    guard difference == 0 else { return (key, .badSignature) }
    let distance =
      request.time > UInt64(unixSeconds)
      ? request.time - UInt64(unixSeconds) : UInt64(unixSeconds) - request.time
    return (key, distance <= UInt64(request.fudge) ? nil : .badTime)
  }

  static func append(
    key: Name, algorithm: Name, time: [UInt8], code: [UInt8], error: UInt16, other: [UInt8],
    to writer: inout MessageWriter
  ) {
    let id: [UInt8] = [writer.bytes[0], writer.bytes[1]]
    let data =
      algorithm.wire + time + big(UInt16(code.count)) + code + id + big(error) + big(UInt16(other.count)) + other
    writer.copy(key.wire)
    writer.copy(big(RecordType.tsig.rawValue) + big(RecordClass.any.rawValue) + [0, 0, 0, 0])
    writer.copy(big(UInt16(data.count)) + data)
    let count = (UInt16(writer.bytes[10]) << 8 | UInt16(writer.bytes[11])) &+ 1
    writer.patch16(at: 10, count)
  }
}

private func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }

private func big48(_ value: UInt64) -> [UInt8] {
  [40, 32, 24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt64($0)) }
}
