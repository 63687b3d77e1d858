import Model
import Testing
import Wire

@testable import Proxy

@Suite struct CompiledMirrorTests {
  private func taken(_ share: Double, seed: UInt64, of count: Int = 100_000) -> [Bool] {
    var mirror = Mirror(pool: "shadow")
    mirror.share = share
    let compiled = CompiledMirror(mirror, pool: 0)
    var random = Random(seed: seed)
    return (0..<count).map { _ in compiled.takes(&random) }
  }

  @Test(arguments: [0.001, 0.1, 0.5, 0.99])
  func theShareIsMetBySeededChoice(share: Double) {
    let found = taken(share, seed: 7)
    #expect(found == taken(share, seed: 7))
    #expect(found != taken(share, seed: 8))
    // Five standard deviations.
    let deviation = 5 * (share * (1 - share) * 100_000).squareRoot()
    #expect(abs(Double(found.count { $0 }) - share * 100_000) < deviation)
  }

  @Test func nothingAndAllAreExact() {
    #expect(!taken(0, seed: 1).contains(true))
    #expect(!taken(1, seed: 1).contains(false))
  }
}
