import OctaviaModel
import Testing

@Suite struct TreeTests {
  private func body(_ kind: Kind, _ text: String, _ purpose: RequestBody.Purpose = .create) throws -> JSONObject {
    try RequestBody.parse(JSON(parsing: "{\"\(kind.root)\": \(text)}"), kind, purpose)
  }

  private func refusal(_ work: () throws -> Void) -> String? {
    do {
      try work()
      return nil
    } catch let error as APIError {
      return "\(error.status) \(error.body["faultstring"].string ?? error.body["description"].string ?? "")"
    } catch { return "\(error)" }
  }

  @Test func aWholeTreeIsPendingAndThenActive() throws {
    let tree = try Sample.tree()
    #expect(tree.records.filter { $0.kind != .amphora }.allSatisfy { $0.provisioning == .pendingCreate })
    let active = try Sample.active()
    #expect(active.records.filter { $0.kind != .amphora }.allSatisfy { $0.provisioning == .active })
    #expect(active.amphorae.map { $0.text("role") } == ["MASTER", "BACKUP"])
    #expect(active.amphorae.map { $0.number("vrrp_priority") } == [100, 90])
    #expect(active.all(.healthMonitor).first?.operating == .online)
    #expect(active.pools(of: active.all(.listener)[0]).map { $0.text("name") } == ["p", "q"])
  }

