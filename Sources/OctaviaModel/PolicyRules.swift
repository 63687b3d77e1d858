enum PolicyRules {
  /// Brings a policy into its one form: what its action does not use is null.
  static func normalize(_ policy: inout Record, listener: Record, in tree: Tree) throws(APIError) {
    func refuse(_ text: String) -> APIError { APIError(400, "Invalid L7 Policy arguments: \(text)") }
    switch policy.text("action") {
    case "REJECT":
      policy["redirect_url"] = .null
      policy["redirect_pool_id"] = .null
    case "REDIRECT_TO_URL":
      if policy["redirect_url"].isNull { throw refuse("redirect_url must not be None") }
      policy["redirect_pool_id"] = .null
    case "REDIRECT_TO_POOL":
      if policy["redirect_pool_id"].isNull { throw refuse("redirect_pool_id or redirect_pool must not be None") }
      policy["redirect_url"] = .null
    default:
      if policy["redirect_prefix"].isNull { throw refuse("redirect_prefix must not be None") }
    }
    if !policy["redirect_pool_id"].isNull, !policy["redirect_url"].isNull || !policy["redirect_prefix"].isNull {
      throw refuse("Cannot specify redirect_pool_id and redirect_url or redirect_prefix at the same time")
    }
    if let pool = policy["redirect_pool_id"].string {
      guard let record = tree[.pool, pool] else { throw .notFound("Pool", pool) }
      try ListenerRules.checkPool(record.text("protocol"), listener: listener.text("protocol"))
      policy["action"] = "REDIRECT_TO_POOL"
      policy["redirect_http_code"] = .null
    } else if !policy["redirect_prefix"].isNull || !policy["redirect_url"].isNull {
      policy["action"] = policy["redirect_prefix"].isNull ? "REDIRECT_TO_URL" : "REDIRECT_PREFIX"
      if policy["action"] == "REDIRECT_PREFIX" { policy["redirect_url"] = .null }
      if policy["redirect_http_code"].isNull { policy["redirect_http_code"] = 302 }
    } else {
      policy["redirect_http_code"] = .null
    }
  }
}

enum RuleRules {
  private static func refuse(_ text: String) -> APIError { APIError(400, "Invalid L7 Rule: \(text)") }

  static func check(_ rule: Record, _ deployment: Deployment) throws(APIError) {
    let type = rule.text("type")
    let compare = rule.text("compare_type")
    let key = rule.text("key")
    let value = rule.text("value")
    if value.isEmpty { throw refuse("L7 rule type requires a value") }
    switch type {
    case "HEADER", "COOKIE":
      if key.isEmpty { throw refuse("L7 rule type requires a key") }
      if !isToken(key) { throw APIError(400, "Invalid characters in key") }
      if compare != "REGEX" { try checkText(value, what: type == "HEADER" ? "header value" : "cookie value") }
    case "FILE_TYPE":
      guard ["REGEX", "EQUAL_TO"].contains(compare) else { throw refuse("invalid comparison type for rule type") }
      if compare != "REGEX" { try checkText(value, what: "comparison value") }
    case "SSL_CONN_HAS_CERT", "SSL_VERIFY_RESULT":
      if !key.isEmpty { throw refuse(#"L7rule type \#(type) does not use the "key" field."#) }
      if type == "SSL_CONN_HAS_CERT", value.lowercased() != "true" {
        throw refuse("L7rule value \(value) is not a boolean True string.")
      }
      if type == "SSL_VERIFY_RESULT", !value.allSatisfy(\.isASCIIDigit) {
        throw refuse("L7rule type \(type) needs a int value, which is >= 0")
      }
      if compare != "EQUAL_TO" { throw refuse("L7rule type \(type) only supports the EQUAL_TO compare type.") }
    case "SSL_DN_FIELD":
      if key.isEmpty { throw refuse("L7rule type \(type) needs to specify a key and a value.") }
      if !key.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) {
        throw refuse("Invalid L7rule distinguished name field.")
      }
    default:
      if compare != "REGEX" { try checkText(value, what: "comparison value") }
    }
    if compare == "REGEX", !deployment.isRegex(value) {
      throw APIError(400, "Unable to parse regular expression: \(value)")
    }
  }

  // RFC 9110 section 5.6.2.
  private static func isToken(_ text: String) -> Bool {
    text.utf8.allSatisfy {
      Character(Unicode.Scalar($0)).isASCIIDigit || ("a"..."z").contains(Character(Unicode.Scalar($0 | 0x20)))
        || "!#$%&'*+-.^_`|~".utf8.contains($0)
    }
  }

  private static func checkText(_ text: String, what: String) throws(APIError) {
    let quoted = text.count > 1 && text.hasPrefix("\"") && text.hasSuffix("\"")
    let isValid = text.utf8.allSatisfy { byte in
      (0x21...0x7e).contains(byte) && (quoted || !"\",;\\".utf8.contains(byte)) || (quoted && byte == 0x20)
    }
    if !isValid { throw APIError(400, "Invalid characters in \(what)") }
  }
}
