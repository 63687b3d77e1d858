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

  /// "1" is said of copies alone: a client that says it is not believed wherever it could be taken for one.
  @Test func whatClientsSayOfCopiesIsDroppedWhereCopiesAre() {
    let mark = Array("x-sluice-mirror".utf8)
    func drops(_ route: Route, _ copied: Set<String> = []) -> Bool {
      CompiledRoute(route, poolRows: [:], dropped: [], copied: copied).requestEdits.removed.contains(mark)
    }
    var route = Route(action: .pool("web"))
    #expect(!drops(route) && !drops(route, ["shadow"]) && drops(route, ["web"]))
    route.mirror = Mirror(pool: "shadow")
    #expect(drops(route))
    let split = Route(action: .split([WeightedPool(pool: "a", weight: 1), WeightedPool(pool: "b", weight: 0)]))
    #expect(!drops(split) && drops(split, ["b"]))
  }

  @Test func poolsWithCopiesAreMirrorsAndPoolsOfCanariesThatBeginWithCopies() {
    var topology = Topology()
    var listener = Listener(
      name: "web", transport: .http, binds: [], routes: [Route(action: .pool("web")), Route(action: .pool("web"))])
    listener.routes[1].mirror = Mirror(pool: "shadow")
    topology.listeners = [listener]
    var world = World(generation: 1, topology: topology, standings: [])
    world.splits = ["canary": VersionSplit("v2", share: 0), "other": VersionSplit("v2", share: 50)]
    #expect(world.poolsWithCopies == ["shadow"])
    world.splits["canary"]?.mirrored = 100
    #expect(world.poolsWithCopies == ["shadow", "canary"])
  }

  /// A body is copied as the first pool gets it, to who takes it so.
  @Test func whatFitsWhere() {
    func fits(_ flags: Exchange.Flags, body: Bool = true, chunked: Bool = false) -> [Bool] {
      [(false, false), (true, false), (true, true)].map { multiplexed, mayFallBack in
        CompiledMirror.fits(
          flags, hasBody: body, chunked: chunked, multiplexed: multiplexed, mayFallBack: mayFallBack)
      }
    }
    // To HTTP/1.1, to HTTP/2, to either.
    #expect(fits([], body: false) == [true, true, true])
    #expect(fits(.toBranch, body: false) == [true, true, true])
    #expect(fits([]) == [true, true, true])
    #expect(fits([], chunked: true) == [true, false, false])
    #expect(fits(.toBranch) == [false, true, false])
    #expect(fits(.toBranch, chunked: true) == [false, true, false])
    #expect(fits(.undecided) == [false, false, false])
    #expect(fits([.grpc, .toBranch]) == [false, true, false])
    #expect(fits(.grpc, body: false) == [false, true, false])
    #expect(fits(.upgrade, body: false) == [false, false, false])
    #expect(fits(.connect, body: false) == [false, false, false])
  }

  @Test func nothingAndAllAreExact() {
    #expect(!taken(0, seed: 1).contains(true))
    #expect(!taken(1, seed: 1).contains(false))
  }
}
