"""Two sites, a node in each: clients get a cookie of their site and are passed on to it while it is well; nothing goes in circles.
Then a third node: what one operator or enough observers say moves the clients of all."""

import hashlib
import json
import socket
import subprocess
from types import SimpleNamespace

from lib.node import Node
from lib.origin import Origin
from lib.scenario import contains, ensure, equal, wait
from lib.wire import get

LIMIT = 60
SITES = {"eu-1": "us-1", "us-1": "eu-1"}


class Site:
    def __init__(self, s, name):
        self.name = name
        self.origin = Origin(s, f"origin-{name}")
        s.port("shut")
        s.port("silent")
        self.node = Node(s, name=name, replace=[("NAME", name), ("OTHER", SITES[name])])
        self.node.socket = s.path(f"{name}.sock")

    def dns(self):
        return {site["name"]: site["state"] for site in self.node.api("GET", "/v1/dns")[1]["sites"]}

    def counts(self):
        return next(one for one in self.node.status()["listeners"] if one["name"] == "web")["sites"]


def run(s):
    sites = {name: Site(s, name) for name in SITES}
    eu, us = sites["eu-1"], sites["us-1"]
    for site in sites.values():
        site.node.wait_verdict("other", "front", "up")
        wait(lambda: site.dns()["eu-1"] == site.dns()["us-1"] == "up", f"{site.name} sees both sites up")
    first_time(s, eu, us)
    passed_on(s, eu, us)
    circles(s, eu, us)
    told(s, eu, us)
    drained(s, eu, us)
    unreached(s, eu, us)
    dead(s, eu, us)
    together(s)


class Answer:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        lines = head.split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.cookies = [line.split(": ", 1)[1] for line in lines if line.lower().startswith("set-cookie:")]
        self.answered = [line.split(": ", 1)[1] for line in lines if line.lower().startswith("x-answered:")]


def curl(s, site, path="/", cookie=None, jar=None, listener="web", h2=False, *more):
    words = ["curl", "-s", "-i", "-m", "5", "--http2-prior-knowledge" if h2 else "--http1.1"]
    words += ["-b", f"site={cookie}"] if cookie else []
    words += ["-b", s.path(jar), "-c", s.path(jar)] if jar else []
    words += [*more, f"http://127.0.0.1:{s.port(f'{listener}-{site.name}')}{path}"]
    done = subprocess.run(list(map(str, words)), capture_output=True, timeout=10)
    equal(done.returncode, 0, f"curl: {done.stderr}")
    return Answer(done.stdout.decode())


def where(eu, us, ask):
    """The answer, and the request as that origin saw it that got exactly this one."""
    before = {site.name: len(site.origin.requests) for site in (eu, us)}
    answer = ask()
    seen = [(site.name, one) for site in (eu, us) for one in site.origin.requests[before[site.name]:]]
    equal(len(seen), 1, f"requests at origins ({answer.status})")
    return answer, *seen[0]


def first_time(s, eu, us):
    with s.fact("a first-time client gets the cookie of the site that it came to, and keeps it"):
        answer, at, _ = where(eu, us, lambda: curl(s, eu, jar="jar"))
        equal((answer.status, at), (200, "eu-1"), "answer")
        equal(answer.cookies, ["site=eu-1; Path=/; HttpOnly; Max-Age=3600; SameSite=Lax"], "cookie")
        answer, at, _ = where(eu, us, lambda: curl(s, eu, jar="jar"))
        equal((answer.status, at, answer.cookies), (200, "eu-1", []), "second answer")
    with s.fact("an unknown value is ignored and set anew"):
        for value in ("mars", "us-11", "EU-1", '"us-1"'):
            answer, at, _ = where(eu, us, lambda: curl(s, eu, cookie=value))
            equal((at, [cookie.split(";")[0] for cookie in answer.cookies]), ("eu-1", ["site=eu-1"]), value)


