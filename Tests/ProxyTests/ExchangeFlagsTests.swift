import Testing

@testable import Proxy

@Suite struct ExchangeFlagsTests {
  @Test func whatIsSampledAndWhatIsUndecidedAreTwoThings() {
    #expect(Exchange.Flags.sampled.isDisjoint(with: .undecided))
    let flags: [Exchange.Flags] = [
      .idempotent, .http10, .clientKeepAlive, .backendKeepAlive, .upgrade, .connect, .headOnly, .replayable,
      .responding,
      .requestDone, .responseDone, .dechunk, .loaded, .retrying, .setCookie, .persistent, .clientToBackendDone,
      .backendToClientDone, .queued, .uploadCut, .expectsContinue, .retriesStatus, .acceptsTrailers, .grpc, .sampled,
      .toBranch, .undecided, .protocolChanged, .wantsFreshConnection,
    ]
    #expect(flags.reduce(into: Exchange.Flags()) { $0.formUnion($1) }.rawValue.nonzeroBitCount == flags.count)
  }
}
