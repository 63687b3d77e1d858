"""Backends that break the protocol, the connection or the patience of their clients."""

import socket
import struct
import threading
import time

from lib.node import Node
from lib.origin import Origin, Server
from lib.scenario import Failure, ensure, equal, wait
from lib.wire import Closed, Wire, get

LIMIT = 180

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# name → (what it sends after the request, or a function of the connection; status that the client gets).
BACKENDS = {
    "garbage": (b"\0\1\2 this is no HTTP\r\n\r\n", 502),
    "http09": (b"<html>hello</html>\r\n", 502),
    "no-space": (b"HTTP/1.1200 OK\r\nContent-Length: 0\r\n\r\n", 502),
    "status-99": (b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n", 502),
    "status-1000": (b"HTTP/1.1 1000 High\r\nContent-Length: 0\r\n\r\n", 502),
    "http2": (b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n", 502),
    "two-lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 502),
    "bad-length": (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 502),
    "huge-length": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", 502),
    "length-and-chunked": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502),
    "odd-encoding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx", 502),
    "space-colon": (b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", 502),
    "fold": (b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n", 502),
    "nul": (b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n", 502),
    "bare-cr": (b"HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 0\r\n\r\n", 502),
    "no-colon": (b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n", 502),
    "switches": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502),
    "half-head": (b"HTTP/1.1 200 OK\r\nContent-Le", 502),
    "silent-end": (b"", 502),
    "resetting": ("reset", 502),
    "endless-headers": ("endless", 502),
    "endless-1xx": ("interim", 502),
    "never": ("never", 504),
    "dripping": ("drip", 504),
}


def behave(what):
    def handle(wire):
        wire.line()
        wire.fields()
        if what == "reset":
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif what == "endless":
            wire.send("HTTP/1.1 200 OK\r\n")
            for index in range(1_000_000):
                wire.send(f"X-{index}: {'y' * 100}\r\n")
        elif what == "interim":
            for _ in range(200_000):
                wire.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        elif what == "never":
            wire.socket.recv(1)
        elif what == "drip":
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 200:
                wire.send(bytes([byte]))
                time.sleep(0.05)
        else:
            wire.send(what)
    return handle


# Broken after the head has gone to the client: all that is left is to break off as visibly.
TRUNCATED = {
    "short-body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "short-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    "no-last-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
    "bad-chunk-size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\nzz\r\nmore\r\n0\r\n\r\n",
    "bad-chunk-end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonlyXX5\r\nabcde\r\n0\r\n\r\n",
    "huge-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\nfffffffffffffffff\r\n",
}


def config(s):
    routes, pools = "", ""
    names = [*BACKENDS, *TRUNCATED, "extra-bytes", "extra-204"]
    for name in names:
        routes += f"      - {{ match: {{ path: /{name} }}, pool: {name} }}\n"
        pools += (
            f"  {name}: {{ retry: {{ attempts: 0, on-reset: false }}, timeouts: {{ response: 800ms }}, "
            f'backends: ["127.0.0.1:{s.port(name)}"] }}\n'
        )
    for name in ("refused", "elsewhere", "reset", "status", "full", "gone"):
        routes += f"      - {{ match: {{ path: /{name}/ }}, pool: {name}, rewrite: {{ prefix: / }} }}\n"
    return [("      # one route per pool\n", routes), ("  # one pool per backend\n", pools)]


def run(s):
    for name, (what, _) in BACKENDS.items():
        Server(s, name, behave(what))
    for name, what in TRUNCATED.items():
        Server(s, name, behave(what))
    good = Origin(s, "good")
    node = Node(s, replace=config(s))
    s.figure("backend", "client", "seconds", "reason in the log")
    before_head(s, node)
    after_head(s, node)
    leftovers(s)
    elsewhere(s, node, good)
    queue(s, node)
    with s.fact("after all that the node serves and has not grown"):
        equal(get(s.port("web"), "/elsewhere/").status, 200, "status")
        ensure(node.rss() < 128 * 1024, f"RSS {node.rss()} KiB")


def logged(node, name):
    entry = node.wait_logged(lambda entry: str(entry.get("path")).startswith(f"/{name}"), f"an entry for /{name}")
    return entry


def before_head(s, node):
    for name, (_, expected) in BACKENDS.items():
        with s.fact(f"{name}: {expected} with a reason in the log"):
            start = time.monotonic()
            try:
                response = get(s.port("web"), f"/{name}")
            except Closed:
                # Where 1xx have gone out, the end of the connection is as clear.
                ensure(name == "endless-1xx", "the connection ended without a response")
                s.figure(name, "cut", "", logged(node, name)["reason"])
                continue
            seconds = time.monotonic() - start
            entry = logged(node, name)
            s.figure(name, response.status, f"{seconds:.2f}", entry.get("reason"))
            equal(response.status, expected, "status")
            equal(entry["status"], expected, "status in the log")
            ensure(entry.get("reason"), f"no reason in {entry}")
            ensure(0 < len(response.body) < 500, f"a body of {len(response.body)} bytes")
            ensure(expected != 504 or 0.6 < seconds < 3, f"after {seconds:.2f} s")
    with s.fact("refused: 502 with a reason in the log"):
        response = get(s.port("web"), "/refused/")
        entry = logged(node, "refused")
        s.figure("refused", response.status, "", entry.get("reason"))
        ensure(response.status in (502, 503), f"status {response.status}")
        ensure(entry.get("reason"), f"no reason in {entry}")
    with s.fact("no backend is up: 503 with a reason in the log"):
        wait(lambda: node.pool("gone")["backends"][0]["verdict"] == "down", "the verdict is down")
        response = get(s.port("web"), "/gone/")
        entry = logged(node, "gone")
        s.figure("gone", response.status, "", entry.get("reason"))
        equal(response.status, 503, "status")
        ensure(entry.get("reason"), f"no reason in {entry}")


def after_head(s, node):
    for name in TRUNCATED:
        with s.fact(f"{name}: the client sees that the response is not whole"):
            try:
                response = get(s.port("web"), f"/{name}")
                ensure(response.status == 502, f"a whole response with {response.status}: {response.body!r}")
                outcome = 502
            except Closed:
                outcome = "cut"
            entry = logged(node, name)
            s.figure(name, outcome, "", entry.get("reason"))
            ensure(entry.get("reason"), f"no reason in {entry}")
    with s.fact("a cut response to a HTTP/1.0 client"), Wire(s.port("web")) as wire:
        body = wire.exchange(target="/short-chunk", version="HTTP/1.0").body
        ensure(len(body) <= 9, f"{len(body)} bytes")


def leftovers(s):
    """Bytes after a response must never become the next client's response."""
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    for name, first in (("extra-bytes", OK), ("extra-204", b"HTTP/1.1 204 No Content\r\n\r\n")):
        def handle(wire, first=first):
            while True:
                wire.line()
                wire.fields()
                wire.send(first + evil)

        Server(s, name, handle)
        with s.fact(f"{name}: what follows a response reaches nobody"):
            for _ in range(10):
                with Wire(s.port("web")) as wire:
                    for _ in range(3):
                        response = wire.exchange(target=f"/{name}")
                        ensure(response.status in (200, 204) and response.body in (b"ok", b""), f"{response.status} {response.body!r}")


def elsewhere(s, node, good):
    web = s.port("web")
    with s.fact("a refused connect is tried elsewhere, for any method"):
        for method in ("GET", "POST"):
            equal(get(web, "/elsewhere/x", method=method, body=b"data" if method == "POST" else b"").status, 200, "status")
        entry = logged(node, "elsewhere")
        equal((entry["backend"], entry["tries"]), ("good", 2), "backend and tries")

    count = [0]

    def resets(wire):
        count[0] += 1
        wire.line()
        wire.fields()

    Server(s, "resets", resets)
    with s.fact("a backend that closes before its answer: a GET is tried elsewhere"):
        equal(get(web, "/reset/get").status, 200, "status")
        equal(count[0], 1, "requests at the first backend")
    with s.fact("… and a POST is not: 502, and nobody else saw it"):
        seen = len(good.requests)
        equal(get(web, "/reset/post", method="POST", body=b"once").status, 502, "status")
        equal(len(good.requests), seen, "requests at the second backend")
    sick = Origin(s, "sick")
    sick.statuses = {"/s": 503, "/p": 503}
    with s.fact("on-status: a GET is tried elsewhere, a POST gets the 503"):
        equal(get(web, "/status/s").header("x-backend"), "good", "backend")
        equal(get(web, "/status/p", method="POST", body=b"x").status, 503, "status of the POST")


def queue(s, node):
    web, outcome = s.port("web"), {}

    def ask(name, target):
        start = time.monotonic()
        try:
            outcome[name] = (get(web, target).status, time.monotonic() - start)
        except (Failure, OSError) as error:
            outcome[name] = (str(error), 0)

    threads = [threading.Thread(target=ask, args=("busy", "/full/delay/1500"))]
    threads[0].start()
    wait(lambda: node.backend("full", "good")["inFlight"] == 1, "the backend is busy")
    threads.append(threading.Thread(target=ask, args=("queued", "/full/1")))
    threads[1].start()
    time.sleep(0.1)  # lets the second take its place before the third comes
    ask("over", "/full/2")
    for thread in threads:
        thread.join()
    s.figure("queue of one, 400 ms", *(f"{name}: {status} after {seconds:.2f} s" for name, (status, seconds) in outcome.items()))
    with s.fact("the busy backend's request is served"):
        equal(outcome["busy"][0], 200, "status")
    with s.fact("one waits in the queue, and its timeout is a 503"):
        equal(outcome["queued"][0], 503, "status")
        ensure(0.3 < outcome["queued"][1], f"after {outcome['queued'][1]:.2f} s")
    with s.fact("the next finds the queue full: 503 at once"):
        equal(outcome["over"][0], 503, "status")
        ensure(outcome["over"][1] < 0.4, f"after {outcome['over'][1]:.2f} s: as long as the queue's timeout")
    with s.fact("a short wait in the queue ends well"):
        first = threading.Thread(target=ask, args=("short", "/full/delay/200"))
        first.start()
        wait(lambda: node.backend("full", "good")["inFlight"] == 1, "the backend is busy")
        ask("waits", "/full/3")
        first.join()
        equal((outcome["short"][0], outcome["waits"][0]), (200, 200), "statuses")
