internal import OctaviaModel
internal import Wire

/// A running controller, asked by the command line.
package struct ControllerPlace: Sendable {
  package var url: String
  /// Keystone's, where the controller wants one.
  package var token: String?

  package init(url: String, token: String?) {
    self.url = url
    self.token = token
  }

  func ask(_ method: String, _ path: String, _ body: JSON? = nil) async throws -> JSON {
    let allowed = path.split(separator: "/", omittingEmptySubsequences: false).map { PathSegment.encode(String($0)) }
      .joined(separator: "/")
    var call = HTTPCall(method: method, url: "\(url)/sluice/\(allowed)", json: body, deadline: .seconds(30))
    if let token { call.headers["X-Auth-Token"] = token }
    let answer = try await HTTPClient().send(call)
    if answer.status == 204 { return .null }
    guard let document = try? JSON(parsing: answer.body) else { throw StepFailure("the answer is not JSON") }
    guard answer.status == 200 else {
      throw StepFailure(
        document["faultstring"].string ?? document["description"].string ?? "status \(answer.status)")
    }
    return document
  }

  // MARK: for people

  /// Existing hosts, one a line: name, state, amphora or why not.
  package func hosts() async throws -> [[String]] {
    (try await ask("GET", "hosts")["hosts"].array ?? []).map { host in
      [
        host["name"].string ?? "", host["state"].string ?? "", host["amphora"].string ?? host["reason"].string ?? "",
      ]
    }
  }

  package func floating() async throws -> [[String]] {
    (try await ask("GET", "floating-ips")["floating_ips"].array ?? []).map { row in
      [
        row["address"].string ?? "", row["vip_address"].string ?? "", row["load_balancer"].string ?? "",
        row["trouble"].string ?? "",
      ]
    }
  }

  /// - Returns: the floating address.
  package func associate(_ balancer: String, address: String?, pool: String?) async throws -> String {
    let answer = try await ask(
      "PUT", "floating-ips/\(balancer)",
      .object(["address": .optional(address), "pool": .optional(pool)]))
    return answer["address"].string ?? ""
  }

  package func disassociate(_ balancer: String) async throws { _ = try await ask("DELETE", "floating-ips/\(balancer)") }
}
