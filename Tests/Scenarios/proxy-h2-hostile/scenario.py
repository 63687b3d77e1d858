"""Clients that take nothing, or almost nothing, of what they ask for: bounded memory, nobody else waits, and counters say why.

SLUICE_H2_CONNECTIONS: how many connections of 100 streams never open their windows (CI: 30).
SLUICE_H2_READERS: how many HTTP/1.1 clients read nothing of what comes by HTTP/2 from the backend (CI: 2000).
"""

import contextlib
import os
import random
import resource
import socket
import struct
import threading
import time

from lib.h2peer import (
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, MAGIC, RST_STREAM, SETTINGS, WINDOW_UPDATE, Reset, frame)
from lib.node import Node
from lib.origin import Origin, Server
from lib.peers import nginx
from lib.scenario import Failure, ensure, equal, wait
from lib.wire import Closed, Wire

CONNECTIONS = int(os.environ.get("SLUICE_H2_CONNECTIONS", 30))
READERS = int(os.environ.get("SLUICE_H2_READERS", 2000))
STREAMS = 100
CALLS = 50
LIMIT = 100 + CONNECTIONS // 5
KIB = 1024


def run(s):
    root = s.path("www")
    root.mkdir()
    os.chmod(s.dir, 0o755)
    (root / "large").write_bytes(os.urandom(1 << 20))
    with (root / "huge").open("wb") as huge:
        huge.truncate(64 << 20)
    (root / "small").write_bytes(os.urandom(100_000))
    nginx(
        s, "files", f"  open_file_cache max=10;\n  server {{ listen 127.0.0.1:{s.port('files')} http2 backlog=1024; root {root}; }}",
        wait_port=s.port("files"))
    Origin(s, "plain")
    flood, deaf = Flood(s, "flood"), Deaf(s, "deaf")
    calls = Calls(s, "calls")
    node = Node(s)
    stalled(s, node)
    readers(s, node)
    slow_calls(s, node, calls)
    sockets(s, node, flood, deaf)
    races(s, node)


# MARK: somebody else

class Honest:
    """Clients that ask for 100 kB by HTTP/1.1 and by HTTP/2, and for a fixed answer, all the while."""

    def __init__(self, s):
        self.port, self.stopping = s.port("web"), threading.Event()
        self.took, self.failed = {}, []
        self.threads = [threading.Thread(target=self.ask, args=one) for one in (("HTTP/1.1", self.by_h1), ("HTTP/2", self.by_h2))]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def ask(self, kind, turn):
        while not self.stopping.is_set():
            start = time.monotonic()
            try:
                equal(turn(), [(200, 100_000), (200, 6)], "statuses and lengths")
                self.took.setdefault(kind, []).append(time.monotonic() - start)
            except (OSError, Failure) as error:
                self.failed.append(f"{kind}: {error}")
            self.stopping.wait(0.02)

    def by_h1(self):
        with Wire(self.port) as wire:
            answers = [wire.exchange(target=path) for path in ("/small", "/fixed")]
            return [(one.status, len(one.body)) for one in answers]

    def by_h2(self):
        with H2(self.port) as h2:
            h2.settle()
            found = []
            for stream, path in ((1, "/small"), (3, "/fixed")):
                h2.headers(stream, h2.fields(path=path))
                status, _, body, _, _ = h2.response(stream)
                found.append((status, len(body)))
            return found

    def served(self):
        return len(self.took) == 2 and all(len(took) >= 5 for took in self.took.values())

    def verdict(self, s, beside):
        """Figures, and the longest that somebody waited."""
        for kind, took in sorted(self.took.items()):
            took.sort()
            s.figure(f"{kind} beside {beside}", f"{len(took)} times two requests", f"median {took[len(took) // 2] * 1000:.0f} ms", f"longest {took[-1] * 1000:.0f} ms")
        equal(self.failed[:3], [], f"{len(self.failed)} failures")
        ensure(self.served(), "nobody was served")
        # The long form has as many requests at one nginx.
        ensure(max(took[-1] for took in self.took.values()) < max(3, CONNECTIONS / 100), "somebody waited")


def literal(fields):
    return b"".join(bytes([0, len(name)]) + name + bytes([len(value)]) + value for name, value in fields)


# MARK: windows that stay shut

