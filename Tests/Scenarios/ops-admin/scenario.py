"""The command line and the admin API: what they say, refuse, and return."""

import http.client
import json
import os
import stat
import subprocess

from lib.node import Node, UnixHTTP, call_api, check
from lib.origin import Origin
from lib.scenario import Failure, contains, ensure, equal, wait
from lib.wire import Wire, get

LIMIT = 120
REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))


def run(s):
    for name in "ab":
        Origin(s, name)
    node = Node(s)
    for name in "ab":
        node.wait_verdict("web", name, "up")
    status(s, node)
    changes(s, node)
    refusals(s, node)
    token(s, node)
    bad_requests(s, node)
    sockets(s, node)
    checks(s)
    usage(s)


def status(s, node):
    with s.fact("GET /v1/status has every key of the contract"):
        found = node.status()
        equal({"generation", "listeners", "pools"} - set(found), set(), "missing keys")
        equal({pool["name"] for pool in found["pools"]}, {"web", "spare"}, "pools")
        equal({listener["name"] for listener in found["listeners"]}, {"web", "other"}, "listeners")
        wanted = {"name", "address", "state", "verdict", "reason", "weight", "effectiveWeight", "inFlight", "requests", "failures"}
        equal(wanted - set(node.backend("web", "a")), set(), "missing keys of a backend")
        backend = node.backend("web", "b")
        equal((backend["address"], backend["state"], backend["weight"]), (f"127.0.0.1:{s.port('b')}", "ready", 50))
    with s.fact("sluice status --json is the same; without --json it is for people"):
        found = json.loads(node.must("status", "--json"))
        equal({pool["name"] for pool in found["pools"]}, {"web", "spare"}, "pools")
        text = node.must("status")
        for word in ("web", "other", "spare", "ready", "up", "down"):
            contains(text, word)
    with s.fact("the counters count"):
        before = node.backend("web", "a")["requests"] + node.backend("web", "b")["requests"]
        with Wire(s.port("web")) as wire:
            for _ in range(30):
                wire.exchange()
        after = wait(lambda: (n := sum(b["requests"] for b in node.pool("web")["backends"])) >= before + 30 and n, "30 more requests")
        equal(after, before + 30, "requests")


def changes(s, node):
    def state():
        return node.backend("web", "a")["state"]

    for verb, expected in (("drain", "drain"), ("maintenance", "maintenance"), ("ready", "ready")):
        with s.fact(f"sluice {verb}"):
            node.must(verb, "web/a")
            equal(state(), expected, "state")
    for verb in ("drain", "ready", "maintenance", "ready"):
        with s.fact(f"POST /v1/backends/web/a/{verb}"):
            code, body = node.api("POST", f"/v1/backends/web/a/{verb}")
            ensure(200 <= code < 300, f"{code} {body}")
            equal(state(), verb, "state")
    with s.fact("a weight by the command line and by the API"):
        node.must("weight", "web/a", "70")
        equal(node.backend("web", "a")["weight"], 70, "weight")
        code, body = node.api("PUT", "/v1/backends/web/a/weight", {"weight": 100})
        ensure(200 <= code < 300, f"{code} {body}")
        equal(node.backend("web", "a")["weight"], 100, "weight")
    with s.fact("reload by the API raises the generation when something changed"):
        before = node.generation()
        node.write(node.template.replace("weight: 50", "weight: 60"))
        code, body = node.api("POST", "/v1/reload")
        ensure(200 <= code < 300, f"{code} {body}")
        ensure(node.generation() > before, "the generation stays")
        equal(node.backend("web", "b")["weight"], 60, "weight")
    with s.fact("each change has JSON output with --json"):
        for words in (("drain", "web/a"), ("ready", "web/a"), ("weight", "web/a", "100"), ("reload",)):
            json.loads(node.must(*words, "--json"))


