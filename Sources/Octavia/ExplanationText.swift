internal import OctaviaModel

/// The answer of a controller to "why", as text.
package struct ExplanationText: Sendable {
  private let document: JSON

  package static func fetch(_ loadBalancer: String, url: String) async throws -> ExplanationText {
    let answer = try await HTTPClient().send(
      HTTPCall(method: "GET", url: "\(url)/sluice/explain/\(loadBalancer)", deadline: .seconds(10)))
    guard let document = try? JSON(parsing: answer.body) else { throw StepFailure("the answer is not JSON") }
    guard answer.status == 200 else { throw StepFailure(document["faultstring"].string ?? "status \(answer.status)") }
    return ExplanationText(document: document)
  }

  package var json: String { document.text }

  package var lines: [String] {
    func text(_ key: String) -> String { document[key].string ?? "" }
    var lines = [
      "\(text("load_balancer")) \(text("name")): \(text("provisioning_status")), \(text("operating_status"))"
    ]
    for reason in document["why"].strings { lines.append("  because \(reason)") }
    if document["flow"].object != nil {
      let flow = document["flow"]
      lines.append(
        "  now: \(flow["goal"].string ?? "") (\(flow["direction"].string ?? "")), next: \(flow["to_do"].strings.first ?? "the end")"
      )
    }
    for amphora in document["amphorae"].array ?? [] {
      lines.append(
        "  amphora \(amphora["id"].string ?? "") \(amphora["role"].string ?? "") \(amphora["status"].string ?? ""), last heard \(amphora["last_heard"].string ?? "never")"
      )
    }
    for event in document["events"].array ?? [] {
      lines.append("  \(event["at"].string ?? "")  \(event["text"].string ?? "")")
    }
    return lines
  }
}
