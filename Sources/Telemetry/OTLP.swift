internal import Model

/// Spans as the JSON of an OTLP/HTTP export request: ExportTraceServiceRequest of opentelemetry-proto 1, with ids in
/// hexadecimal and 64-bit numbers as strings, and attributes named by the semantic conventions for HTTP.
/// Source: "OpenTelemetry Protocol Specification", OTLP/HTTP, JSON Protobuf Encoding.
package enum OTLP {
  /// One request for all of them: two spans each, ours and the one of its backend's part.
  package static func request(_ requests: [TracedRequest], service: String, node: String, version: String) -> String {
    var resource = [attribute("service.name", service), attribute("service.version", version)]
    if !node.isEmpty { resource.append(attribute("service.instance.id", node)) }
    let spans = requests.flatMap { request in
      [server(request)] + (request.lastTry.map { [client(request, $0)] } ?? [])
    }
    return """
      {"resourceSpans":[{"resource":{"attributes":[\(resource.joined(separator: ","))]},\
      "scopeSpans":[{"scope":{"name":"sluice","version":\(quoted(version))},\
      "spans":[\(spans.joined(separator: ","))]}]}]}
      """
  }

  private static func server(_ request: TracedRequest) -> String {
    var attributes = [
      attribute("http.request.method", request.method), attribute("url.path", request.path),
      attribute("server.address", request.host), attribute("client.address", "\(request.client.address)"),
      attribute("client.port", Int(request.client.port)), attribute("sluice.listener", request.listener),
    ]
    if let route = request.route { attributes.append(attribute("http.route", route)) }
    if let pool = request.pool { attributes.append(attribute("sluice.pool", pool)) }
    if let id = request.requestID { attributes.append(attribute("sluice.request_id", id)) }
    if request.ending != "-" { attributes.append(attribute("sluice.reason", request.ending)) }
    // A server's span fails by its own faults only; kind 2 is SPAN_KIND_SERVER.
    return span(
      request, id: request.span, parent: request.context.parent,
      name: "\(request.method) \(request.route ?? request.listener)",
      kind: 2, started: request.started, attributes, isError: request.status >= 500 || request.status == 0)
  }

  private static func client(_ request: TracedRequest, _ last: TracedRequest.Try) -> String {
    var attributes = [
      attribute("http.request.method", request.method), attribute("sluice.backend", last.backend),
      attribute("network.peer.address", "\(last.address)"),
    ]
    if request.tries > 1 { attributes.append(attribute("http.request.resend_count", request.tries - 1)) }
    return span(
      request, id: last.span, parent: request.span, name: request.method, kind: 3, started: last.started, attributes,
      isError: request.status >= 400 || request.status == 0)
  }

  private static func span(
    _ request: TracedRequest, id: UInt64, parent: UInt64, name: String, kind: Int, started: Int64,
    _ attributes: [String], isError: Bool
  ) -> String {
    var attributes = attributes
    if request.status > 0 { attributes.append(attribute("http.response.status_code", request.status)) }
    if isError { attributes.append(attribute("error.type", request.status > 0 ? "\(request.status)" : request.ending)) }
    var fields = ["\"traceId\":\"\(request.context.traceID)\"", "\"spanId\":\"\(TraceContext.hexadecimal(id))\""]
    if parent != 0 { fields.append("\"parentSpanId\":\"\(TraceContext.hexadecimal(parent))\"") }
    if !request.state.isEmpty { fields.append("\"traceState\":\(quoted(request.state))") }
    fields += [
      // The lowest eight bits of the flags are those of traceparent.
      "\"name\":\(quoted(name))", "\"kind\":\(kind)", "\"flags\":1", "\"startTimeUnixNano\":\"\(started)000\"",
      "\"endTimeUnixNano\":\"\(max(request.ended, started))000\"",
      "\"attributes\":[\(attributes.joined(separator: ","))]", "\"status\":{\(isError ? "\"code\":2" : "")}",
    ]
    return "{\(fields.joined(separator: ","))}"
  }

  private static func attribute(_ name: String, _ value: String) -> String {
    "{\"key\":\"\(name)\",\"value\":{\"stringValue\":\(quoted(value))}}"
  }

  private static func attribute(_ name: String, _ value: Int) -> String {
    "{\"key\":\"\(name)\",\"value\":{\"intValue\":\"\(value)\"}}"
  }

  /// Text as a JSON string.
  package static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20:
        result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
