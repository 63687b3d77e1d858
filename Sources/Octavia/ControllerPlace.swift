internal import OctaviaModel

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
    let allowed = path.split(separator: "/", omittingEmptySubsequences: false).map(Self.encoded).joined(separator: "/")
    var call = HTTPCall(method: method, url: "\(url)/sluice/\(allowed)", deadline: .seconds(30))
    if let token { call.headers["X-Auth-Token"] = token }
    if let body {
      call.headers["Content-Type"] = "application/json"
      call.body = Array(body.text.utf8)
    }
    let answer = try await HTTPClient().send(call)
    if answer.status == 204 { return .null }
    guard let document = try? JSON(parsing: answer.body) else { throw StepFailure("the answer is not JSON") }
    guard answer.status == 200 else {
      throw StepFailure(
        document["faultstring"].string ?? document["description"].string ?? "status \(answer.status)")
    }
    return document
  }

  private static func encoded(_ part: Substring) -> String {
    var text = ""
    for byte in part.utf8 {
      let isPlain =
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-._~".utf8.contains(byte)
      text += isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return text
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
