/// RFC 9113 §7.
package enum ErrorCode: UInt32, Sendable, BitwiseCopyable {
  case noError = 0
  case protocolError, internalError, flowControlError, settingsTimeout, streamClosed, frameSizeError
  case refusedStream, cancel, compressionError, connectError, enhanceYourCalm, inadequateSecurity, http11Required
}

/// Why a message is malformed (RFC 9113 §8.1.1). It is refused, never repaired.
package enum MessageError: Error, Hashable, Sendable, CaseIterable {
  case listTooLarge, tooManyFields
  case emptyName, malformedName, upperCaseName, malformedValue, blankAroundValue
  case unknownPseudo, repeatedPseudo, latePseudo, pseudoInTrailers, missingPseudo, forbiddenPseudo
  case malformedMethod, malformedScheme, malformedPath, malformedAuthority, malformedStatus, malformedProtocol
  case connectionField, unsupportedTE, hostDiffers, repeatedHost
  case repeatedLength, malformedLength, lengthMismatch
  case forbiddenTrailer, trailersWithoutEnd, switchingProtocols

  /// One line for the log.
  package var reason: StaticString {
    switch self {
    case .listTooLarge: "header list too large"
    case .tooManyFields: "too many header fields"
    case .emptyName: "empty field name"
    case .malformedName: "invalid character in a field name"
    case .upperCaseName: "upper case in a field name"
    case .malformedValue: "invalid character in a field value"
    case .blankAroundValue: "blank at the begin or end of a field value"
    case .unknownPseudo: "unknown pseudo-header"
    case .repeatedPseudo: "repeated pseudo-header"
    case .latePseudo: "pseudo-header behind a field"
    case .pseudoInTrailers: "pseudo-header in trailers"
    case .missingPseudo: "missing pseudo-header"
    case .forbiddenPseudo: "pseudo-header that the method does not have"
    case .malformedMethod: "invalid :method"
    case .malformedScheme: "invalid :scheme"
    case .malformedPath: "invalid :path"
    case .malformedAuthority: "invalid :authority"
    case .malformedStatus: "invalid :status"
    case .malformedProtocol: "invalid :protocol"
    case .connectionField: "connection-specific field"
    case .unsupportedTE: "TE other than trailers"
    case .hostDiffers: "Host differs from :authority"
    case .repeatedHost: "more than one Host field"
    case .repeatedLength: "more than one Content-Length"
    case .malformedLength: "invalid Content-Length"
    case .lengthMismatch: "Content-Length differs from the content"
    case .forbiddenTrailer: "field that is not allowed in trailers"
    case .trailersWithoutEnd: "trailers that do not end the stream"
    case .switchingProtocols: "status 101 does not exist in HTTP/2"
    }
  }

  /// Whether the peer may be answered (with 431) instead of having the stream reset.
  package var isTooLarge: Bool { self == .listTooLarge || self == .tooManyFields }
}