def refusals(s, node):
    cases = [
        (("drain", "web/nobody"), "nobody"), (("drain", "nopool/a"), "nopool"), (("weight", "web/a", "70000"), "65535"),
        (("weight", "web/a", "-1"), ""), (("weight", "web/a", "much"), "much"), (("drain", "web"), "web"), (("drain",), ""),
    ]
    for words, part in cases:
        with s.fact(f"sluice {' '.join(words)}: refused with a reason"):
            before = node.generation()
            done = node.cli(*words)
            ensure(done.returncode != 0, "exit status 0")
            contains(done.stderr + done.stdout, part)
            ensure((done.stderr + done.stdout).strip(), "nothing is said")
            equal(node.generation(), before, "generation")
    with s.fact("a socket where nobody listens: it says which, and what to do"):
        done = node.cli("status", socket=s.path("absent.sock"))
        ensure(done.returncode != 0, "exit status 0")
        contains(done.stderr, "absent.sock")
    with s.fact("a wrong config: file, line, column, and the key that was meant"):
        node.write(node.template.replace("    balance: round-robin", "    balanse: round-robin"))
        line = node.config.read_text().splitlines().index("    balanse: round-robin") + 1
        done = node.cli("reload")
        ensure(done.returncode != 0, "exit status 0")
        for part in (f"{node.config.name}:{line}:5", "balanse", "balance"):
            contains(done.stderr + done.stdout, part)
        node.reload(node.template)


def token(s, node):
    def ask(headers, method="GET", path="/v1/status"):
        return call_api(http.client.HTTPConnection("127.0.0.1", s.port("admin"), timeout=5), method, path, headers=headers)[0]

    right = {"Authorization": "Bearer scenario-token-scenario-token"}
    with s.fact("the loopback bind serves with the token"):
        equal(ask(right), 200, "status")
    for name, headers in {
        "none": {}, "a wrong one": {"Authorization": "Bearer wrong"}, "an empty one": {"Authorization": "Bearer "},
        "a prefix": {"Authorization": "Bearer scenario-token"}, "a longer one": {"Authorization": "Bearer scenario-token-scenario-tokenx"},
        "Basic": {"Authorization": "Basic c2NlbmFyaW8tdG9rZW4="},
    }.items():
        with s.fact(f"and refuses {name} with 401, for reading and for changing"):
            equal(ask(headers), 401, "status")
            equal(ask(headers, "POST", "/v1/backends/web/a/drain"), 401, "status of a change")
    with s.fact("nothing has changed by them"):
        equal(node.backend("web", "a")["state"], "ready", "state")
    with s.fact("a bind without a token, or beyond loopback, is a config error"):
        for text in (
            'admin: { socket: "${dir}/c.sock", bind: "127.0.0.1:${spare-admin}" }\n',
            'admin: { socket: "${dir}/c.sock", bind: "0.0.0.0:${spare-admin}", token: "scenario-token-scenario-token" }\n',
        ):
            done, path = check(
                s, text + 'listeners: { w: { bind: "127.0.0.1:${web}", protocol: tcp, pool: p } }\n'
                'pools: { p: { backends: ["127.0.0.1:1"] } }\n'
            )
            equal(done.returncode, 1, f"exit status for {text}")
            contains(done.stderr + done.stdout, f"{path}:1:")


