/// Why a head is refused.
///
/// `status` is the answer when a client sent it; from a backend every case means 502.
package enum HeadError: Error, Hashable, Sendable, CaseIterable {
  case malformedRequestLine, malformedStatusLine, unknownMethod, unsupportedVersion
  case malformedTarget, targetTooLong, targetForm
  case headTooLarge, tooManyFields
  case bareLF, bareCR, controlCharacter, lineFolding
  case emptyName, malformedName, spaceBeforeColon, missingColon
  case missingHost, repeatedHost, malformedHost
  case lengthAndEncoding, repeatedLength, malformedLength
  case repeatedEncoding, malformedEncoding, unsupportedEncoding, encodingInHTTP10
  case malformedConnection, connectionStripsFraming
  case contentInConnect, expectationFailed

  package var status: UInt16 {
    switch self {
    case .targetTooLong: 414
    case .expectationFailed: 417
    case .headTooLarge, .tooManyFields: 431
    case .unknownMethod, .unsupportedEncoding: 501
    case .unsupportedVersion: 505
    default: 400
    }
  }

  /// One line for the log and the plain body.
  package var reason: StaticString {
    switch self {
    case .malformedRequestLine: "malformed request line"
    case .malformedStatusLine: "malformed status line"
    case .unknownMethod: "method too long"
    case .unsupportedVersion: "HTTP version not supported"
    case .malformedTarget: "invalid character in the request target"
    case .targetTooLong: "request target too long"
    case .targetForm: "request target does not fit the method"
    case .headTooLarge: "header section too large"
    case .tooManyFields: "too many header fields"
    case .bareLF: "line ends without CR"
    case .bareCR: "CR without LF"
    case .controlCharacter: "control character in a field value"
    case .lineFolding: "folded header line"
    case .emptyName: "empty field name"
    case .malformedName: "invalid character in a field name"
    case .spaceBeforeColon: "whitespace before the colon of a field"
    case .missingColon: "header line without a colon"
    case .missingHost: "no Host field"
    case .repeatedHost: "more than one Host field"
    case .malformedHost: "invalid host"
    case .lengthAndEncoding: "both Content-Length and Transfer-Encoding"
    case .repeatedLength: "more than one Content-Length"
    case .malformedLength: "invalid Content-Length"
    case .repeatedEncoding: "more than one Transfer-Encoding"
    case .malformedEncoding: "invalid Transfer-Encoding"
    case .unsupportedEncoding: "transfer coding not supported"
    case .encodingInHTTP10: "Transfer-Encoding in HTTP/1.0"
    case .malformedConnection: "invalid Connection field"
    case .connectionStripsFraming: "Connection names a framing field"
    case .contentInConnect: "CONNECT with content"
    case .expectationFailed: "expectation not supported"
    }
  }
}

/// What a head may cost its reader.
package struct HeadLimits: Hashable, Sendable, BitwiseCopyable {
  /// Start line and fields with the empty line, in bytes.
  package var headBytes: Int
  package var targetBytes: Int
  package var fields: Int

  /// Values outside what the storage holds are clamped: 64 bytes to 1 MiB, at most `FieldTable.capacity` fields.
  package init(headBytes: Int = 16 * 1024, targetBytes: Int = 8 * 1024, fields: Int = 100) {
    self.headBytes = min(max(headBytes, 64), 1 << 20)
    self.targetBytes = min(max(targetBytes, 1), 1 << 20)
    self.fields = min(max(fields, 1), FieldTable.capacity)
  }
}
