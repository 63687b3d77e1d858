import HTTP2
import Testing

@testable import Proxy

/// What a stream's end says (RFC 9113 §7).
@Suite struct ResetCodeTests {
  @Test(arguments: [
    (Ending.clientTimeout, ErrorCode.cancel), (.requestTimeout, .cancel), (.drained, .cancel), (.stopped, .cancel),
    (.clientClosed, .cancel), (.malformedRequest, .protocolError),
    (.backendReset, .internalError), (.backendClosed, .internalError), (.bodyCut, .internalError),
    (.malformedResponse, .internalError), (.responseTimeout, .internalError), (.outOfBuffers, .internalError),
  ])
  func aResponseThatIsCut(_ ending: Ending, _ code: ErrorCode) {
    #expect(ending.resetCode() == code)
  }

  @Test(arguments: [
    (Ending.tunnelIdle, Exchange.Flags.connect, ErrorCode.cancel), (.tunnelIdle, .upgrade, .cancel),
    (.drained, .connect, .cancel), (.stopped, .upgrade, .cancel),
    // RFC 9113 §8.5.
    (.backendReset, .connect, .connectError), (.outOfBuffers, .connect, .connectError),
    // RFC 8441 §5.
    (.backendReset, .upgrade, .cancel),
  ])
  func aTunnelThatEnds(_ ending: Ending, _ flags: Exchange.Flags, _ code: ErrorCode) {
    #expect(ending.resetCode(tunnel: flags) == code)
  }
}
