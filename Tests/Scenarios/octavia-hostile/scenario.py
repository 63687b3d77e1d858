"""What a hostile client can send: wrong types in every field, huge and deep and broken JSON, odd numbers, queries and paths.

Every answer is a refusal with a body of the documented form, none is 5xx but where Octavia's own is, nothing is half created, and the controller goes on.
OCTAVIA_HOSTILE=N sends N random bodies beside the tables (2,000), by the seed $SEED.
"""

import http.client
import json
import os
import random
import time

from lib.controller import NETWORK, SUBNET, Controller
from lib.scenario import ensure, equal, wait

COUNT = int(os.environ.get("OCTAVIA_HOSTILE", "2000"))
LIMIT = 120 + COUNT // 50
SEED = int(os.environ.get("SEED", "8"))
SETTINGS = f"""
directory: ${{dir}}/state
compute: noop
api: {{ bind: "127.0.0.1:${{controller}}" }}
networks:
  - {{ id: {NETWORK}, name: net, subnets: [ {{ id: {SUBNET}, name: subnet, cidr: 203.0.113.0/24 }} ] }}
health: {{ bind: "127.0.0.1:${{health}}", key: secret, timeout: 1h }}
"""
ODD = ["", "x" * 300, "x" * 100_000, "\0", "\ud800", "é\u202e", "-1", "1e9", "null", "../../etc/passwd", "' OR 1=1 --", "<b>", "\r\nX: y", 0, -1, 1, 255, 65536, 2**31,
       2**63, 2**64, 10**400, -2**63, 0.5, -0.0, 1e308, True, False, None, [], {}, [None], [[]], [{}], {"a": 1}, ["x"] * 1000, "10.0.0.1", "::1", "999.1.1.1",
       "00000000-0000-0000-0000-000000000000", SUBNET]


