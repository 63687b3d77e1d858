// fuzz: DNS Wire Model
import DNS
import Model
import Wire

/// Any text: a zone, or errors with places. A zone prints as text that reads back as the same zone, and answers for each of its names.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  guard let apex = Name("rich.test") else { return 0 }
  // A file that includes itself must end too; only when it is short, since each of 8 levels reads it again.
  let file = ZoneFile(bytes, file: "f", origin: apex) { _ in bytes.count < 200 ? bytes : nil }
  for diagnostic in file.diagnostics {
    require(diagnostic.place.line >= 1 && diagnostic.place.column >= 1, "an error has a place")
  }
  for placed in file.records {
    let text = placed.record.description
    let again = ZoneFile(Array(text.utf8), file: "f", origin: .root)
    require(again.records.map(\.record) == [placed.record], "a record prints as what it is")
  }
  guard !file.hasErrors, let zone = try? Zone.build(apex: apex, records: file.records).zone else { return 0 }
  var responder = Responder(.init(), seed: 1)
  var writer = MessageWriter()
  let zones = Zones([zone])
  let view = DynamicView(zones.dynamicOwners.map { _ in nil })
  for placed in file.records.prefix(50) {
    guard let query = Message.query(placed.record.name, placed.record.type, udpSize: 1232).encoded() else { continue }
    let outcome = responder.answer(
      query.span, from: .init(IPAddress(192, 0, 2, 1), .tcp), at: .init(now: Instant(nanoseconds: 1), unixSeconds: 1),
      zones: zones, view: view, into: &writer)
    require(outcome == .respond, "a query for a name is answered")
    require((try? Message(writer.message)) != nil, "the answer is well formed")
  }
  return 0
}
