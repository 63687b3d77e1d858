import Model
import Testing

@Suite struct LogTemplateTests {
  @Test func fieldsStandBetweenText() throws {
    let template = try LogTemplate("{client} \"{method}\" {{x} {status}")
    #expect(
      template.parts == [
        .field(.client), .text(Array(" \"".utf8)), .field(.method), .text(Array("\" {x} ".utf8)), .field(.status),
      ])
  }

  @Test func everyFieldHasItsName() throws {
    for field in LogField.allCases { #expect(try LogTemplate("{\(field.rawValue)}").parts == [.field(field)]) }
  }

  @Test(arguments: [
    ("{stat}", LogTemplate.Fault.unknownField("stat")), ("{}", .unknownField("")), ("a {", .openBrace),
    ("a\nb", .control), ("{status", .openBrace),
  ])
  func faultsAreNamed(text: String, fault: LogTemplate.Fault) {
    #expect(throws: fault) { try LogTemplate(text) }
  }
}
