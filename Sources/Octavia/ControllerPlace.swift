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

  package enum List: Sendable {
    /// Existing hosts: name, state, amphora or why not.
    case hosts
    /// Floating addresses: address, VIP, load balancer, trouble.
    case floatingAddresses
  }

  package func list(_ list: List) async throws -> (rows: [[String]], json: String) {
    let answer = try await ask("GET", list == .hosts ? "hosts" : "floating-ips")
    let keys: [[String]] =
      switch list {
      case .hosts: [["name"], ["state"], ["amphora", "reason"]]
      case .floatingAddresses: [["address"], ["vip_address"], ["load_balancer"], ["trouble"]]
      }
    let entries = answer[list == .hosts ? "hosts" : "floating_ips"].array ?? []
    let rows = entries.map { entry in keys.map { $0.lazy.compactMap { entry[$0].string }.first ?? "" } }
    return (rows, answer.text)
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
