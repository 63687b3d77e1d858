import Config
import Foundation
import Testing

@Suite struct SecretFileTests {
  private func temporary(_ content: [UInt8]) throws -> URL {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-secret-\(UUID().uuidString)")
    try Data(content).write(to: file)
    return file
  }

  @Test func aRelativePathStartsAtTheFilesDirectory() throws {
    let file = try temporary(Array("0123456789abcdef\r\n".utf8))
    defer { try? FileManager.default.removeItem(at: file) }
    let text = Snippet.root("secret: { file: \(file.lastPathComponent) }\naccess-log: logs/access.log").text
    let base = file.deletingLastPathComponent().path
    let topology = try Config.load(text, file: "f", baseDirectory: base).topology
    #expect(topology.secret == "0123456789abcdef")
    #expect(topology.accessLog == .file("\(base)/logs/access.log"))
  }

  @Test func whatIsNoSmallTextFileIsRefused() throws {
    func reason(_ path: String) -> String? {
      do {
        _ = try SecretFile.read(path)
        return nil
      } catch { return error.reason }
    }
    #expect(reason("/dev/zero") == "not a regular file")
    #expect(reason("/") == "not a regular file")
    #expect(reason("/nowhere/at/all")?.hasPrefix("the file is not there") == true)
    let binary = try temporary([0xff, 0xfe])
    let large = try temporary([UInt8](repeating: 0x61, count: 65_537))
    defer {
      try? FileManager.default.removeItem(at: binary)
      try? FileManager.default.removeItem(at: large)
    }
    #expect(reason(binary.path) == "not UTF-8 text")
    #expect(reason(large.path) == "larger than 64 KiB")
  }
}
