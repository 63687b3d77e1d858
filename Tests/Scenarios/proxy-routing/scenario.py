"""The routing table: every kind of match, every action, thousands of hosts."""

import json

from lib.node import Node
from lib.origin import Origin
from lib.scenario import contains, ensure, equal, proc_status
from lib.wire import Wire, get

HOSTS = 5000

# (answer, target, host, method, headers); an answer of None is the listener's 404.
TABLE = [
    ("host and exact path", "/page", "exact.test", "GET", {}),
    ("host and exact path", "/page?x=1", "exact.test", "GET", {}),
    ("exact host", "/page/", "exact.test", "GET", {}),
    ("exact host", "/", "EXACT.test", "GET", {}),
    ("exact host", "/", "exact.test.", "GET", {}),
    ("exact host", "/", "exact.test:8080", "GET", {}),
    (None, "/", "notexact.test", "GET", {}),
    ("wildcard host", "/", "a.wild.test", "GET", {}),
    ("wildcard host", "/", "a.b.wild.test", "GET", {}),
    (None, "/", "wild.test", "GET", {}),
    (None, "/", "awild.test", "GET", {}),
    ("exact path", "/exact", "x", "GET", {}),
    (None, "/exact/", "x", "GET", {}),
    (None, "/exactly", "x", "GET", {}),
    ("prefix path", "/prefix", "x", "GET", {}),
    ("prefix path", "/prefix/", "x", "GET", {}),
    ("prefix path", "/prefix/a/b?c", "x", "GET", {}),
    ("prefix path", "/prefix?c", "x", "GET", {}),
    (None, "/prefixed", "x", "GET", {}),
    ("regex path", "/v12/item", "x", "GET", {}),
    ("regex path", "/v1/items?x", "x", "GET", {}),
    (None, "/v/items", "x", "GET", {}),
    ("method", "/method", "x", "PUT", {}),
    (None, "/method", "x", "GET", {}),
    (None, "/method", "x", "put", {}),
    ("exact header", "/header", "x", "GET", {"X-Exact": "2", "x-wanted": "1"}),
    ("present header", "/header", "x", "GET", {"x-present": "", "x-wanted": "1"}),
    ("regex header", "/header", "x", "GET", {"x-id": "123", "x-wanted": "1"}),
    (None, "/header", "x", "GET", {"x-id": "12a", "x-wanted": "1"}),
    ("absent header", "/header", "x", "GET", {}),
    ("exact query", "/query?a=b&page=1", "x", "GET", {}),
    ("prefix query", "/query?page=27", "x", "GET", {}),
    (None, "/query?page=3", "x", "GET", {}),
    (None, "/query?xpage=1", "x", "GET", {}),
    ("cookie", "/cookie", "x", "GET", {"cookie": "a=b; beta=yes; c=d"}),
    (None, "/cookie", "x", "GET", {"cookie": "beta=no"}),
    (None, "/cookie", "x", "GET", {"cookie": "xbeta=yes"}),
]


def run(s):
    Origin(s, "one")
    Origin(s, "two")
    hosts = "".join(f"      - {{ match: {{ host: h{i}.many.test }}, respond: {{ status: 200, body: \"{i}\" }} }}\n" for i in range(HOSTS))
    node = Node(s, replace=[("      # many hosts\n", hosts)])
    web = s.port("web")
    for answer, target, host, method, headers in TABLE:
        with s.fact(f"{method} {host}{target} {headers or ''} → {answer or 404}"):
            response = get(web, target, method=method, host=host, headers=headers)
            equal((response.status, response.text), (200, answer)) if answer else equal(response.status, 404, "status")
    with s.fact("source prefixes"):
        equal(get(web, "/source", source="127.0.0.9").text, "source", "answer to 127.0.0.9")
        equal(get(web, "/source", source="127.0.0.1").status, 404, "status for 127.0.0.1")
    actions(s, web)
    many_hosts(s, node)


