"""Probes against real peers, outliers, backups, priority groups, panic: verdicts with reasons."""

from lib.node import Node
from lib.origin import Origin, Server
from lib.peers import UDPEcho
from lib.scenario import contains, ensure, equal, wait
from lib.wire import get

LIMIT = 150


def run(s):
    pong = {"answer": "PONG\n"}
    word = {"line": "up 100%\n", "asked": None}

    def talk(wire):
        if wire.line_any() == "PING":
            wire.send(pong["answer"])

    def agent(wire):
        word["asked"] = wire.line_any()
        wire.send(word["line"])

    tcp, _, _ = Server(s, "t", lambda wire: wire.socket.recv(1)), Server(s, "talk", talk), Server(s, "agent", agent)
    origins = {name: Origin(s, name) for name in "h1 h2 odd o1 o2 b1 b2 p0 p1 p2 n1 n2 n3 g".split()}
    udp = UDPEcho(s, "u")
    well = s.path("well")
    well.touch()
    s.path("check.sh").write_text(
        f'test "$SLUICE_POOL/$SLUICE_BACKEND/$SLUICE_ADDRESS" = "exec/x/127.0.0.1:{s.port("x")}" || exit 3\n'
        f'test -e {s.path("hangs")} && sleep 5\ntest -e {well}\n'
    )
    node = Node(s)
    s.figure("backend", "verdict", "reason")
    tcp_probes(s, node, tcp, pong)
    http_probes(s, node, origins)
    other_probes(s, node, udp, well)
    agent_check(s, node, word)
    initial(s, node)
    outliers(s, node, origins)
    groups(s, node, origins)
    panic(s, node, origins)


def show(s, node, pool, name, verdict, *parts):
    """Waits for the verdict, notes its reason, which must be there and say one of the parts."""
    found = node.wait_verdict(pool, name, verdict)
    s.figure(f"{pool}/{name}", found["verdict"], found["reason"])
    ensure(found["reason"], "no reason")
    if parts:
        ensure(any(part in found["reason"].lower() for part in parts), f"the reason says none of {parts}: {found['reason']}")
    return found


def tcp_probes(s, node, tcp, pong):
    with s.fact("tcp: up where a server listens, down where none does"):
        show(s, node, "tcp", "t", "up")
        show(s, node, "tcp", "nobody", "down", "refused")
    with s.fact("tcp: down when it stops, up when it is back"):
        tcp.stop()
        show(s, node, "tcp", "t", "down", "refused")
        tcp.start()
        show(s, node, "tcp", "t", "up")
    with s.fact("tcp with send and expect"):
        show(s, node, "tcp-talk", "t", "up")
        pong["answer"] = "WRONG\n"
        show(s, node, "tcp-talk", "t", "down")
        pong["answer"] = "PONG\n"
        show(s, node, "tcp-talk", "t", "up")


def http_probes(s, node, origins):
    with s.fact("http: the request is as configured"):
        show(s, node, "http", "h1", "up")
        request = next(request for request in origins["h1"].requests if request.header("x-probe"))
        found = (request.method, request.target, request.header("host"), request.header("x-probe"))
        equal(found, ("GET", "/healthz", "web.internal", "1"), "the probe's request")
    with s.fact("http: a body that does not match is down"):
        show(s, node, "http", "odd", "down", "body", "match")
    with s.fact("http: a status outside the set is down, with the status in the reason"):
        origins["h1"].statuses["/healthz"] = 500
        show(s, node, "http", "h1", "down", "500")
        equal(node.backend("http", "h2")["verdict"], "up", "the neighbour's verdict")
        origins["h1"].statuses.clear()
        show(s, node, "http", "h1", "up")
    with s.fact("http: no answer in time is down"):
        slow = origins["h2"]
        answer = slow.answer
        slow.answer = lambda wire, seen: wire.socket.recv(1) and None  # waits for the probe's close
        show(s, node, "http", "h2", "down", "time")
        slow.answer = answer
        show(s, node, "http", "h2", "up")
    with s.fact("http: the probe goes to probe-port"):
        show(s, node, "probe-port", "p", "up")


def other_probes(s, node, udp, well):
    with s.fact("udp: up with the right answer, down without"):
        show(s, node, "udp", "u", "up")
        udp.stop()
        show(s, node, "udp", "u", "down")
    with s.fact("exec: the environment names the backend; the exit status decides"):
        show(s, node, "exec", "x", "up")
        well.unlink()
        show(s, node, "exec", "x", "down", "exit", "status")
        well.touch()
        show(s, node, "exec", "x", "up")
    with s.fact("exec: a command that hangs is down and is ended"):
        s.path("hangs").touch()
        show(s, node, "exec", "x", "down", "time")
        s.path("hangs").unlink()
        show(s, node, "exec", "x", "up")