def bad_requests(s, node):
    cases = [
        ("GET", "/v1/nothing", None, 404), ("GET", "/", None, (200, 404)), ("DELETE", "/v1/status", None, (404, 405)),
        ("POST", "/v1/backends/web/none/drain", None, 404), ("POST", "/v1/backends/none/a/drain", None, 404),
        ("POST", "/v1/backends/web/a/explode", None, (400, 404)), ("PUT", "/v1/backends/web/a/weight", None, (400, 422)),
        ("PUT", "/v1/backends/web/a/weight", {"weight": -5}, (400, 422)), ("PUT", "/v1/backends/web/a/weight", {"weight": 1e9}, (400, 422)),
        ("PUT", "/v1/backends/web/a/weight", {"weight": "x"}, (400, 422)), ("PUT", "/v1/backends/web/a/weight", ["weight"], (400, 422)),
        ("POST", "/v1/backends/..%2f..%2f/a/drain", None, (400, 404)),
    ]
    for method, path, body, expected in cases:
        with s.fact(f"API: {method} {path} {body or ''} → {expected}"):
            found, answer = node.api(method, path, body)
            ensure(found in (expected if isinstance(expected, tuple) else (expected,)), f"status {found}: {answer}")
    with s.fact("API: a body of 20 MiB is refused, and the node lives"):
        connection = UnixHTTP(str(node.socket))
        try:
            connection.request("PUT", "/v1/backends/web/a/weight", b"x" * (20 << 20))
            found = connection.getresponse().status
            ensure(400 <= found < 500, f"status {found}")
        except (ConnectionError, BrokenPipeError):
            pass
        finally:
            connection.close()
        equal(node.api("GET", "/v1/status")[0], 200, "status after it")
    with s.fact("API: garbage on the socket does no harm"):
        for garbage in (b"\0" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
            with Wire(node.socket, timeout=3) as wire:
                wire.send(garbage)
                wire.half_close()
                wire.ended(2)
        equal(node.api("GET", "/v1/status")[0], 200, "status after it")


def sockets(s, node):
    with s.fact("the admin socket is its owner's alone"):
        equal(oct(stat.S_IMODE(os.stat(node.socket).st_mode) & 0o007), "0o0", "the others' permissions")
    with s.fact("a second node on the same admin socket is refused, and the first lives"):
        twin = s.path("twin.yaml")
        twin.write_text(s.fill(
            'admin: { socket: "${dir}/admin.sock" }\nlisteners: { w: { bind: "127.0.0.1:${twin}", protocol: tcp, pool: p } }\n'
            'pools: { p: { backends: ["127.0.0.1:1"] } }\n'
        ))
        try:
            done = subprocess.run([s.binary, "run", twin], capture_output=True, text=True, timeout=10)
        except subprocess.TimeoutExpired:
            raise Failure("the second node runs") from None
        ensure(done.returncode != 0, "exit status 0")
        contains(done.stderr + done.stdout, "admin.sock")
        equal(node.status()["pools"] != [], True, "the first answers")
    with s.fact("after a kill -9 the next node starts over what is left of it"):
        node.process.kill()
        ensure(os.path.exists(node.socket), "no stale socket to test with")
        again = Node(s, name="sluice-again")
        equal(get(s.port("web")).status, 200, "status")
        again.process.stop()
    with s.fact("after a clean end no socket is left"):
        ensure(not os.path.exists(node.socket), "it is there")


def checks(s):
    with s.fact("sluice check: the reference config is right"):
        done = subprocess.run([s.binary, "check", os.path.join(REPOSITORY, "Examples/reference.yaml")], capture_output=True, text=True, timeout=20)
        equal((done.returncode, done.stderr[:300]), (0, done.stderr[:300]), "exit status")
    good = 'listeners:\n  w: { bind: "127.0.0.1:${web}", protocol: http, pool: p }\npools:\n  p: { backends: ["127.0.0.1:1"] }\n'
    cases = [
        ("an unknown key", good.replace("protocol", "protokol"), 2, "protocol"),
        ("a dangling pool", good.replace("pool: p", "pool: q"), 2, "q"),
        ("a wrong type", good.replace('["127.0.0.1:1"]', "7"), 4, ""),
        ("a bad address", good.replace("127.0.0.1:1", "127.0.0.1"), 4, ""),
        ("a bad duration", good.replace("backends", "slow-start: fast, backends"), 4, "slow-start"),
        ("broken YAML", good + "  : : [\n", None, ""),
        ("a key twice", good + "pools: {}\n", 5, "pools"),
    ]
    for name, text, line, part in cases:
        with s.fact(f"sluice check: {name}"):
            done, path = check(s, text)
            text = done.stderr + done.stdout
            equal(done.returncode, 1, "exit status")
            contains(text, f"{path}:{line}:" if line else str(path))
            contains(text, "error:")
            contains(text, part)
            first = next(line for line in text.splitlines() if line.startswith(str(path)))
            s.figure(name, first.replace(f"{s.dir}/", "")[:120])
    with s.fact("sluice check: a file that is not there"):
        done = subprocess.run([s.binary, "check", s.path("absent.yaml")], capture_output=True, text=True, timeout=20)
        ensure(done.returncode != 0, "exit status 0")
        contains(done.stderr + done.stdout, "absent.yaml")


def usage(s):
    def sluice(*words):
        return subprocess.run([s.binary, *words], capture_output=True, text=True, timeout=20)

    with s.fact("--help names every command"):
        done = sluice("--help")
        equal(done.returncode, 0, "exit status")
        for word in ("run", "check", "demo", "status", "drain", "ready", "maintenance", "weight", "reload"):
            contains(done.stdout, word)
    with s.fact("--version says something"):
        done = sluice("--version")
        equal(done.returncode, 0, "exit status")
        ensure(done.stdout.strip(), "nothing")
    with s.fact("an unknown command is a usage error"):
        done = sluice("explode")
        ensure(done.returncode != 0, "exit status 0")
        contains(done.stderr + done.stdout, "explode")
