import Config
import Foundation
import Model
import OctaviaModel
import Testing

/// What is generated for Sluice's own data plane is a configuration that Sluice takes.
@Suite struct SluiceConfigTests {
  private static let folder = NSTemporaryDirectory() + "sluice-config-tests-\(UUID().uuidString)"

  private static let members =
    #""members": [{"address": "10.0.0.1", "protocol_port": 80, "weight": 0}, {"address": "10.0.0.2", "protocol_port": 81, "backup": true, "monitor_port": 8080}, {"address": "10.0.0.3", "protocol_port": 80, "admin_state_up": false}]"#

  private static func pool(_ more: String = "", proto: String = "HTTP") -> String {
    #"{"name": "p", "protocol": "\#(proto)", "lb_algorithm": "ROUND_ROBIN", \#(members)\#(more)}"#
  }

  private static func listener(_ more: String, proto: String = "HTTP", pool: String? = Self.pool()) -> String {
    let tail = pool.map { #", "default_pool": \#($0)"# } ?? ""
    return #"{"listeners": [{"protocol": "\#(proto)", "protocol_port": 80\#(more)\#(tail)}]}"#
  }

  private static func policy(_ action: String, _ rules: [String]) -> String {
    listener(#", "l7policies": [{\#(action), "rules": [\#(rules.map { "{\($0)}" }.joined(separator: ", "))]}]"#)
  }

  private static func monitor(_ text: String, proto: String = "HTTP") -> String {
    listener(
      "", proto: proto == "HTTP" ? "HTTP" : proto,
      pool: pool(#", "healthmonitor": {"delay": 5, "timeout": 10, "max_retries": 2, \#(text)}"#, proto: proto))
  }

  private static let path = #""type": "PATH", "compare_type": "STARTS_WITH", "value": "/a-b"#

  static let good: [(String, String)] = {
    var all: [(String, String)] = [
      ("nothing at all", "{}"),
      ("a listener without a pool", listener("", pool: nil)),
      ("a TCP listener without a pool", listener("", proto: "TCP", pool: nil)),
      ("a UDP listener without a pool", listener("", proto: "UDP", pool: nil)),
      (
        "a pool without members",
        listener("", pool: #"{"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}"#)
      ),
      ("a disabled pool", listener("", pool: pool(#", "admin_state_up": false"#))),
      ("a disabled listener", listener(#", "admin_state_up": false"#)),
      (
        "TCP",
        listener(#", "connection_limit": 10, "allowed_cidrs": ["10.0.0.0/8"]"#, proto: "TCP", pool: pool(proto: "TCP"))
      ),
      (
        "HTTP pool of a TCP listener",
        listener("", proto: "TCP", pool: pool(#", "session_persistence": {"type": "HTTP_COOKIE"}"#))
      ),
      ("HTTPS", listener("", proto: "HTTPS", pool: pool(proto: "HTTPS"))),
      (
        "UDP",
        listener(
          #", "connection_limit": 10"#, proto: "UDP",
          pool: pool(
            #", "session_persistence": {"type": "SOURCE_IP", "persistence_timeout": 60, "persistence_granularity": "255.255.0.0"}"#,
            proto: "UDP"))
      ),
      (
        "no timeouts",
        listener(
          #", "timeout_client_data": 0, "timeout_member_data": 0, "timeout_member_connect": 0, "timeout_tcp_inspect": 5"#
        )
      ),
      (
        "headers",
        listener(
          #", "insert_headers": {"X-Forwarded-For": "true", "X-Forwarded-Port": "true", "X-Forwarded-Proto": "True"}"#)
      ),
      ("PROXY", listener("", pool: pool(proto: "PROXY"))), ("PROXYV2", listener("", pool: pool(proto: "PROXYV2"))),
      (
        "TLS to members",
        listener(
          "",
          pool: pool(
            #", "tls_enabled": true, "ca_tls_container_ref": "http://b/ca", "tls_container_ref": "http://b/own", "crl_container_ref": "http://b/crl""#
          ))
      ),
      ("TLS to members that nobody checks", listener("", pool: pool(#", "tls_enabled": true"#))),
      (
        "a terminated listener",
        listener(
          #", "default_tls_container_ref": "http://b/web", "sni_container_refs": ["http://b/two"], "client_ca_tls_container_ref": "http://b/ca", "client_authentication": "MANDATORY", "client_crl_container_ref": "http://b/crl", "hsts_max_age": 60, "hsts_preload": true, "insert_headers": {"X-SSL-Client-DN": "true", "X-SSL-Client-Verify": "true", "X-SSL-Client-Has-Cert": "true"}, "l7policies": [{"action": "REJECT", "rules": [{"type": "SSL_CONN_HAS_CERT", "compare_type": "EQUAL_TO", "value": "True", "invert": true}]}]"#,
          proto: "TERMINATED_HTTPS")
      ),
      (
        "two listeners with one pool",
        #"{"listeners": [{"protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": "q"}}, {"protocol": "TCP", "protocol_port": 81, "default_pool": {"name": "q"}}], "pools": [\#(pool(#", "session_persistence": {"type": "APP_COOKIE", "cookie_name": "JSESSIONID"}"#).replacing("\"p\"", with: "\"q\""))]}"#
      ),
      (
        "two ports of one number",
        #"{"listeners": [{"protocol": "TCP", "protocol_port": 53}, {"protocol": "UDP", "protocol_port": 53}]}"#
      ),
    ]
    for (name, text) in [
      ("SOURCE_IP", #"{"type": "SOURCE_IP"}"#), ("HTTP_COOKIE", #"{"type": "HTTP_COOKIE"}"#),
      ("APP_COOKIE", #"{"type": "APP_COOKIE", "cookie_name": "sid"}"#),
    ] { all.append((name, listener("", pool: pool(#", "session_persistence": \#(text)"#)))) }
    for text in [
      #""type": "HTTP", "http_method": "HEAD", "url_path": "/h?x=1", "expected_codes": "200-204", "http_version": 1.1, "domain_name": "a.example.com""#,
      #""type": "HTTP", "expected_codes": "200, 301""#, #""type": "HTTPS""#, #""type": "TCP""#, #""type": "TLS-HELLO""#,
      #""type": "PING""#,
    ] { all.append((text, monitor(text))) }
    all.append(("UDP-CONNECT", monitor(#""type": "UDP-CONNECT""#, proto: "UDP")))
    for action in [
      #""action": "REJECT""#,
      #""action": "REDIRECT_TO_URL", "redirect_url": "https://example.com:8443/a/b", "redirect_http_code": 308"#,
      #""action": "REDIRECT_TO_URL", "redirect_url": "http://example.com""#,
      #""action": "REDIRECT_PREFIX", "redirect_prefix": "https://example.com""#,
      #""action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "r", "protocol": "HTTP", "lb_algorithm": "SOURCE_IP"}"#,
    ] { all.append((action, policy(action, [path + "\""]))) }
    for type in ["PATH", "HOST_NAME", "HEADER", "COOKIE", "FILE_TYPE"] {
      for compare in ["EQUAL_TO", "REGEX", "STARTS_WITH", "ENDS_WITH", "CONTAINS"] {
        if type == "FILE_TYPE", compare != "EQUAL_TO", compare != "REGEX" { continue }
        for invert in [true, false] {
          let key = ["HEADER", "COOKIE"].contains(type) ? #", "key": "X-Key""# : ""
          let value = compare == "REGEX" ? #"(a|b)\\.c"# : (invert ? #"a.b$c|(d]"# : #"\"a b; c\""#)
          let rule =
            #""type": "\#(type)", "compare_type": "\#(compare)", "value": "\#(value)", "invert": \#(invert)\#(key)"#
          all.append(("\(type) \(compare) \(invert)", policy(#""action": "REJECT""#, [rule, path + "\""])))
        }
      }
    }
    return all
  }()

  private static func tree(_ text: String) throws -> Tree {
    guard case .object(var fields) = try JSON(parsing: text) else { throw CancellationError() }
    fields["vip_subnet_id"] = "00000000-0000-4000-8000-00000000aaaa"
    fields["vip_address"] = "10.0.0.9"
    let body = try RequestBody.parse(.object(["loadbalancer": .object(fields)]), .loadBalancer, .create)
    return try Tree(
      create: body, project: "p1", provider: .sluice, topology: .activeStandby, Sample.deployment, Sample.source)
  }

  private static let place = SluiceConfig.Place(
    sockets: "/run/sluice-amphora/0123456789ab", certificates: folder, secret: "0123456789abcdef0123456789abcdef")

  @Test(arguments: good.map(\.0)) func isTaken(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: Self.folder, withIntermediateDirectories: true)
    for file in ["web", "two", "ca", "crl", "own"] {
      try "pem".write(toFile: "\(Self.folder)/\(file).pem", atomically: true, encoding: .utf8)
    }
    let text = try #require(Self.good.first { $0.0 == name }?.1)
    let tree = try Self.tree(text)
    let document = try SluiceConfig.document(tree, Self.place, onlyDatagrams: false)
    do {
      let loaded = try Config.load(document.text, file: "sluice.yaml", baseDirectory: "/")
      let wanted = SluiceConfig.listeners(tree, onlyDatagrams: false)
      #expect(loaded.topology.listeners.map(\.name) == wanted.map(\.id))
    } catch { Issue.record("\(name): \(error.diagnostics.map(\.brief)) in \(document.text)") }
  }

  @Test func refusesWhatItCannotDo() throws {
    for (text, reason) in [
      (Self.listener("", proto: "PROMETHEUS", pool: nil), "PROMETHEUS"),
      (Self.listener(#", "insert_headers": {"X-Real-IP": "true"}"#), "X-Real-IP"),
      (
        Self.policy(#""action": "REDIRECT_TO_URL", "redirect_url": "http://a.example.com/?q=1""#, [Self.path + "\""]),
        "query"
      ),
      (
        Self.policy(#""action": "REDIRECT_PREFIX", "redirect_prefix": "http://a.example.com/x""#, [Self.path + "\""]),
        "path"
      ),
      (
        Self.policy(
          #""action": "REJECT""#,
          (1...5).map {
            #""type": "HEADER", "compare_type": "EQUAL_TO", "key": "k\#($0)", "value": "v", "invert": true"#
          }), "inverted"
      ),
    ] {
      let tree = try Self.tree(text)
      let error = #expect(throws: SluiceConfig.Unsupported.self) {
        try SluiceConfig.document(tree, Self.place, onlyDatagrams: false)
      }
      #expect(error?.description.contains(reason) == true, "\(text)")
    }
  }

  @Test func theAddressOfAPairIsMovedByAConfigurationThatSluiceTakes() throws {
    for vips in [["10.0.0.9"], ["10.0.0.9", "fd00::9"], ["fd00::9", "10.0.0.9"]] {
      var tree = try Sample.active()
      tree.update(tree.id) { record in
        record["vip_address"] = .string(vips[0])
        record["additional_vips"] = .array(vips.dropFirst().map { .object(["ip_address": .string($0)]) })
      }
      for (number, amphora) in tree.amphorae.enumerated() {
        tree.update(amphora.id) {
          $0["vrrp_ip"] = .string(vips[0].contains(":") ? "fd00::\(number + 1)" : "10.0.0.\(number + 1)")
        }
      }
      for amphora in tree.amphorae {
        let document = SluiceVRRP.document(
          tree, of: amphora, interface: "eth1", prefix: 24, interval: .milliseconds(84), sockets: "/run/x",
          secret: String(repeating: "a", count: 64))
        do {
          let vip = try #require(try Config.load(document.text, file: "v", baseDirectory: "/").topology.vips.first)
          #expect((vip.addresses + vip.companions).map { "\($0.address)" } == vips)
          #expect(vip.interval == .milliseconds(80))
          #expect(!vip.preempts)
          #expect(vip.priority == amphora.number("vrrp_priority"))
        } catch let error as ConfigError { Issue.record("\(error.diagnostics.map(\.brief)) in \(document.text)") }
      }
    }
  }
}