def stalled(s, node):
    head = literal([(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/large"), (b":authority", b"x")])
    for name, settings in (("the windows that they begin with", b""), ("no window at all", struct.pack(">HI", 4, 0))):
        asked = MAGIC + frame(SETTINGS, 0, 0, settings) + frame(SETTINGS, ACK)
        asked += b"".join(frame(HEADERS, END_STREAM | END_HEADERS, 1 + 2 * number, head) for number in range(STREAMS))
        with s.fact(f"{CONNECTIONS} connections of {STREAMS} streams, {name}, never opened"), contextlib.ExitStack() as stack:
            before, timeouts = node.rss(), web(node)["timeouts"]
            with Honest(s) as honest:
                for _ in range(CONNECTIONS):
                    ask(stack, s.port("web"), asked)
                most = peak(node, lambda: web(node)["timeouts"] > timeouts, 30)
            grown = most - before
            s.figure(f"{name}: {CONNECTIONS} × {STREAMS}", f"RSS grew by {grown / 1024:.0f} MiB", f"{grown / CONNECTIONS:.0f} KiB a connection")
            ensure(grown < 350 * KIB, f"RSS grew by {grown} KiB")
            honest.verdict(s, name)
        with s.fact(f"… and their time ends, which is counted ({name})"):
            wait(lambda: web(node)["timeouts"] > timeouts and web(node)["inFlight"] == 0, "nothing is in flight", 15)
            s.figure(f"{name}: ended", f"{web(node)['timeouts'] - timeouts} by time", f"{web(node)['http2_floods']['buffers']} for the buffers so far")
    with s.fact("connections that held too much are counted"):
        ensure(CONNECTIONS < 30 or web(node)["http2_floods"]["buffers"] > 0, f"{web(node)['http2_floods']}")


def web(node, name="web"):
    return next(one for one in node.status()["listeners"] if one["name"] == name)


def peak(node, condition, seconds):
    """The largest RSS until it is so."""
    most = [0]

    def look():
        most[0] = max(most[0], node.rss())
        return condition()
    wait(look, "it is so", seconds, every=0.1)
    return most[0]


def ask(stack, port, asked):
    """A client with a small buffer that asks, and reads nothing; open as long as the stack."""
    one = stack.enter_context(socket.socket())
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.settimeout(30)
    one.connect(("127.0.0.1", port))
    one.sendall(asked)


# MARK: HTTP/1.1 clients that read nothing

def readers(s, node):
    low, high = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(high, max(low, READERS + 500)), high))
    with s.fact(f"{READERS} HTTP/1.1 clients of an HTTP/2 pool that read nothing: those that stand still the longest are cut, nobody else waits"), contextlib.ExitStack() as stack:
        with Honest(s) as honest:
            for _ in range(READERS):
                ask(stack, s.port("patient"), b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
            # Their own time is long: whoever is cut made room.
            most = peak(node, lambda: web(node, "patient")["timeouts"] >= 100 and honest.served(), 20)
        s.figure(f"{READERS} that read nothing", f"RSS at most {most / 1024:.0f} MiB", f"{web(node, 'patient')['timeouts']} cut")
        ensure(most < 400 * KIB, f"RSS is {most} KiB")
        honest.verdict(s, f"{READERS} that read nothing")
    with s.fact("… the log says why, and nothing is left of them"):
        wait(lambda: web(node, "patient")["inFlight"] == 0, "nothing is in flight", 10)
        node.wait_logged(lambda entry: entry.get("path") == "/huge" and entry.get("reason") == "out-of-buffers", "out-of-buffers")


# MARK: calls that are read by drops

class Calls(Server):
    """A gRPC server by HTTP/2 whose every call streams as fast as it may, for ever."""

    def __init__(self, scenario, name):
        self.sent = self.resets = 0
        super().__init__(scenario, name)

    def handle(self, wire):
        wire.exactly(len(MAGIC))
        wire.send(frame(SETTINGS))
        initial, connection, windows, message = 65535, 65535, {}, bytes(16384)
        while True:
            head = wire.exactly(9)
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            payload = wire.exactly(int.from_bytes(head[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                for at in range(0, len(payload), 6):
                    key, value = struct.unpack(">HI", payload[at:at + 6])
                    initial = value if key == 4 else initial
                wire.send(frame(SETTINGS, ACK))
            elif kind == HEADERS:
                windows[stream] = initial
                wire.send(frame(HEADERS, END_HEADERS, stream, b"\x88" + literal([(b"content-type", b"application/grpc")])))
            elif kind == RST_STREAM:
                self.resets += 1
                windows.pop(stream, None)
            elif kind == WINDOW_UPDATE:
                amount = struct.unpack(">I", payload)[0]
                if stream:
                    windows[stream] = windows.get(stream, 0) + amount
                else:
                    connection += amount
            for stream in windows:
                while (size := min(windows[stream], connection, len(message))) > 0:
                    wire.send(frame(DATA, 0, stream, message[:size]))
                    windows[stream] -= size
                    connection -= size
                    self.sent += size


def slow_calls(s, node, calls):
    with s.fact(f"{CALLS} streaming calls that are read at 1 KiB a second"), Honest(s) as honest, H2(s.port("web"), settings=struct.pack(">HI", 4, 1024)) as h2:
        before = node.rss()
        h2.settle()
        for number in range(CALLS):
            h2.headers(1 + 2 * number, h2.fields("POST", "/call", extra=[("content-type", "application/grpc"), ("te", "trailers")]))
        got, pings = 0, 0
        for _ in range(6):
            deadline = time.monotonic() + 1
            with contextlib.suppress(Failure):
                while (found := h2.next(deadline)) is not None:
                    if found.kind == RST_STREAM or found.kind == GOAWAY:
                        raise SystemError(f"{found}")
                    got += len(found.payload) if found.kind == DATA else 0
            h2.send(b"".join(frame(WINDOW_UPDATE, 0, 1 + 2 * number, struct.pack(">I", 1024)) for number in range(CALLS)))
            h2.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1024 * CALLS)))
        grown = node.rss() - before
        s.figure(f"{CALLS} calls at 1 KiB/s", f"{calls.sent / CALLS / KIB:.0f} KiB sent by the server for each", f"{got / CALLS / KIB:.0f} KiB read", f"RSS grew by {grown} KiB")
        ensure(got >= 5 * CALLS * KIB, f"{got} bytes came")
        ensure(calls.sent < CALLS * 200 * KIB, f"{calls.sent} bytes were taken from the server")
        ensure(grown < 32 * KIB, f"RSS grew by {grown} KiB")
    with s.fact("… and who leaves ends them at the server"):
        honest.verdict(s, "slow calls")
        wait(lambda: calls.resets == CALLS, f"{CALLS} resets", 5)


# MARK: sockets with a stuck side

class Flood(Server):
    """Takes an upgrade and sends for ever."""

    sent = 0

    def handle(self, wire):
        upgrade(wire)
        wire.socket.settimeout(20)
        while True:
            self.sent += wire.socket.send(bytes(65536))


class Deaf(Server):
    """Takes an upgrade and reads nothing of what follows."""

    def handle(self, wire):
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
        upgrade(wire)
        gone.wait(20)


gone = threading.Event()


def upgrade(wire):
    wire.line()
    fields = dict((name.lower(), value) for name, value in wire.fields())
    wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
              f"{accept(fields['sec-websocket-key'])}\r\n\r\n")


def accept(key):
    import base64
    import hashlib
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def socket_by_stream(h2, path, stream=1):
    h2.headers(
        stream, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", path), (":authority", "x"),
                 ("sec-websocket-version", "13")], end=False)
    found = h2.read(lambda f: f.kind == HEADERS and f.stream == stream)
    equal(dict(h2.decoder.decode(found.payload))[":status"], "200", "status")


