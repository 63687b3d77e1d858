internal import OctaviaModel
internal import Wire

/// Nova, Neutron and Glance over HTTP, with a controller's own credentials.
struct CloudAPI: Sendable {
  enum Service: String, Sendable {
    case compute, network, image
  }

  let cloud: OpenStackClient
  let settings: NovaSettings

  /// A busy service is asked so often before it counts as failed.
  static let tries = 4

  private func base(_ service: Service) async throws -> String {
    let found: String
    if let own = settings.endpoints[service.rawValue] {
      found = own.hasSuffix("/") ? String(own.dropLast()) : own
    } else {
      found = try await cloud.endpoint(service.rawValue, region: settings.region)
    }
    // Catalogues name these two with or without their version.
    switch service {
    case .network: return found.hasSuffix("/v2.0") ? found : "\(found)/v2.0"
    case .image: return found.hasSuffix("/v2") ? found : "\(found)/v2"
    case .compute: return found
    }
  }

  /// - Parameter microversion: of Nova, where a call needs one.
  /// - Returns: an answer below 400, or one of `allowing`.
  @discardableResult func send(
    _ method: String, _ service: Service, _ path: String, _ body: JSON? = nil, allowing: Set<Int> = [],
    microversion: String? = nil
  ) async throws -> (status: Int, document: JSON) {
    let url = "\(try await base(service))/\(path)"
    var headers: [String: String] = [:]
    if let microversion {
      headers["OpenStack-API-Version"] = "compute \(microversion)"
      headers["X-OpenStack-Nova-API-Version"] = microversion
    }
    var attempt = 1
    while true {
      let answer: HTTPAnswer
      do {
        answer = try await cloud.call(method, url, body, headers: headers)
      } catch let failure as StepFailure where failure.isPassing && attempt < Self.tries && method != "POST" {
        // What a POST has done before its connection broke is looked up by whoever repeats the step.
        try await Task.sleep(for: .milliseconds(250 << attempt))
        attempt += 1
        continue
      }
      if answer.status < 400 || allowing.contains(answer.status) {
        return (answer.status, (try? JSON(parsing: answer.body)) ?? .null)
      }
      let wait = answer.headers["retry-after"].flatMap { Int($0) }
      let isBusy = [429, 502, 503, 504].contains(answer.status) || answer.status == 413 && wait != nil
      if isBusy, attempt < Self.tries {
        try await Task.sleep(for: wait.map { .seconds(min(max($0, 0), 30)) } ?? .milliseconds(250 << attempt))
        attempt += 1
        continue
      }
      throw StepFailure(
        "\(service.rawValue): \(method) \(path.prefix { $0 != "?" }): \(answer.status) \(Self.words(answer.body))",
        passing: answer.status == 409)
    }
  }

  /// Each service wraps its message in an object of another name.
  private static func words(_ body: [UInt8]) -> String {
    guard let document = try? JSON(parsing: body) else { return String(decoding: body.prefix(200), as: UTF8.self) }
    for member in document.object?.members ?? [] {
      if let text = member.value["message"].string { return text }
    }
    return document["message"].string ?? ""
  }

  static func query(_ pairs: KeyValuePairs<String, String>) -> String {
    "?"
      + pairs.map { key, value in "\(key)=\(PathSegment.encode(value))" }.joined(separator: "&")
  }
}
