"""Drain under load, drain with persistence, and the end of a node by SIGTERM."""

import signal
import time

from lib.load import Load
from lib.node import Node
from lib.origin import Origin
from lib.peers import named_nginx
from lib.scenario import accepts, ensure, equal, wait
from lib.wire import Wire, get

LIMIT = 120


def run(s):
    for name in "abc":
        named_nginx(s, name)
    slow = {name: Origin(s, name) for name in "de"}
    node = Node(s)
    for name in "abc":
        node.wait_verdict("fast", name, "up")
    under_load(s, node)
    in_flight(s, node, slow)
    persistence(s, node, slow)
    node.process.stop()
    s.check(node.process.popen.returncode == 0, "a node without clients ends by SIGTERM with status 0")
    stop_under_load(s, Node(s, name="sluice-2"))
    stop_with_open_requests(s, Node(s, name="sluice-3"))
    second_signal(s, Node(s, name="sluice-4"))


def under_load(s, node):
    load = Load(s, f"http://127.0.0.1:{s.port('fast')}/")
    rounds = 0
    for name in "abcabc":
        served = node.backend("fast", name)["requests"]
        wait(lambda: node.backend("fast", name)["requests"] > served + 200, f"{name} takes traffic")
        node.must("drain", f"fast/{name}")
        with s.fact(f"drained {name} takes no new request"):
            wait(lambda: node.backend("fast", name)["inFlight"] == 0, f"{name} has nothing in flight")
            before, others = node.backend("fast", name)["requests"], node.pool("fast")["backends"]
            total = sum(backend["requests"] for backend in others)
            wait(lambda: sum(b["requests"] for b in node.pool("fast")["backends"]) > total + 2000, "the others go on")
            equal(node.backend("fast", name)["requests"], before, f"{name}'s counter")
            equal(node.backend("fast", name)["state"], "drain", f"{name}'s state")
        node.must("ready", f"fast/{name}")
        rounds += 1
    figures = load.stop()
    s.figure("drain and ready", "requests", "failed", "p99")
    s.figure(f"{rounds} under load", figures.requests, figures.failed, figures.p99)
    with s.fact("no request fails"):
        ensure(figures.failed == 0, str(figures))


def in_flight(s, node, slow):
    with s.fact("what is in flight on a draining backend finishes"), Wire(s.port("slow")) as wire:
        wire.send("GET /delay/3000 HTTP/1.1\r\nHost: x\r\n\r\n")
        name = wait(lambda: next((n for n in slow if slow[n].concurrent), None), "the request is at a backend")
        hasty = node.cli("drain", f"slow/{name}", "--wait", "0")
        equal((hasty.returncode, "still has 1 in flight" in hasty.stderr), (1, True), f"drain --wait 0: {hasty.stderr}")
        told = node.must("drain", f"slow/{name}", "--wait", "20")
        ensure(told.splitlines()[-1].endswith("0 in flight"), told)
        equal(node.backend("slow", name)["inFlight"], 0, "in flight when the command returns")
        equal(wire.response().status, 200, "status")
        node.must("ready", f"slow/{name}")


def persistence(s, node, slow):
    def cookie_of(response):
        return response.header("set-cookie").split(";")[0]

    def server(**headers):
        return get(s.port("slow"), headers=headers)

    first = server()
    cookie, name = cookie_of(first), first.header("x-backend")
    other = "e" if name == "d" else "d"
    with s.fact("a client with a cookie stays on its backend while it drains"):
        node.must("drain", f"slow/{name}")
        for _ in range(6):
            equal(server(cookie=cookie).header("x-backend"), name, "backend")
    with s.fact("new clients go elsewhere"):
        for _ in range(6):
            equal(server().header("x-backend"), other, "backend")
    with s.fact("under maintenance the cookie falls back, and the client gets a new one"):
        node.must("maintenance", f"slow/{name}")
        moved = server(cookie=cookie)
        equal(moved.header("x-backend"), other, "backend")
        equal(server(cookie=cookie_of(moved)).header("x-backend"), other, "backend with the new cookie")
    with s.fact("when it is ready again, it gets new clients and its cookie counts"):
        node.must("ready", f"slow/{name}")
        wait(lambda: server().header("x-backend") == name, f"{name} gets new clients")
        equal(server(cookie=cookie).header("x-backend"), name, "backend")


def stop_under_load(s, node):
    load = Load(s, f"http://127.0.0.1:{s.port('fast')}/", name="wrk-stop")
    wait(lambda: node.backend("fast", "a")["requests"] > 1000, "load")
    node.process.signal(signal.SIGTERM)
    start = time.monotonic()
    with s.fact("SIGTERM under load: the node ends with status 0 in time"):
        equal(node.process.wait(10), 0, "exit status")
    seconds = time.monotonic() - start
    figures = load.stop()
    s.figure("SIGTERM under load", f"{figures.requests} requests", f"{seconds:.2f} s to the end", "")
    with s.fact("no accepted request was answered with an error"):
        equal(figures.bad_status, 0, "responses with an error status")


def stop_with_open_requests(s, node):
    wires = [Wire(s.port("slow")) for _ in range(32)]
    idle = Wire(s.port("slow"))
    equal(idle.exchange().status, 200, "status")
    for wire in wires:
        wire.send("GET /delay/1200 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait(lambda: sum(b["inFlight"] for b in node.pool("slow")["backends"]) == 32, "32 requests are in flight")
    node.process.signal(signal.SIGTERM)
    with s.fact("SIGTERM: no new connection is accepted"):
        def refused():
            try:
                return not accepts(s.port("slow"))
            except ConnectionRefusedError:
                return True
        wait(refused, "connections are refused", 2)
    with s.fact("SIGTERM: an idle connection is closed"):
        ensure(idle.ended(3), "it stays open")
    with s.fact("SIGTERM: all open requests finish"):
        statuses = [wire.response().status for wire in wires]
        equal(statuses, [200] * 32, "statuses")
    with s.fact("SIGTERM: exit status 0 as soon as all is done"):
        equal(node.process.wait(4), 0, "exit status")
    for wire in [*wires, idle]:
        wire.close()


def second_signal(s, node):
    with s.fact("a second SIGTERM ends the node now"), Wire(s.port("slow")) as wire:
        wire.send("GET /delay/6000 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait(lambda: sum(b["inFlight"] for b in node.pool("slow")["backends"]) == 1, "a request is in flight")
        node.process.signal(signal.SIGTERM)
        wait(lambda: refused_or_gone(s), "the first SIGTERM has closed the listeners", 3)
        ensure(node.process.running, "it ended before the open request did")
        start = time.monotonic()
        node.process.signal(signal.SIGTERM)
        node.process.wait(5)
        ensure(time.monotonic() - start < 4, "it waited for the request")


def refused_or_gone(s):
    try:
        return not accepts(s.port("slow"))
    except ConnectionRefusedError:
        return True