def passed_on(s, eu, us):
    for h2 in (False, True):
        with s.fact(f"a client that was resolved to the wrong site is served by its own ({'h2' if h2 else 'h1'})"):
            answer, at, seen = where(eu, us, lambda: curl(s, us, jar="jar", h2=h2))
            equal((answer.status, at, answer.cookies), (200, "eu-1", []), "answer")
            equal(seen.header("x-sluice-site"), None, "the mark at the origin")
    with s.fact("the other site's rewrites and edits are made once, by it; bodies go along"):
        answer, at, seen = where(eu, us, lambda: curl(s, us, "/api/x", "eu-1", None, "web", False, "-d", "b" * 20000))
        equal((at, seen.target, seen.all("x-here"), answer.answered), ("eu-1", "/from-eu-1/x", ["eu-1"], ["eu-1"]), "request")
        equal((seen.method, seen.body), ("POST", b"b" * 20000), "body")
    with s.fact("retries are the pool's: the second door is open, and the site there knows no such name"):
        for _ in range(4):
            answer, at, _ = where(eu, us, lambda: curl(s, eu, cookie="ap-1"))
            equal((answer.status, at, answer.cookies), (200, "us-1", []), "answer")
        ensure(eu.node.backend("far", "shut")["connectFailures"] > 0, "the shut door was tried")


def circles(s, eu, us):
    with s.fact("a request that was passed on is not passed on again, and its cookie stays"):
        before = eu.counts()
        answer, at, seen = where(eu, us, lambda: curl(s, eu, "/", "us-1", None, "web", False, "-H", "X-Sluice-Site: us-1"))
        equal((answer.status, at, answer.cookies, seen.header("x-sluice-site")), (200, "eu-1", [], None), "answer")
        equal(eu.counts(), before, "counts")
    for h2 in (False, True):
        with s.fact(f"a site that leads to itself is gone to once ({'h2' if h2 else 'h1'})"):
            answer, at, _ = where(eu, us, lambda: curl(s, eu, "/", "ap-1", None, "ring", h2))
            equal((answer.status, at), (200, "eu-1"), "answer")
            wait(lambda: next(one for one in eu.node.status()["listeners"] if one["name"] == "ring")["sites"]["ap-1"]["forwarded"] == 1 + h2, "it is counted")


def told(s, eu, us):
    with s.fact("counted, logged and explained"):
        counts = wait(lambda: us.counts()["eu-1"]["forwarded"] == 3 and us.counts(), "3 were passed on from us-1")
        equal(counts["eu-1"]["kept"], 0, "kept")
        text = get(s.port("metrics-us-1"), "/metrics").text
        contains(text, 'sluice_listener_site_forwarded_total{listener="web",site="eu-1"} 3')
        entries = wait(lambda: [one for one in us.node.access_log("access-us-1.log") if one.get("site_deed") == "forwarded"], "a line")
        equal({(one["site"], one["pool"], one["status"]) for one in entries}, {("eu-1", "other", 200)}, "log of us-1")
        wait(lambda: {one.get("site_deed") for one in eu.node.access_log("access-eu-1.log")} >= {"bound", "own", "received"}, "deeds of eu-1")
        url = f"http://127.0.0.1:{s.port('web-us-1')}/"
        for header, words, pool in (("Cookie: site=eu-1", "passed on to eu-1", "other"), ("Cookie: a=b", "bound to this site", "web"),
                                    ("X-Sluice-Site: eu-1", "another site has passed it on", "web")):
            found = json.loads(us.node.must("explain", "GET", url, "-H", header, "--json"))
            contains(found["site"], words)
            equal(found["pool"], pool, header)
        contains(us.node.must("explain", "GET", url, "-H", "Cookie: site=eu-1"), "passed on to eu-1")


def drained(s, eu, us):
    with s.fact("a site that is drained gets nobody: its clients are served here and bound anew; then it has them again"):
        eu.node.must("dns", "site", "drain", "us-1")
        answer, at, _ = where(eu, us, lambda: curl(s, eu, cookie="us-1"))
        equal((at, [cookie.split(";")[0] for cookie in answer.cookies]), ("eu-1", ["site=eu-1"]), "answer")
        url = f"http://127.0.0.1:{s.port('web-eu-1')}/"
        contains(json.loads(eu.node.must("explain", "GET", url, "-H", "Cookie: site=us-1", "--json"))["site"], "drained by an operator")
        eu.node.must("dns", "site", "ready", "us-1")
        _, at, _ = where(eu, us, lambda: curl(s, eu, cookie="us-1"))
        equal(at, "us-1", "site")
    with s.fact("nobody is bound to a site that is drained itself"):
        eu.node.must("dns", "site", "drain", "eu-1")
        answer, at, _ = where(eu, us, lambda: curl(s, eu))
        equal((answer.status, at, answer.cookies), (200, "eu-1", []), "answer")
        eu.node.must("dns", "site", "ready", "eu-1")


