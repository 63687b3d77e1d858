"""Nobody is cut off, and nobody waits, for what another one does."""

import concurrent.futures
import contextlib
import socket
import threading
import time

from lib.node import Node
from lib.origin import Origin, Server, send_pattern
from lib.scenario import contains, ensure, equal, wait
from lib.wire import Closed, Wire

LIMIT = 120
MIB = 1 << 20


def run(s):
    Bodies(s, "origin")
    Origin(s, "narrow-origin")
    node = Node(s)
    uploads(s)
    early_answer(s)
    pauses(s)
    queue(s, node)
    flood(s)
    endings(s)


class Bodies(Server):
    """A server that takes and gives bodies as slowly as the path says."""

    def handle(self, wire):
        # Little room in the kernel, so that a pause here is felt at the other end.
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        while True:
            path = wire.line().split(" ")[1]
            length = int(dict((name.lower(), value) for name, value in wire.fields()).get("content-length", 0))
            if path == "/refuse":
                time.sleep(0.5)  # until the sender's buffers are full
                wire.send("HTTP/1.1 413 Too Much\r\nContent-Length: 8\r\nConnection: close\r\n\r\nno room\n")
                return
            if path == "/pause":
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (16 * MIB + 4))
                send_pattern(wire, 16 * MIB)
                time.sleep(2)  # longer than the listener's `idle`, shorter than the pool's `response`
                wire.send("done")
                continue
            start = time.monotonic()
            for part in range(0, length, 65536):
                wire.exactly(min(65536, length - part))
                if path == "/slow":
                    # The whole takes three seconds, whatever the size.
                    time.sleep(max(0, 3 * part / length - (time.monotonic() - start)))
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%d" % (len(str(length)), length))


def uploads(s):
    with s.fact("a fast client and a slow backend: an upload may last longer than `idle` and `response`"):
        with Wire(s.port("web"), timeout=20) as wire:
            size = 32 * MIB
            wire.send(f"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(size // 65536):
                    wire.send(b"x" * 65536)
            response = wire.response()
            equal((response.status, response.text), (200, str(size)), "the answer")
    with s.fact("a slow client: the same"):
        with Wire(s.port("web"), timeout=20) as wire:
            wire.send("POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(30):
                    wire.send("x")
                    time.sleep(0.1)  # the client's pace
            response = wire.response()
            equal((response.status, response.text), (200, "30"), "the answer")


def early_answer(s):
    for turn in range(3):
        with s.fact(f"a backend that refuses a body in the middle: its answer arrives ({turn})"):
            with Wire(s.port("web"), timeout=10) as wire:
                with contextlib.suppress(ConnectionError):
                    wire.send("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n")
                    wire.socket.settimeout(2)
                    with contextlib.suppress(TimeoutError):
                        for _ in range(1024):
                            wire.send(b"x" * 65536)
                wire.socket.settimeout(5)
                equal(wire.response().status, 413, "status")


def pauses(s):
    with s.fact("a backend may pause as long as `response` says, also after the client was slow to read"):
        with Wire(s.port("patient"), timeout=10, receive_buffer=65536) as wire:
            wire.send("GET /pause HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.5)  # until the proxy has to hold back
            response = wire.response()
            equal(len(response.body), 16 * MIB + 4, "bytes")


def queue(s, node):
    """A backend with room for one, and clients on all workers."""
    longest, statuses, lock = [0.0], {}, threading.Lock()
    end = time.monotonic() + 4

    def client(_):
        while time.monotonic() < end:
            # A connection for each request: the kernel spreads them over the workers.
            with Wire(s.port("narrow"), timeout=15) as wire:
                start = time.monotonic()
                status = wire.exchange().status
                took = time.monotonic() - start
            with lock:
                longest[0] = max(longest[0], took)
                statuses[status] = statuses.get(status, 0) + 1

    with s.fact("nobody is forgotten in the queue of a backend with room for one"):
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            done = clients.map(client, range(4))
            wait(lambda: node.pool("narrow").get("queued"), "somebody is seen to wait", 4, 0.02)
            contains(node.api("GET", "/metrics")[1], 'sluice_pool_requests_queued{pool="narrow"} ')
            list(done)
        s.figure("queue for one connection", f"{sum(statuses.values())} requests", f"longest {longest[0] * 1000:.0f} ms")
        equal(list(statuses), [200], "statuses")
        ensure(longest[0] < 1.5, f"one took {longest[0]:.2f} s")


def flood(s):
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with s.fact("a client that sends 1,000 requests at once has 1,000 answers"), Wire(s.port("flood")) as wire:
        wire.send(request * 1000)
        equal({wire.response().text for _ in range(1000)}, {"here"}, "answers")
    with s.fact("… and one that sends without end is held back, and keeps nobody waiting"):
        stop = threading.Event()

        def shout():
            with contextlib.suppress(OSError), Wire(s.port("flood"), timeout=5) as wire:
                threading.Thread(target=drain, args=[wire], daemon=True).start()
                while not stop.is_set():
                    wire.send(request * 2000)

        def drain(wire):
            with contextlib.suppress(OSError):
                while wire.socket.recv(1 << 20):
                    pass

        shouters = [threading.Thread(target=shout, daemon=True) for _ in range(4)]
        for shouter in shouters:
            shouter.start()
        longest = 0
        for _ in range(40):
            with Wire(s.port("flood")) as wire:
                start = time.monotonic()
                equal(wire.exchange().status, 200, "status")
                longest = max(longest, time.monotonic() - start)
        stop.set()
        for shouter in shouters:
            shouter.join(6)
        s.figure("a request beside four floods", "", f"longest {longest * 1000:.0f} ms")
        ensure(longest < 1, f"one took {longest:.2f} s")


# Each response ends its connection.
ENDINGS = {
    "a length": "GET /bytes/10 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "64 KB": "GET /bytes/65536 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "3 MB": "GET /bytes/3000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "chunks": "GET /chunked/10 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "many chunks": "GET /chunked/300000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "until the end": "GET /close/10 HTTP/1.1\r\nHost: x\r\n\r\n",
    "HEAD": "HEAD /bytes/10 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "204": "GET /status/204 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "304": "GET /status/304 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "HTTP/1.0": "GET /bytes/10 HTTP/1.0\r\nHost: x\r\n\r\n",
    "HTTP/1.0, out of chunks": "GET /chunked/10 HTTP/1.0\r\nHost: x\r\n\r\n",
    "after 103": "GET /early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "after a body": "POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
    "after 100": "POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
    "an upgrade that is not taken": "GET /bytes/10 HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\nUpgrade: x\r\n\r\n",
    "with more behind it": "GET /bytes/10 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n",
    "an answer of our own": "GET /own HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a refusal": "GET / HTTP/1.1\r\n\r\n",
    "a refusal with a body on its way": "POST /own HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
}


def endings(s):
    """No response waits for the end of its connection, and the end follows it at once."""
    Origin(s, "plain-origin")
    for name, request in ENDINGS.items():
        with s.fact(f"response and end come at once: {name}"):
            # What the kernel holds back waits for 200 ms each time; a busy machine does not.
            best = min(ending(s, request) for _ in range(4))
            s.figure(f"response and end: {name}", f"{best * 1000:.1f} ms")
            ensure(best < 0.1, f"{best * 1000:.0f} ms at best")


def ending(s, request):
    with Wire(s.port("ends"), timeout=5) as wire:
        start = time.monotonic()
        wire.send(request)
        with contextlib.suppress(Closed):
            wire.rest()
        return time.monotonic() - start