def actions(s, web):
    with s.fact("redirect with every part"):
        response = get(web, "/old?a=1", host="x.test")
        equal((response.status, response.header("location")), (301, "https://shop.test/new?a=1"), "status and Location")
    with s.fact("redirect that keeps scheme and host, and drops the query"):
        response = get(web, "/drop?a=1", host="x.test:8080")
        equal(response.status, 302, "status")
        ensure(response.header("location") in ("/new", "http://x.test:8080/new"), f"Location {response.header('location')}")
    with s.fact("fixed response, and to HEAD the same without body"), Wire(web) as wire:
        response = wire.exchange(target="/teapot")
        equal((response.status, response.header("content-type"), response.text), (418, "text/x-tea", "short and stout\n"))
        head = wire.exchange("HEAD", "/teapot")
        equal((head.status, head.header("content-length"), head.body), (418, str(len(response.body)), b""))
        posted = wire.exchange("POST", "/teapot", body=b"x" * 100_000)
        equal(posted.status, 418, "status to a POST with a body")
        if posted.header("connection") != "close":
            equal(wire.exchange(target="/teapot").status, 418, "status of the next")
    with s.fact("rewrite of a prefix and of the path"):
        equal(json.loads(get(web, "/api/users?x=1").body)["target"], "/v2/users?x=1", "target")
        equal(json.loads(get(web, "/whole/thing?x=1").body)["target"], "/other?x=1", "target")
    with s.fact("header edits both ways"):
        response = get(web, "/edit", headers=[("X-Team", "mine"), ("X-Many", "client"), ("X-Internal", "secret"), ("X-INTERNAL", "2")])
        headers = [(name.lower(), value) for name, value in json.loads(response.body)["headers"]]
        equal([value for name, value in headers if name == "x-team"], ["shop"], "x-team")
        equal([value for name, value in headers if name == "x-many"], ["client", "sluice"], "x-many")
        equal([value for name, value in headers if name == "x-internal"], [], "x-internal")
        equal(response.all("x-frame"), ["deny"], "x-frame")
        equal(response.all("x-backend"), ["one", "added"], "x-backend")
        equal(response.all("server"), [], "server")
    with s.fact("a route's own timeout: 504, and in time nothing"):
        equal(get(web, "/hasty/100").status, 200, "status in time")
        equal(get(web, "/hasty/1500").status, 504, "status of a late answer")
    with s.fact("a 9:1 split"), Wire(web) as wire:
        answers = [json.loads(wire.exchange(target="/split").body)["backend"] for _ in range(1000)]
        share = answers.count("two") / len(answers)
        s.figure("split 90:10 over 1,000 requests", f"{share:.1%} to the smaller")
        ensure(0.06 < share < 0.14, f"{share:.1%}")
    with s.fact("no route matches: 404 with a plain body"):
        response = get(web, "/nowhere")
        equal(response.status, 404, "status")
        contains(response.header("content-type") or "", "text/plain")


def many_hosts(s, node):
    def ticks(host, count=2000):
        """User time of `count` requests, in clock ticks."""
        with Wire(s.port("hosts")) as wire:
            before = user_ticks(node.pid)
            for _ in range(count):
                wire.exchange(host=host)
            return user_ticks(node.pid) - before

    with s.fact(f"{HOSTS} hosts: each finds its own"):
        for index in (0, 1, HOSTS // 2, HOSTS - 1):
            equal(get(s.port("hosts"), host=f"h{index}.many.test").text, str(index), "answer")
        equal(get(s.port("hosts"), host="other.test").status, 404, "status of another")
    with s.fact("the last of them costs no more than the first"):
        first, last, none = (ticks(host) for host in ("h0.many.test", f"h{HOSTS - 1}.many.test", "none.test"))
        rss = proc_status(node.pid, "VmRSS")
        s.figure(f"{HOSTS} hosts: user ticks per 2,000 requests", f"first {first}", f"last {last}", f"none {none}", f"RSS {rss} KiB")
        ensure(last <= first * 2 + 10, f"first {first}, last {last}")


def user_ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[11])