def unreached(s, eu, us):
    """Nobody has noticed yet that these sites are dead: sa-1 refuses, af-1 is silent."""
    for h2, gone in ((False, "sa-1"), (True, "sa-1"), (False, "sa-2"), (True, "sa-2")):
        version = f"{'h2' if h2 else 'h1'} to {'h2' if gone == 'sa-2' else 'h1'}"
        with s.fact(f"a site that refuses connections costs its clients nothing: they are served here and bound anew ({version})"):
            answer, at, seen = where(eu, us, lambda: curl(s, eu, "/a//b?c", gone, h2=h2))
            equal((answer.status, at, [one.split(";")[0] for one in answer.cookies]), (200, "eu-1", ["site=eu-1"]), "answer")
            equal((seen.target, seen.all("x-forwarded-for"), seen.header("x-sluice-site")), ("/a/b?c", ["127.0.0.1"], None), "request")
        with s.fact(f"the route's edits and rewrites are those of here, and the body is whole ({version})"):
            for more in (["-d", "b" * 20_000], ["-d", "b" * 20_000, "-H", "Transfer-Encoding: chunked"], ["--data-binary", f"@{large(s)}"]):
                answer, at, seen = where(eu, us, lambda: curl(s, eu, "/api/x", gone, None, "web", h2, *more))
                equal((answer.status, at, seen.target, seen.all("x-here"), answer.answered),
                      (200, "eu-1", "/from-eu-1/x", ["eu-1"], ["eu-1"]), "request")
                size = 400_000 if "@" in more[1] else 20_000
                equal((seen.length, seen.sha256), (size, hashlib.sha256(b"b" * size).hexdigest()), "body")
    with s.fact("requests that follow each other on a connection are all answered"):
        with socket.create_connection(("127.0.0.1", s.port("web-eu-1")), timeout=5) as client:
            heads = [f"POST /{n} HTTP/1.1\r\nHost: a\r\nCookie: site=sa-1\r\nContent-Length: 3\r\n\r\nb{n:02}" for n in range(4)]
            client.sendall("".join(heads).encode())
            got = b""
            while got.count(b"HTTP/1.1 200") < 4:
                piece = client.recv(65536)
                ensure(piece, f"the connection ended after {got.decode()}")
                got += piece
        equal([one.body for one in eu.origin.requests[-4:]], [b"b00", b"b01", b"b02", b"b03"], "bodies")
    with s.fact("the same for one that is silent, after the pool's time to connect"):
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", s.port("silent")))
            listener.listen(0)
            for filler in (first, second):          # a full backlog drops who comes
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", s.port("silent")))
            answer, at, _ = where(eu, us, lambda: curl(s, eu, cookie="af-1"))
            equal((answer.status, at, [one.split(";")[0] for one in answer.cookies]), (200, "eu-1", ["site=eu-1"]), "answer")
    with s.fact("it is counted both as passed on and as kept, and logged as unwell"):
        counts = wait(lambda: eu.counts()["af-1"]["kept"] == 1 and eu.counts(), "counts")
        equal([(counts[site]["forwarded"], counts[site]["kept"]) for site in ("sa-1", "sa-2", "af-1")], [(12, 12), (8, 8), (1, 1)], "passed on, and kept")
        wait(lambda: {(one["site_deed"], one["pool"], one["status"]) for one in eu.node.access_log("access-eu-1.log")
                      if one.get("site") in ("sa-1", "sa-2", "af-1")} == {("unwell", "web", 200)}, "lines")


def large(s):
    path = s.path("large")
    path.write_bytes(b"b" * 400_000)
    return path


