"""Explanations: what the node says that it would do is what it does, and what it did can be made again from its inputs."""

import json
import threading

from lib.node import Node
from lib.origin import Origin
from lib.scenario import contains, ensure, equal, wait
from lib.wire import Wire, get

LIMIT = 90
PARENT = "b7ad6b7169203331"


def run(s):
    origins = {name: Origin(s, name) for name in "abc"}
    node = Node(s)
    for name, verdict in (("a", "up"), ("b", "up"), ("gone", "down")):
        node.wait_verdict("web", name, verdict)
    rules(s, node)
    candidates(s, node)
    agrees(s, node)
    recorded(s, node)
    refused(s, node)
    with s.fact("nothing was sent for an explanation, and nothing counted"):
        before, seen = counts(node), {name: len(origin.requests) for name, origin in origins.items()}
        for _ in range(20):
            explain(s, node, "/")
        equal(counts(node), before, "counters")
        equal({name: len(origin.requests) - sum(one.path == "/healthz" for one in origin.requests[seen[name]:]) for name, origin in origins.items()}, seen, "requests")


def counts(node):
    return [(one["name"], one["requests"], one["inFlight"]) for pool in node.status()["pools"] for one in pool["backends"]]


def explain(s, node, path, *headers, host="127.0.0.1", method="GET", **options):
    words = [word for header in headers for word in ("-H", header)]
    for name, value in options.items():
        words += [f"--{name}", value]
    return json.loads(node.must("explain", method, f"http://{host}:{s.port('web')}{path}", *words, "--json"))


def rules(s, node):
    with s.fact("each rule is named with what of it does not match"):
        found = explain(s, node, "/v1/x", "X-Team: red", host="api.example.com")
        equal([(one.get("name"), one.get("mismatch")) for one in found["rules"]],
              [("api", "header x-team"), ("old", "path"), ("cart", "path"), ("turn", "path"), ("least", "path"), ("fast", "path"), ("copied", "path"), ("home", None)], "rules")
        equal(found["pool"], "web", "pool")
        found = explain(s, node, "/v1/x", "X-Team: blue", host="other.example.com")
        equal(found["rules"][0]["mismatch"], "host", "first rule")
        found = explain(s, node, "/v1/x", "X-Team: blue", host="api.example.com", method="POST")
        equal(found["rules"][0]["mismatch"], "method", "first rule")
        equal(explain(s, node, "/cart")["rules"][2]["mismatch"], "cookie cart", "third rule")
        found = explain(s, node, "/v1/../v1/./x", "X-Team: blue", "X-User: u", host="api.example.com")
        equal((found["path"], len(found["rules"]), found["pool"]), ("/v1/x", 1, "hashed"), "a path that is not normal")
    with s.fact("a rule that leads to no pool, no rule at all, and a request that is refused"):
        equal(explain(s, node, "/copied")["rules"][-1]["action"], "pool turns, and copies of 2.5% to pool least", "a mirror")
        equal((explain(s, node, "/old/x")["rules"][-1]["action"], explain(s, node, "/old/x")["picks"]), ("redirect", []), "redirect")
        contains(explain(s, node, "/x", **{"from": "192.0.2.1"})["problem"], "404")
        contains(explain(s, node, "/%zz")["problem"], "400")
        contains(explain(s, node, "/", "no colon")["problem"], "400")
    with s.fact("a TCP client too"):
        found = json.loads(node.must("explain", "GET", "http://x/", "--listener", "db", "--json"))
        equal(found["pool"], "web", "pool")
        contains("ab", found["picks"][0]["chosen"])


def candidates(s, node):
    with s.fact("each backend is there with weight, load, health, and why it was not chosen"):
        pick = explain(s, node, "/")["picks"][0]
        equal(pick["policy"], "p2c", "policy")
        why = {one["backend"]: one["why"] for one in pick["candidates"]}
        equal(why["c"], "it is set to drain", "c")
        contains(why["gone"], "down: ")
        contains("ab", pick["chosen"])
        equal(sum(one["drawn"] for one in pick["candidates"]), 1000, "draws")
        shares = {one["backend"]: one["drawn"] for one in pick["candidates"]}
        ensure(shares["a"] > shares["b"] > 0 and shares["c"] == shares["gone"] == 0, f"{shares}")
        text = node.must("explain", "GET", f"http://127.0.0.1:{s.port('web')}/")
        for word in ("RULE", "home", "matches", "BACKEND", "OF 1000", "it is set to drain", "seed", "> "):
            contains(text, word)
    with s.fact("what is in flight is seen, and a full backend is called full"):
        busy = Hold(s)
        pick = wait(lambda: (one := explain(s, node, "/fast")["picks"][0]) and sum(c["load"] for c in one["candidates"]) == 6 and one, "six are in flight", 10)
        full = next(one for one in pick["candidates"] if one["backend"] == "c")
        ensure(full["load"] <= 2, "limit")
        if full["load"] == 2:
            equal((full["why"], full["drawn"]), ("it is full", 0), "c")
        busy.end()


