internal import OctaviaModel

/// The answer of a controller to "why", as text.
package struct ExplanationText: Sendable {
  private let document: JSON

  package static func fetch(_ loadBalancer: String, _ place: ControllerPlace) async throws -> ExplanationText {
    ExplanationText(document: try await place.ask("GET", "explain/\(loadBalancer)"))
  }

  package var json: String { document.text }

  package var lines: [String] {
    func text(_ key: String) -> String { document[key].string ?? "" }
    var lines = [
      "\(text("load_balancer")) \(text("name")): \(text("provisioning_status")), \(text("operating_status"))"
    ]
    if let address = document["floating_ip"].string { lines.append("  floating address \(address)") }
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
