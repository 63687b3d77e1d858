/// Why a chunked body is refused; the connection it came on cannot be used further.
package enum ChunkError: Error, Hashable, Sendable, CaseIterable {
  case malformedSize, sizeTooLarge
  case malformedExtension, extensionsTooLarge
  case missingCRLF, bareLF, bareCR
  case malformedTrailer, forbiddenTrailer, trailersTooLarge

  /// The answer when a client sent it; from a backend every case means 502.
  package var status: UInt16 {
    switch self {
    case .trailersTooLarge: 431
    default: 400
    }
  }

  package var reason: StaticString {
    switch self {
    case .malformedSize: "invalid chunk size"
    case .sizeTooLarge: "chunk size too large"
    case .malformedExtension: "invalid chunk extension"
    case .extensionsTooLarge: "chunk extensions too large"
    case .missingCRLF: "chunk longer than its size"
    case .bareLF: "chunk line ends without CR"
    case .bareCR: "CR without LF in a chunk line"
    case .malformedTrailer: "invalid trailer field"
    case .forbiddenTrailer: "field not allowed in trailers"
    case .trailersTooLarge: "trailer section too large"
    }
  }
}