def ended(h2, stream, seconds=8):
    """Reads until the stream is reset."""
    return h2.read(lambda f: f.kind == RST_STREAM and f.stream == stream, seconds).code


def sockets(s, node, flood, deaf):
    with s.fact("WebSocket by HTTP/2, the client takes nothing: its server is held back, and its time ends"), H2(s.port("sockets")) as h2:
        before = node.rss()
        h2.settle()
        socket_by_stream(h2, "/flood")
        code = ended(h2, 1)
        equal(code, "CANCEL", "code")
        s.figure("a socket that is not read", f"{flood.sent / KIB:.0f} KiB sent by the server", f"RSS grew by {node.rss() - before} KiB", code)
        ensure(flood.sent < 16 << 20, f"{flood.sent} bytes were taken")
        ensure(h2.alive(), "the connection ended")
        ensure(node.rss() - before < 8 * KIB, f"RSS grew by {node.rss() - before} KiB")
    with s.fact("… the server takes nothing: the client is held back at its window, others of its connection are not"), H2(s.port("sockets")) as h2:
        h2.settle()
        socket_by_stream(h2, "/deaf")
        sent, window, connection = 0, h2.peer.get(4, 65535), 65535
        with contextlib.suppress(Failure, Closed):
            while sent < 64 << 20:
                while (size := min(window, connection, 16384)) > 0:
                    h2.data(1, bytes(size))
                    sent, window, connection = sent + size, window - size, connection - size
                update = h2.read(lambda f: f.kind == WINDOW_UPDATE, 0.5)
                amount = struct.unpack(">I", update.payload)[0]
                if update.stream == 1:
                    window += amount
                elif update.stream == 0:
                    connection += amount
        h2.headers(3, h2.fields(path="/fixed"))
        equal(h2.response(3, window=False)[0], 200, "status of another stream")
        code = ended(h2, 1)
        equal(code, "CANCEL", "code")
        s.figure("a socket whose server does not read", f"{sent / KIB:.0f} KiB taken of the client", code)
        ensure(sent < 16 << 20, f"{sent} bytes were taken")
    with s.fact("the log says why both ended"):
        reasons = [node.wait_logged(lambda entry: entry.get("path") == path, path).get("reason") for path in ("/flood", "/deaf")]
        s.figure("reasons", str(reasons))
        equal(reasons, ["tunnel-idle"] * 2, "reasons")
    gone.set()