class Hold:
    """Six requests that are under way until they are told to end: they hold their bodies back."""

    def __init__(self, s):
        self.wires = [Wire(s.port("web")) for _ in range(6)]
        for wire in self.wires:
            wire.send("POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        s.defer(self.end)

    def end(self):
        for wire in self.wires:
            wire.socket.close()


def agrees(s, node):
    with s.fact("a hash leads where it is said to lead, for fifty keys"):
        for number in range(50):
            user = ("X-User", f"user-{number}")
            pick = explain(s, node, "/v1", "X-Team: blue", f"X-User: user-{number}", host="api.example.com")["picks"][0]
            answer = get(s.port("web"), "/v1", host="api.example.com", headers=[("X-Team", "blue"), user])
            equal(pick["chosen"], answer.header("x-backend"), f"key {number}")
    with s.fact("a client with a cookie of ours goes where it is said to belong"):
        answer = get(s.port("web"), "/cart", headers=[("Cookie", "cart=1")])
        cookie = answer.header("set-cookie").split(";")[0]
        pick = explain(s, node, "/cart", f"Cookie: cart=1; {cookie}")["picks"][0]
        equal((pick["chosen"], pick["persistent"]), (answer.header("x-backend"),) * 2, "backend")
        equal(next(one["why"] for one in pick["candidates"] if one["isChosen"]), "the client belongs to it", "why")
    with s.fact("a turn is one worker's: it is told in advance, and not taken"):
        first = explain(s, node, "/turn")["picks"][0]
        equal(explain(s, node, "/turn")["picks"][0]["chosen"], first["chosen"], "twice")
        drawn = {one["backend"]: one["drawn"] for one in first["candidates"]}
        equal(drawn, {"a": 500, "b": 250, "c": 250}, "turns")


def recorded(s, node):
    paths = ["/", "/turn", "/least", "/fast", "/cart", "/v1"]
    stop = threading.Event()

    def noise():
        with Wire(s.port("web")) as wire:
            while not stop.is_set():
                for path in paths:
                    wire.exchange(target=path, headers=[("Cookie", "cart=1")])
    threads = [threading.Thread(target=noise, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    with s.fact("under load, each recorded choice is the one that was made, and follows from its inputs again"):
        total = 0
        for path in paths:
            for number in range(8):
                trace = f"{hash((path, number)) & (1 << 64) - 1:032x}"
                answer = get(s.port("web"), path, host="api.example.com", headers=[
                    ("traceparent", f"00-{trace}-{PARENT}-01"), ("Cookie", "cart=1"), ("X-Team", "blue"), ("X-User", f"{number}")])
                (one,) = json.loads(node.must("explain", "--request", trace, "--json"))["samples"]
                (pick,) = one["explanation"]["picks"]
                equal((one["status"], one["backend"], pick["chosen"]), (200, answer.header("x-backend"), answer.header("x-backend")), f"{path} {number}")
                ensure(pick["isReproduced"], f"{path} {number} is not reproduced")
                total += 1
        s.figure("recorded choices that were made again", total, "all alike")
    stop.set()
    for thread in threads:
        thread.join()
    with s.fact("the rules that were tried are told as for a request that is not sent"):
        for number, path in enumerate(paths):
            trace = f"{(1 << 64) + number:032x}"
            get(s.port("web"), path, host="api.example.com", headers=[("traceparent", f"00-{trace}-{PARENT}-01"), ("Cookie", "cart=1")])
            (one,) = json.loads(node.must("explain", "--request", trace, "--json"))["samples"]
            live = explain(s, node, path, "Cookie: cart=1", host="api.example.com")
            equal(one["explanation"]["rules"], live["rules"], path)
            ensure(live["rules"], f"no rules for {path}")
    with s.fact("a line of the access log leads to it, and only lines of sampled requests have an id"):
        line = node.wait_logged(lambda entry: "id" in entry and entry["path"] == paths[-1], "a sampled request")
        (one,) = json.loads(node.must("explain", "--request", line["id"], "--json"))["samples"]
        equal((one["requestID"], one["path"], one["backend"]), (line["id"], line["path"], line["backend"]), "the request")
        get(s.port("web"), "/turn?unsampled")
        entry = node.wait_logged(lambda entry: entry["path"] == "/turn?unsampled", "one that is not sampled")
        ensure("id" not in entry, entry)
    with s.fact("the rules are those of its time, also after a reload"):
        before = json.loads(node.must("explain", "--request", line["id"], "--json"))["samples"][0]["explanation"]
        text = node.config.read_text()
        node.config.write_text(text.replace("      - { name: old,", "      - { name: added, match: { path: /added }, pool: turns }\n      - { name: old,"))
        node.must("reload")
        after = json.loads(node.must("explain", "--request", line["id"], "--json"))["samples"][0]["explanation"]
        equal((after["rules"], after["generation"]), (before["rules"], before["generation"]), "rules and generation")
        node.config.write_text(text)
        node.must("reload")
    with s.fact("it is found by its request id too, listed, and told in words"):
        one = json.loads(node.must("explain", "--recent", "--json"))["samples"][-1]
        equal(len(one["requestID"]), 32, "request id")
        text = node.must("explain", "--request", one["requestID"])
        for word in (one["trace"], "status 200", "1 try", "BACKEND", "seed"):
            contains(text, word)
        contains(node.must("explain", "--recent"), one["trace"])


def refused(s, node):
    for words, part in (
        (("GET", "ftp://x/"), "must begin with http://"),
        (("GET", "http://x:1/", "--listener", "nosuch"), "there is no listener nosuch"),
        (("GET", "https://x/"), "no listener for https"),
        (("GET", f"http://x:{s.port('web')}/", "--from", "nobody"), "is no IP address"),
        (("GET", f"http://x:{s.port('web')}/", "-H", "A: b\r\nC: d"), "control characters"),
        (("--request", "ffff"), "no sampled request has the id ffff"),
        (("GET",), "a method and a URL"),
    ):
        with s.fact(f"refused: explain {' '.join(words)!r}"):
            done = node.cli("explain", *words)
            ensure(done.returncode != 0, "it was taken")
            contains(done.stderr, part)
