import Foundation
import Model
import Testing

@testable import sluice

@Suite struct BackendArgumentTests {
  @Test(arguments: [
    ("web/one", "web", "one", "/v1/backends/web/one"),
    ("web/10.0.0.1:80", "web", "10.0.0.1:80", "/v1/backends/web/10.0.0.1%3A80"),
    ("web/unix:/run/a.sock", "web", "unix:/run/a.sock", "/v1/backends/web/unix%3A%2Frun%2Fa.sock"),
  ])
  func thePoolEndsAtTheFirstSlash(text: String, pool: String, backend: String, path: String) throws {
    let argument = try #require(BackendArgument(argument: text))
    #expect(argument.pool == pool && argument.backend == backend && argument.path == path)
  }

  @Test(arguments: ["web", "/one", "web/", "", "/"])
  func bothPartsAreNeeded(text: String) { #expect(BackendArgument(argument: text) == nil) }
}

@Suite struct ConfigFileTests {
  @Test(arguments: [
    ("a.yaml", "."), ("dir/a.yaml", "dir"), ("/etc/a.yaml", "/etc"), ("/a.yaml", "/"), ("./a.yaml", "."),
  ])
  func relativePathsStartFromTheFilesDirectory(path: String, directory: String) {
    #expect(ConfigFile.directory(of: path) == directory)
  }

  @Test(arguments: [("/nonexistent/a.yaml", "no such file"), ("/tmp", "it is a directory")])
  func aFileThatCannotBeReadIsNamedWithTheReason(path: String, reason: String) {
    #expect { try ConfigFile(source: .path(path)).load() } throws: { error in
      guard let failure = error as? Failure else { return false }
      return failure.code == .badConfig && failure.message.contains(path) && failure.message.contains(reason)
    }
  }
}

@Suite struct DemoTests {
  @Test func theEmbeddedQuickstartIsTheExample() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
      path: "../../Examples/quickstart.yaml")
    #expect(try String(contentsOf: path, encoding: .utf8) == Demo.quickstart)
  }

  @Test func theDemoListensWhereItIsTold() throws {
    let topology = try Demo.topology(port: 18_080, socket: "/tmp/x.sock")
    #expect(topology.listeners[0].binds.map { "\($0.address)" } == ["127.0.0.1:18080"])
    #expect(topology.admin.socket == "/tmp/x.sock")
    #expect(topology.pools[0].backends.map(\.name) == ["one", "two", "slow"])
  }
}

@Suite struct CommandTests {
  @Test(arguments: [
    (["stauts"], "status"), (["dns", "qeury", "x"], "query"), (["rollout", "canray"], "canary"),
    (["controller", "expalin", "lb"], "explain"),
  ])
  func theCommandThatWasMeantIsNamed(words: [String], meant: String) throws {
    #expect(try #require(UnknownCommand.message(words)).hasSuffix("did you mean `\(meant)`?"))
  }

  @Test(arguments: [
    ["status"], ["dns"], ["dns", "query", "quary"], ["drain", "raedy"], ["--help"], ["help", "stauts"], ["explode"],
    ["controller", "hots.yaml"], [],
  ])
  func whatIsKnownOrFarFromEverythingIsLeftToTheParser(words: [String]) {
    #expect(UnknownCommand.message(words) == nil)
  }

  @Test(arguments: [("90", 90), ("0.5", 0.5), ("500ms", 0.5), ("2m", 120), ("0", 0)])
  func secondsAreANumberOrADuration(text: String, count: Double) {
    #expect(Seconds(argument: text)?.count == count)
  }

  @Test(arguments: ["", "-1", "soon", "1.5m", "inf", "nan", "2w"])
  func whatIsNoTimeIsRefused(text: String) { #expect(Seconds(argument: text) == nil) }
}
