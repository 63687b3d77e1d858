import Config
import Foundation
import Testing

let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()
let referenceFile = root.appendingPathComponent("Examples/reference.yaml")

/// The schema, the page that explains it and the file that shows it name the same keys.
@Suite struct DocumentationTests {
  @Test func everyKeyIsInTheReferenceFile() throws {
    let text = try String(contentsOf: referenceFile, encoding: .utf8)
    for section in Config.sections {
      for key in section.keys {
        #expect(text.contains("\(key):"), "\(section.name).\(key)")
      }
    }
  }

  @Test func everyKeyHasARowInItsSectionOfTheDocumentation() throws {
    let text = try String(contentsOf: root.appendingPathComponent("Docs/configuration.md"), encoding: .utf8)
    let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }
    // A key of several sections has a row in each.
    let expected = Dictionary(grouping: Config.sections.flatMap(\.keys)) { $0 }.mapValues(\.count)
    for (key, count) in expected {
      #expect(rows.count { $0.hasPrefix("| `\(key)` |") } == count, "\(key)")
    }
  }

  @Test func theDocumentationNamesNoOtherKey() throws {
    let text = try String(contentsOf: root.appendingPathComponent("Docs/configuration.md"), encoding: .utf8)
    let known = Set(Config.sections.flatMap(\.keys))
    for row in text.split(separator: "\n") where row.hasPrefix("| `") {
      let key = row.dropFirst(3).prefix { $0 != "`" }
      #expect(known.contains(String(key)), "\(key)")
    }
  }
}