  /// What each change locks, and what a locked load balancer answers.
  @Test func changesLockWhatTheyTouch() throws {
    let source = Sample.source
    let start = try Sample.active()
    func id(_ kind: Kind, _ name: String? = nil) -> String {
      start.all(kind).first { name == nil || $0["name"] == .string(name!) }!.id
    }
    let changes: [(Kind, String, [String])] = [
      (.listener, id(.listener), []), (.pool, id(.pool, "q"), [id(.listener)]),
      (.member, id(.member), [id(.listener), id(.pool, "p")]),
      (.healthMonitor, id(.healthMonitor), [id(.listener), id(.pool, "p")]),
      (.policy, id(.policy), [id(.listener)]), (.rule, id(.rule), [id(.listener), id(.policy)]),
    ]
    for (kind, target, touched) in changes {
      var tree = start
      try tree.change(target, body(kind, "{\"admin_state_up\": false}", .update), Sample.deployment, source)
      let pending = Set(tree.records.filter { $0.provisioning == .pendingUpdate && $0.kind != .amphora }.map(\.id))
      #expect(pending == Set([tree.id, target] + touched), "\(kind)")
      #expect(
        refusal { try tree.change(id(.listener), body(.listener, "{}", .update), Sample.deployment, source) }
          == "409 Load Balancer \(tree.id) is immutable and cannot be updated.")
      #expect(
        refusal { try tree.deleteLoadBalancer(cascade: true, source: source) }
          == "409 Invalid state PENDING_UPDATE of loadbalancer resource \(tree.id)")
      tree.settle(source: source)
      #expect(tree.records.allSatisfy { $0.kind == .amphora || $0.provisioning == .active })
      #expect(tree[target]?.isEnabled == false)
    }
  }

  @Test func aFailedChangeIsInErrorAndItsLoadBalancerIsFree() throws {
    var tree = try Sample.active()
    let member = tree.all(.member)[0].id
    try tree.delete(member, source: Sample.source)
    tree.fail(whole: false)
    #expect(tree[member]?.provisioning == .error)
    #expect(tree.loadBalancer.provisioning == .active)
    #expect(tree.all(.listener)[0].provisioning == .active)
    #expect(tree.all(.pool).allSatisfy { $0.provisioning == .active })
  }

  @Test func deletingAPoolThatAPolicyUsesIsRefused() throws {
    var tree = try Sample.active()
    let pool = tree.all(.pool).first { $0["name"] == "q" }!.id
    let policy = tree.all(.policy)[0].id
    #expect(
      refusal { try tree.delete(pool, source: Sample.source) } == "409 Pool \(pool) is in use by L7 policy \(policy)")
  }

  @Test func positionsStayDense() throws {
    var tree = try Sample.active()
    let listener = tree.all(.listener)[0]
    func add(_ name: String, _ position: Int) throws {
      _ = try tree.create(
        .policy,
        body(
          .policy,
          "{\"name\": \"\(name)\", \"action\": \"REJECT\", \"listener_id\": \"\(listener.id)\", \"position\": \(position)}"
        ),
        in: listener, Sample.deployment, Sample.source)
      tree.settle(source: Sample.source)
    }
    try add("first", 1)
    try add("last", 99)
    try add("second", 2)
    #expect(tree.policies(of: listener.id).map { $0.text("name") } == ["first", "second", "", "last"])
    #expect(tree.policies(of: listener.id).map { $0.number("position") } == [1, 2, 3, 4])
    try tree.delete(tree.policies(of: listener.id)[1].id, source: Sample.source)
    tree.settle(source: Sample.source)
    #expect(tree.policies(of: listener.id).map { $0.number("position") } == [1, 2, 3])
  }

  @Test func batchesMatchByAddress() throws {
    var tree = try Sample.active()
    let pool = tree.all(.pool).first { $0["name"] == "p" }!.id
    let old = tree.all(.member).first { $0["address"] == "10.0.0.1" }!.id
    let bodies = try ["10.0.0.1", "10.0.0.3"].map {
      try body(.member, "{\"address\": \"\($0)\", \"protocol_port\": 80, \"weight\": 7}")
    }
    try tree.replaceMembers(of: pool, with: bodies, additive: false, Sample.deployment, Sample.source)
    tree.settle(source: Sample.source)
    #expect(Set(tree.all(.member).map { $0.text("address") }) == ["10.0.0.1", "10.0.0.3"])
    #expect(tree[old]?.number("weight") == 7)
  }

  @Test(arguments: [
    (
      Kind.listener, #"{"protocol": "HTTP"}"#,
      "400 Invalid input for field/attribute protocol_port. Value: 'None'. Mandatory field missing."
    ),
    (
      .listener, #"{"protocol": "X", "protocol_port": 1, "loadbalancer_id": "00000000-0000-4000-8000-00000000aaaa"}"#,
      "400 Invalid input for field/attribute protocol. Value: 'X'. Value should be one of: HTTP, HTTPS, PROMETHEUS, SCTP, TCP, TERMINATED_HTTPS, UDP"
    ),
    (
      .listener,
      #"{"protocol": "HTTP", "protocol_port": 70000, "loadbalancer_id": "00000000-0000-4000-8000-00000000aaaa"}"#,
      "400 Invalid input for field/attribute protocol_port. Value: '70000'. Value should be lower or equal to 65535"
    ),
    (
      .loadBalancer, #"{"admin_state_up": "maybe"}"#,
      "400 Invalid input for field/attribute load_balancer. Value: '{'loadbalancer': {'admin_state_up': 'maybe'}}'. Value not an unambiguous boolean: maybe"
    ),
    (.loadBalancer, #"{"bogus": 1}"#, "400 Unknown attribute for argument load_balancer.loadbalancer: bogus"),
    (
      .loadBalancer, #"{"vip_subnet_id": "x"}"#,
      "400 Invalid input for field/attribute vip_subnet_id. Value: 'x'. Value should be UUID format"
    ),
    (
      .member, #"{"address": "10.0.0.300", "protocol_port": 1}"#,
      "400 Invalid input for field/attribute address. Value: '10.0.0.300'. Value should be IPv4 or IPv6 format"
    ),
  ])
  func bodiesAreRefusedWithTheKnownWords(_ kind: Kind, _ text: String, _ expected: String) {
    #expect(refusal { _ = try body(kind, text) } == expected)
  }

  @Test func listsPageForwardAndBack() throws {
    let rows = (1...5).map {
      JSONObject([("id", .string("\($0)")), ("name", .string("n\($0 % 2)")), ("tags", $0 == 3 ? ["x"] : [])])
    }
    func page(_ query: [(String, String)]) throws -> (String, [JSON]) {
      let page = try ListQuery(query, .loadBalancer).page(rows, url: "u")
      return (page.items.map { $0["id"]!.string! }.joined(), page.links)
    }
    #expect(try page([("limit", "2")]).0 == "12")
    #expect(try page([("limit", "2"), ("marker", "2")]).0 == "34")
    #expect(try page([("limit", "2"), ("marker", "4"), ("page_reverse", "True")]).0 == "23")
    #expect(try page([("sort", "id:desc")]).0 == "54321")
    #expect(try page([("name", "n1")]).0 == "135")
    #expect(try page([("tags", "x")]).0 == "3")
    #expect(try page([("not-tags", "x")]).0 == "1245")
    #expect(try page([("limit", "2")]).1 == [.object(["href": "u?limit=2&marker=2", "rel": "next"])])
    #expect(refusal { _ = try page([("bogus", "1")]) } == "400 One or more arguments are either duplicate or invalid")
    #expect(refusal { _ = try page([("limit", "x")]) } == "400 Supplied pagination limit 'x' is not valid.")
  }
}
