import Health
import Model
import Testing

@Suite struct AgentTests {
  struct Line: Sendable {
    var text: String
    var operational: AgentReport.Operational?
    var administrative: AdministrativeState?
    var weight: Int?
    var maxConnections: Int?
    var comment: String?
  }

  @Test(arguments: [
    Line(text: "up\n", operational: .up),
    Line(text: "UP\r\nignored", operational: .up),
    Line(text: "down # disk is full\n", operational: .down("down"), comment: "disk is full"),
    Line(text: "fail", operational: .down("fail")),
    Line(text: "failed", operational: .down("failed")),
    Line(text: "stopped#", operational: .down("stopped")),
    Line(text: "ready\n", administrative: .ready),
    Line(text: "drain", administrative: .drain),
    Line(text: "maint\n", administrative: .maintenance),
    Line(text: "75%\n", weight: 75),
    Line(text: "0%", weight: 0),
    Line(text: "maxconn:30\n", maxConnections: 30),
    Line(
      text: "ready up 50%, maxconn:12\t# half", operational: .up, administrative: .ready, weight: 50,
      maxConnections: 12, comment: "half"),
    Line(text: ",up,,100%", operational: .up, weight: 100),
  ])
  func wordsAreRead(line: Line) throws {
    let report = try AgentReport(line: Array(line.text.utf8))
    #expect(report.operational == line.operational)
    #expect(report.administrative == line.administrative)
    #expect(report.weight == line.weight)
    #expect(report.maxConnections == line.maxConnections)
    #expect(report.comment == line.comment)
  }

  @Test(arguments: [
    ("", AgentLineError.empty), ("\n", .empty), ("  , \r\n", .empty), ("# only a comment\n", .empty),
    ("upp", .unknownWord("upp")), ("up 50 %", .unknownWord("50")), ("-5%", .unknownWord("-5%")),
    ("%", .unknownWord("%")),
    ("1001%", .unknownWord("1001%")), ("99999999999999999999%", .unknownWord("99999999999999999999%")),
    ("maxconn:", .unknownWord("maxconn:")), ("maxconn:-1", .unknownWord("maxconn:-1")),
    ("HTTP/1.1 200 OK", .unknownWord("http/1.1")),
  ])
  func badLinesSayWhy(text: String, expected: AgentLineError) {
    #expect(throws: expected) { try AgentReport(line: Array(text.utf8)) }
    #expect(!expected.description.isEmpty)
  }

  @Test func bytesThatAreNotTextAreRefused() {
    #expect(throws: AgentLineError.notText) { try AgentReport(line: [0xff, 0xfe, 0x41]) }
  }

  @Test func anyBytesAreAnAnswerOrAnError() {
    var random = TraceRandom(state: 5)
    let alphabet = Array("updownrain 0129%:#,\n\tmaxconn".utf8) + [0, 255]
    for _ in 0..<2000 {
      let line = (0..<random.next(24)).map { _ in alphabet[Int(random.next(UInt64(alphabet.count)))] }
      if let report = try? AgentReport(line: line), let weight = report.weight { #expect((0...1000).contains(weight)) }
    }
  }

  @Test func theAgentAndTheProbeMustAgreeOnUp() throws {
    var machine = BackendHealth(settings(), cold: false, at: epoch)
    #expect(play("+", &machine) == "u")
    var effects: [BackendHealth.Effect] = []
    func say(_ line: String) throws {
      machine.handle(.agent(try AgentReport(line: Array(line.utf8))), at: epoch + .seconds(2), into: &effects)
    }
    try say("stopped # deploying")
    #expect(machine.verdict.state == .down && machine.verdict.reason == "agent: stopped (deploying)")
    #expect(play("+++", &machine, from: epoch + .seconds(3)) == "ddd")
    // A line about something else does not say up.
    try say("40% maxconn:7")
    #expect(machine.verdict.state == .down)
    try say("up")
    #expect(machine.verdict.state == .up)
    #expect(machine.agent.weight == 40 && machine.agent.maxConnections == 7 && machine.agent.administrative == nil)
    try say("drain")
    #expect(machine.verdict.state == .up && machine.agent.administrative == .drain)
    effects = []
    try say("drain")
    #expect(effects.isEmpty)
    machine.forgetAgent(at: epoch + .seconds(9), into: &effects)
    #expect(machine.agent == AgentStanding() && effects == [.agent(AgentStanding())])
  }
}