def run(s):
    controller = Controller(s, SETTINGS)
    port, random_ = s.port("controller"), random.Random(SEED)
    body = {"loadbalancer": {"name": "lb", "vip_subnet_id": SUBNET, "listeners": [{
        "name": "web", "protocol": "HTTP", "protocol_port": 80,
        "default_pool": {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": [{"address": "192.0.2.1", "protocol_port": 80}],
                         "healthmonitor": {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1}},
        "l7policies": [{"name": "l7", "action": "REDIRECT_TO_URL", "redirect_url": "http://x/", "rules": [{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/"}]}]}]}}
    lb = controller.must("POST", "/v2/lbaas/loadbalancers", body)["loadbalancer"]
    id = lb["id"]
    controller.settled(id)
    listener, pool, policy = lb["listeners"][0]["id"], lb["pools"][0]["id"], lb["listeners"][0]["l7policies"][0]["id"]
    member = controller.get(f"/v2/lbaas/pools/{pool}/members", "members")[0]["id"]
    # Of each kind: where, under which name, and a body that is good.
    kinds = [
        ("POST", "/v2/lbaas/loadbalancers", "loadbalancer", {**body["loadbalancer"], "description": "", "admin_state_up": True, "tags": ["t"], "vip_address": "203.0.113.200",
                                                             "project_id": "p", "provider": "amphora", "vip_network_id": NETWORK, "additional_vips": []}),
        ("PUT", f"/v2/lbaas/loadbalancers/{id}", "loadbalancer", {"name": "lb", "description": "", "admin_state_up": True, "tags": [], "vip_qos_policy_id": None}),
        ("POST", "/v2/lbaas/listeners", "listener", {"loadbalancer_id": id, "protocol": "TCP", "protocol_port": 81, "connection_limit": 5, "insert_headers": {}, "allowed_cidrs": ["10.0.0.0/8"],
                                                     "timeout_client_data": 1, "tags": [], "sni_container_refs": [], "default_pool_id": None, "tls_versions": [], "alpn_protocols": [], "hsts_max_age": 1}),
        ("PUT", f"/v2/lbaas/listeners/{listener}", "listener", {"connection_limit": 5, "insert_headers": {"X-Forwarded-For": "true"}, "timeout_client_data": 1, "allowed_cidrs": [], "default_pool_id": pool}),
        ("POST", "/v2/lbaas/pools", "pool", {"loadbalancer_id": id, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "session_persistence": {"type": "APP_COOKIE", "cookie_name": "c"}, "tls_enabled": False, "tls_ciphers": None}),
        ("PUT", f"/v2/lbaas/pools/{pool}", "pool", {"lb_algorithm": "SOURCE_IP", "session_persistence": {"type": "SOURCE_IP"}, "name": "p", "tags": []}),
        ("POST", f"/v2/lbaas/pools/{pool}/members", "member", {"address": "192.0.2.9", "protocol_port": 80, "weight": 1, "backup": False, "subnet_id": None, "monitor_port": 81, "monitor_address": "192.0.2.9", "tags": []}),
        ("PUT", f"/v2/lbaas/pools/{pool}/members/{member}", "member", {"weight": 3, "backup": True, "name": "m", "monitor_port": 1}),
        ("PUT", f"/v2/lbaas/pools/{pool}/members", "members", [{"address": "192.0.2.3", "protocol_port": 80, "weight": 1}]),
        ("POST", "/v2/lbaas/healthmonitors", "healthmonitor", {"pool_id": pool, "type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1, "url_path": "/", "expected_codes": "200-204", "http_method": "GET", "http_version": 1.1, "domain_name": "x"}),
        ("POST", "/v2/lbaas/l7policies", "l7policy", {"listener_id": listener, "action": "REDIRECT_TO_URL", "redirect_url": "http://x/", "position": 1, "redirect_http_code": 302}),
        ("PUT", f"/v2/lbaas/l7policies/{policy}", "l7policy", {"action": "REJECT", "position": 1, "redirect_prefix": "http://x"}),
        ("POST", f"/v2/lbaas/l7policies/{policy}/rules", "rule", {"type": "HEADER", "compare_type": "REGEX", "key": "k", "value": "(a|b)*c", "invert": False}),
        ("PUT", "/v2/lbaas/quotas/p1", "quota", {"loadbalancer": 1, "listener": -1, "member": None}),
        ("POST", "/v2/lbaas/flavorprofiles", "flavorprofile", {"name": "f", "provider_name": "amphora", "flavor_data": "{\"loadbalancer_topology\": \"SINGLE\"}"}),
        ("POST", "/v2/lbaas/flavors", "flavor", {"name": "f", "flavor_profile_id": SUBNET, "enabled": True}),
        ("POST", "/v2/lbaas/availabilityzoneprofiles", "availability_zone_profile", {"name": "z", "provider_name": "amphora", "availability_zone_data": "{}"}),
    ]
    tally, bad = {}, []

    def ask(method, path, data, note=None):
        status, text = send(port, method, path, data)
        tally[status] = tally.get(status, 0) + 1
        try:
            document = json.loads(text) if text else None
        except ValueError:
            document = text
        form = isinstance(document, dict) and ({"faultcode", "faultstring", "debuginfo"} <= set(document) or {"code", "title", "description"} <= set(document))
        # Octavia's own answer to a body without its one key, word by word.
        if status == 500 and "'UnsetType' object has no attribute" in text:
            return status, document
        if status >= 500 and status != 501 or (status >= 400 and status != 413 and not form):
            bad.append(f"{method} {path} {note or str(data)[:160]!r}: {status} {text[:160]}")
        if status in (200, 201, 202) and method in ("POST", "PUT"):
            settle(document)
        return status, document

    def settle(document):
        """What was taken is finished, so that the next body meets an ACTIVE load balancer; whole new ones are removed."""
        for found in [document.get("loadbalancer")] if isinstance(document, dict) and "loadbalancer" in document else []:
            if found["id"] != id:
                controller.settled(found["id"])
                controller.must("DELETE", f"/v2/lbaas/loadbalancers/{found['id']}?cascade=true")
        wait(lambda: controller.get(f"/v2/lbaas/loadbalancers/{id}", "loadbalancer")["provisioning_status"] == "ACTIVE", "ACTIVE again", 10, 0.005)

    with s.fact("no field of any body takes what it should not"):
        for method, path, name, good in kinds:
            for fields in [good] if isinstance(good, dict) else good:
                for field in fields:
                    for odd in random_.sample(ODD, 10):
                        changed = {**fields, field: odd}
                        ask(method, path, encode({name: changed if isinstance(good, dict) else [changed]}), f"{field} = {str(odd)[:40]!r}")
        equal(bad[:5], [])
    with s.fact("bodies that are no objects, deep, huge, cut off or of broken UTF-8"):
        odd = [b"", b"null", b"[]", b"1", b"\"x\"", b"{", b"{}", b"{\"a\"", b"{}{}", b"\xff\xfe", b"{\"loadbalancer\": \"\xc3\x28\"}", b"[" * 200_000, b"{\"a\":" * 200_000,
               b"[" * 200_000 + b"]" * 200_000, b"{\"loadbalancer\": {\"name\": \"" + b"\\ud800" * 50 + b"\"}}", b"\"" + b"\\u0000" * 1000, b"1" * 500_000, b"-", b"1e999999", b"{\"a\": 01}",
               b"{\"loadbalancer\": {\"name\": \"a\", \"name\": \"b\"}}", b" " * 1_000_000, b"\xef\xbb\xbf{}", b"NaN", b"{\"x\": Infinity}", b"{\"loadbalancer\": null}", b"x" * 9_000_000]
        for method, path, name, _ in kinds:
            for data in odd:
                ask(method, path, data)
            for inner in (None, [], "x", 1, {}, {"unknown": 1}, [{}], [None], [1]):
                ask(method, path, encode({name: inner}))
        equal(bad[:5], [])
    with s.fact("batches: twice the same member, thousands, and both ways of bad ones"):
        path = f"/v2/lbaas/pools/{pool}/members"
        before = controller.get(path, "members")
        twin = {"address": "192.0.2.7", "protocol_port": 80}
        equal(ask("PUT", path, encode({"members": [twin, twin]}))[0] in (202, 400), True, "twins")
        settle({})
        ask("PUT", path, encode({"members": [twin, {"address": "nonsense", "protocol_port": 80}]}))
        found = [(m["address"], m["protocol_port"]) for m in controller.get(path, "members")]
        equal(len(found), len(set(found)), f"members and places {found}")
        begin = time.monotonic()
        ask("PUT", path, encode({"members": [{"address": f"192.0.{n >> 8}.{n & 255}", "protocol_port": 80} for n in range(3000)]}))
        s.figure("a batch of 3,000 members", f"{time.monotonic() - begin:.2f} s")
        ask("PUT", path, encode({"members": [{"address": m["address"], "protocol_port": m["protocol_port"]} for m in before]}))
        equal(bad[:5], [])
    with s.fact("queries and paths"):
        for query in ("limit=-5", "limit=abc", "limit=99999999999999999999", "marker=x", "marker=%00", "sort=x:asc", "sort=name:up", "sort_key=id&sort_dir=x", "fields=x", "fields=", "x=y", "name=%ff%fe",
                      "name=%", "name=%zz", "page_reverse=maybe", "tags=" + "a," * 5000, "project_id=%27", "admin_state_up=x", "vip_address=x", "&&&==", "limit=1&limit=2", "created_at=x", "a" * 6000):
            for collection in ("loadbalancers", "listeners", "pools", "healthmonitors", "l7policies", "flavors", "quotas", f"pools/{pool}/members"):
                ask("GET", f"/v2/lbaas/{collection}?{query}", None)
        for path in ("//", "/v2/lbaas/loadbalancers/%00", "/v2/lbaas/loadbalancers/" + "x" * 3000, "/v2/lbaas/loadbalancers/..%2f..%2fetc", "/v2/lbaas/loadbalancers/%ff", "/v2/lbaas/x", "/v3", "/v2.0/lbaas/pools/x/members/y/z",
                     "/sluice/explain/%00", "/sluice/explain/..", "/sluice/x", "/sluice/floating-ips/x", f"/sluice/floating-ips/{id}", "/v2/octavia/amphorae/x", "/v2/octavia/amphorae/x/stats"):
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
                if not (method in ("PUT", "DELETE") and path.endswith(id)):
                    ask(method, path, b"{}" if method in ("POST", "PUT") else None)
        equal(ask("PUT", f"/sluice/floating-ips/{id}", b"{\"address\": 5}")[0], 501)
        equal(bad[:5], [])
    with s.fact(f"{COUNT} random bodies"):
        for _ in range(COUNT):
            method, path, name, good = random_.choice(kinds)
            ask(method, path, mangle(random_, encode({name: mutate(random_, good)})))
        equal(bad[:5], [])
    with s.fact("nothing is half made, and the controller is as it was"):
        controller.settled(id)
        equal([lb["id"] for lb in controller.get("/v2/lbaas/loadbalancers", "loadbalancers")], [id], "load balancers")
        tree = controller.get(f"/v2/lbaas/loadbalancers/{id}/status", "statuses")
        ensure("PENDING" not in json.dumps(tree), "nothing is pending")
        equal(controller.call("DELETE", f"/v2/lbaas/loadbalancers/{id}?cascade=true")[0], 204)
        wait(lambda: controller.get("/v2/lbaas/loadbalancers", "loadbalancers") == [], "all is gone", 10)
        for collection in ("listeners", "pools", "healthmonitors", "l7policies"):
            equal(controller.get(f"/v2/lbaas/{collection}", collection), [], collection)
    s.figure("answers", ", ".join(f"{count} of {status}" for status, count in sorted(tally.items())), f"{controller.process.rss() / 1024:.0f} MiB resident")


def encode(document):
    return json.dumps(document).encode("utf-8", "surrogatepass")


def mutate(random_, value):
    """One place of a document is something else."""
    if random_.random() < 0.2 or not isinstance(value, (dict, list)) or not value:
        return random_.choice(ODD)
    copy = dict(value) if isinstance(value, dict) else list(value)
    key = random_.choice(list(copy)) if isinstance(copy, dict) else random_.randrange(len(copy))
    copy[key] = mutate(random_, copy[key])
    return copy


def mangle(random_, data):
    if random_.random() < 0.7 or not data:
        return data
    data = bytearray(data)
    for _ in range(random_.randrange(1, 4)):
        place = random_.randrange(len(data))
        data[place:place + random_.randrange(3)] = random_.choice([b"", b"\0", b"\xff", b"[", b"}", b"\"", b"9" * 30, b"\\", b"-", b","])
        if not data:
            break
    return bytes(data)


_connection = None


def send(port, method, path, data):
    """Over one connection, for as long as it lasts."""
    global _connection
    for attempt in range(2):
        if _connection is None:
            _connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            _connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = _connection.getresponse()
            text = answer.read()
            if answer.will_close:
                _connection.close()
                _connection = None
            return answer.status, text.decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            _connection.close()
            _connection = None
            if attempt:
                # Closed while a body above the limit was on its way.
                if data is not None and len(data) > 8 << 20:
                    return 413, ""
                raise