def dead(s, eu, us):
    with s.fact("a site that is dead gets nobody once it is known, and has its clients again when it is back"):
        us.node.process.kill()
        eu.node.wait_verdict("other", "front", "down")
        answer, at, _ = where(eu, us, lambda: curl(s, eu, cookie="us-1"))
        equal((at, [cookie.split(";")[0] for cookie in answer.cookies]), ("eu-1", ["site=eu-1"]), "answer")
        kept = eu.counts()["us-1"]
        equal(kept["kept"], 2, "kept, with the drain")
        s.figure("passed on by eu-1 to us-1", kept["forwarded"], f"served here instead: {kept['kept']}")
        us.node = Node(s, name="us-1", replace=[("NAME", "us-1"), ("OTHER", "eu-1")])
        wait(lambda: where(eu, us, lambda: curl(s, eu, cookie="us-1"))[1] == "us-1", "us-1 has its clients again")


def together(s):
    doors = {"eu-a": ("eu", "us", ["us-a"]), "eu-b": ("eu", "us", ["us-a"]), "us-a": ("us", "eu", ["eu-a", "eu-b"])}
    eu, us = (SimpleNamespace(name=site, origin=Origin(s, f"origin-{site}")) for site in ("eu", "us"))
    eyes = {name: Origin(s, f"eye-{name}") for name in doors}
    nodes = {}
    for name, (site, other, there) in doors.items():
        ways = ", ".join(f'"127.0.0.1:${{front-{door}}}"' for door in there)
        nodes[name] = Node(s, "quorum.yaml", name=name, replace=[("@NAME@", name), ("@SITE@", site), ("@OTHER@", other), ("@DOORS@", ways)])
        nodes[name].socket = s.path(f"{name}.sock")

    def site(node, wanted):
        return next(one for one in nodes[node].api("GET", "/v1/dns")[1]["sites"] if one["name"] == wanted)

    def stands(state, tally, wanted="us", who=tuple(doors)):
        for node in who:
            wait(lambda: site(node, wanted)["state"] == state and tally in site(node, wanted)["reason"],
                 f"{node}: {wanted} is {state}: {tally}")

    def served(node, cookie, at, bound=None):
        answer, found, _ = where(eu, us, lambda: curl(s, SimpleNamespace(name=node), cookie=cookie, listener="front"))
        equal((answer.status, found, [one.split(";")[0] for one in answer.cookies]), (200, at, [f"site={bound}"] if bound else []),
              f"{cookie or 'no'} cookie at {node}")

    with s.fact("three nodes see a site: it is up, and all pass its clients on"):
        stands("up", "0 of 3 observers say down, 2 needed")
        for node in ("eu-a", "eu-b"):
            served(node, "us", "us")
    with s.fact("one observer of three moves nobody, not even its own clients"):
        eyes["eu-a"].stop()
        stands("up", "1 of 3 observers say down, 2 needed")
        for node in ("eu-a", "eu-b"):
            served(node, "us", "us")
    with s.fact("two of three do, also where it is seen well, and the site itself binds nobody"):
        eyes["us-a"].stop()
        stands("down", "2 of 3 observers say down, 2 needed")
        for node in ("eu-a", "eu-b"):
            served(node, "us", "eu", bound="eu")
        served("us-a", None, "us")
    with s.fact("a drain on top of it outlasts its recovery; taken back on another node, clients go to their site again"):
        nodes["eu-b"].must("dns", "site", "drain", "us")
        stands("drained", "drained by an operator")
        for name in ("eu-a", "us-a"):
            eyes[name].start()
        wait(lambda: all(one["up"] for one in site("eu-b", "us")["observers"]), "all see it well")
        for node in ("eu-a", "eu-b"):
            served(node, "us", "eu", bound="eu")
        nodes["us-a"].must("dns", "site", "ready", "us")
        stands("up", "0 of 3 observers say down")
        for node in ("eu-a", "eu-b"):
            served(node, "us", "us")
    with s.fact("one node of a site drains the site: the other binds nobody, and other sites keep its clients"):
        nodes["eu-b"].must("dns", "site", "drain", "eu", "--for", "1h")
        stands("drained", "drained by an operator", "eu")
        served("eu-a", None, "eu")
        served("us-a", "eu", "us", bound="us")
        nodes["eu-a"].must("dns", "site", "ready", "eu")
        stands("up", "observers", "eu")
        served("us-a", "eu", "eu")
        served("eu-b", None, "eu", bound="eu")