# MARK: races at the end

def races(s, node):
    """Connections that are told to go (GOAWAY) in the middle of hints, trailers and resets."""
    seed = random.Random(103)
    counts = {"answered": 0, "reset by us": 0}
    before = {"malformed": web(node, "leaving")["malformed"]}
    with s.fact("300 connections that end by GOAWAY among hints, trailers and resets: each stream has its answer, or its reset"):
        for _ in range(300):
            race(s.port("leaving"), seed, counts)
        s.figure("streams of 300 races", *(f"{kind} {count}" for kind, count in counts.items()))
        ensure(counts["answered"] > 1000 and counts["reset by us"] > 300, str(counts))
        equal(set(counts) - {"answered", "reset by us", "refused", "REFUSED_STREAM"}, set(), "other ends of streams")
    with s.fact("… and nothing is left of them"):
        wait(lambda: web(node, "leaving")["connections"] == web(node, "leaving")["inFlight"] == 0, "nothing is in flight", 10)
        equal(web(node, "leaving")["malformed"], before["malformed"], "malformed")
        ensure(node.process.running, "the process ended")


def race(port, seed, counts):
    with H2(port) as h2:
        h2.settle()
        wanted, data = {}, b""
        for number in range(seed.randint(8, 16)):
            stream = 1 + 2 * number
            path = seed.choice(("/fixed", "/plain/early", "/plain/chunked/2000", "/plain/delay/3", "/small"))
            # nginx takes trailers of a request for an error of the connection.
            if path != "/small" and seed.random() < 0.4:
                data += frame(HEADERS, END_HEADERS, stream, h2.block(h2.fields("POST", path)))
                data += frame(DATA, 0, stream, b"content") + frame(HEADERS, END_HEADERS | END_STREAM, stream, h2.block([("x-sum", "1")]))
            else:
                data += frame(HEADERS, END_HEADERS | END_STREAM, stream, h2.block(h2.fields(path=path)))
            wanted[stream] = "asked"
            if seed.random() < 0.3:
                data += frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
                wanted[stream] = "reset by us"
            if seed.random() < 0.1:
                h2.send(data)
                data = b""
        if seed.random() < 0.3:
            data += frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0))
        h2.send(data)
        last, deadline = 1 << 31, time.monotonic() + 8
        while any(state == "asked" for stream, state in wanted.items() if stream <= last):
            found = h2.next(deadline)
            if found is None:
                break
            if found.kind == GOAWAY:
                equal(found.code, "NO_ERROR", "code of GOAWAY")
                last = found.last
            if found.kind == DATA and found.payload:
                update = struct.pack(">I", len(found.payload))
                h2.send(frame(WINDOW_UPDATE, 0, 0, update) + frame(WINDOW_UPDATE, 0, found.stream, update))
            if found.kind == RST_STREAM and wanted[found.stream] == "asked":
                wanted[found.stream] = "answered" if found.code == "NO_ERROR" else found.code
            if found.kind in (HEADERS, DATA) and found.flags & END_STREAM and wanted[found.stream] == "asked":
                wanted[found.stream] = "answered"
        for stream, state in wanted.items():
            if state == "asked":
                ensure(stream > last, f"stream {stream} of {last} has no answer")
                state = "refused"
            counts[state] = counts.get(state, 0) + 1