def agent_check(s, node, word):
    def say(line, what, condition):
        with s.fact(f"agent says {line.strip()!r}: {what}"):
            word["line"] = line
            found = wait(lambda: condition(backend := node.backend("agent", "g")) and backend, what, 5)
            s.figure(f"agent {line.strip()!r}", found["verdict"], f"{found['state']}, weight {found['weight']} → {found['effectiveWeight']}")

    say("up 100%\n", "takes traffic", lambda b: b["verdict"] in ("up", "warming") and b["effectiveWeight"] > 0)
    with s.fact("the agent is asked with the configured line"):
        equal(word["asked"], "agent", "the line")
    full = node.backend("agent", "g")["effectiveWeight"]
    say("50%\n", "half the weight", lambda b: b["effectiveWeight"] == full // 2)
    say("100%\n", "the weight again", lambda b: b["effectiveWeight"] == full)
    say("drain\n", "no new traffic", lambda b: b["effectiveWeight"] == 0)
    say("ready\n", "traffic again", lambda b: b["effectiveWeight"] == full)
    say("down # tired\n", "down", lambda b: b["verdict"] == "down")
    with s.fact("the agent's own words are in the reason"):
        contains(node.backend("agent", "g")["reason"], "tired")
    say("up ready 25%\n", "up with a quarter", lambda b: b["verdict"] in ("up", "warming") and b["effectiveWeight"] == full // 4)
    say("nonsense\n", "nothing changes", lambda b: b["effectiveWeight"] == full // 4)


def initial(s, node):
    # `serving` came after the first verdicts, or after their timeouts.
    with s.fact("initial: up ends after `fall` failures"):
        show(s, node, "initial-up", "i", "down", "refused")
    with s.fact("initial: down takes no traffic before its first success"):
        found = node.backend("initial-down", "i")
        s.figure("initial-down/i", found["verdict"], found["reason"])
        ensure(found["verdict"] == "up" or found["effectiveWeight"] == 0, str(found))


def outliers(s, node, origins):
    with s.fact("outlier: five 500s in a row eject, with the reason; the other serves"):
        origins["o1"].statuses["/outlier"] = 500
        # Two backends by turns, but each worker counts its own turns.
        seen = []
        while seen.count(500) < 5 and len(seen) < 30:
            seen.append(get(s.port("web"), "/outlier").status)
        found = show(s, node, "outlier", "o1", "ejected")
        equal((found["effectiveWeight"], found["ejections"]), (0, 1), "its effective weight, and how often it was ejected")
        ensure(8 <= len(seen) <= 12, f"five 500s among {len(seen)} requests")
        equal({get(s.port("web"), "/outlier").status for _ in range(6)}, {200}, "statuses after it")
    with s.fact("outlier: not more than the share is ejected"):
        origins["o2"].statuses["/outlier"] = 500
        for _ in range(12):
            get(s.port("web"), "/outlier")
        equal(node.backend("outlier", "o2")["verdict"], "up", "the last one's verdict")
        origins["o2"].statuses.clear()
    with s.fact("outlier: it returns after its ejection"):
        origins["o1"].statuses.clear()
        show(s, node, "outlier", "o1", ("up", "warming"))
        wait(lambda: get(s.port("web"), "/outlier").header("x-backend") == "o1", "it serves again")


def groups(s, node, origins):
    def server(path):
        response = get(s.port("web"), path)
        return response.header("x-backend") or response.status

    def health(name, status):
        origins[name].statuses = {"/healthz": status}

    with s.fact("backup: idle while the first is up, serves when it is down, idle again"):
        equal({server("/backup") for _ in range(10)}, {"b1"}, "servers")
        health("b1", 503)
        node.wait_verdict("backup", "b1", "down")
        equal({server("/backup") for _ in range(10)}, {"b2"}, "servers")
        health("b1", 200)
        node.wait_verdict("backup", "b1", "up")
        equal({server("/backup") for _ in range(10)}, {"b1"}, "servers")
    with s.fact("priority groups: 0, then 1, then 2, and back"):
        equal({server("/groups") for _ in range(10)}, {"p0"}, "servers")
        for down, expected in (("p0", "p1"), ("p1", "p2")):
            health(down, 503)
            node.wait_verdict("groups", down, "down")
            equal({server("/groups") for _ in range(10)}, {expected}, "servers")
        health("p0", 200)
        node.wait_verdict("groups", "p0", "up")
        equal({server("/groups") for _ in range(10)}, {"p0"}, "servers")


def panic(s, node, origins):
    def servers(path):
        return {get(s.port("web"), path).header("x-backend") for _ in range(12)}

    with s.fact("above the panic threshold only the well ones serve"):
        origins["n1"].statuses = {"/healthz": 503}
        for pool in ("panic", "calm"):
            node.wait_verdict(pool, "n1", "down")
        equal(servers("/panic"), {"n2", "n3"}, "servers")
    with s.fact("below it all serve; without one the last well one serves alone"):
        origins["n2"].statuses = {"/healthz": 503}
        for pool in ("panic", "calm"):
            node.wait_verdict(pool, "n2", "down")
        equal(servers("/panic"), {"n1", "n2", "n3"}, "servers with a threshold")
        equal(servers("/calm"), {"n3"}, "servers without one")
    with s.fact("none well and no threshold: 503"):
        origins["n3"].statuses = {"/healthz": 503}
        node.wait_verdict("calm", "n3", "down")
        equal(get(s.port("web"), "/calm").status, 503, "status without a threshold")
        equal(get(s.port("web"), "/panic").status, 200, "status in panic")
