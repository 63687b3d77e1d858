"""Backends that break HTTP/2 frame by frame: nobody takes a broken response for a whole one, and nobody else notices."""

import collections
import concurrent.futures
import struct
import time

import hpack

from lib.h2peer import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, MAGIC, PADDED, PING, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    Reset, frame)
from lib.node import Node
from lib.origin import Server
from lib.scenario import ensure, equal, wait
from lib.wire import Closed, Wire, get

LIMIT = 120
OK = [(":status", "200")]


class Peer:
    """One connection of a backend: frames in, and out whatever a case says."""

    def __init__(self, wire, settings=b""):
        self.wire, self.encoder, self.decoder = wire, hpack.Encoder(), hpack.Decoder()
        self.held = 0
        wire.exactly(len(MAGIC))
        wire.send(frame(SETTINGS, 0, 0, settings))

    def next(self):
        head = self.wire.exactly(9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = self.wire.exactly(int.from_bytes(head[:3], "big"))
        if kind == SETTINGS and not flags & ACK:
            self.wire.send(frame(SETTINGS, ACK))
        return kind, flags, stream & 0x7fffffff, payload

    def request(self):
        """(stream, path) of the next one."""
        while True:
            kind, _, stream, payload = self.next()
            if kind == HEADERS:
                return stream, dict(self.decoder.decode(payload))[":path"]

    def head(self, stream, fields, end=False, flags=END_HEADERS):
        return frame(HEADERS, flags | (END_STREAM if end else 0), stream, self.encoder.encode(fields, huffman=False))

    def whole(self, stream, body=b"ok"):
        return self.head(stream, OK) + frame(DATA, END_STREAM, stream, body)


def error(stream, code):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last, code=0):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code))


def start(p, n, body=b"only"):
    return p.head(n, OK) + frame(DATA, 0, n, body)


# What comes for a request, and what the client gets: "ok" (200 with "ok"), "502", or "cut" (also after a head of 200).
CASES = {
    "whole": (lambda p, n: p.whole(n), "ok"),
    "padded": (lambda p, n: p.head(n, OK) + frame(DATA, PADDED | END_STREAM, n, b"\x09ok" + bytes(9)), "ok"),
    "padding longer than its frame": (lambda p, n: p.head(n, OK) + frame(DATA, PADDED | END_STREAM, n, b"\x09ok"), "cut"),
    "NO_ERROR after a whole response": (lambda p, n: p.whole(n) + error(n, 0), "ok"),
    "GOAWAY within the body, which ends well": (lambda p, n: p.head(n, OK) + frame(DATA, 0, n, b"o") + goaway(n) + frame(DATA, END_STREAM, n, b"k"), "ok"),
    "GOAWAY and the end within a body": (lambda p, n: start(p, n) + goaway(n) + b"end", "cut"),
    "the end within a body": (lambda p, n: start(p, n) + b"end", "cut"),
    "the end before a response": (lambda p, n: b"end", "502"),
    "a reset within a body": (lambda p, n: start(p, n) + error(n, 2), "cut"),
    "NO_ERROR within a body": (lambda p, n: start(p, n) + error(n, 0), "cut"),
    "less than its length": (lambda p, n: p.head(n, [*OK, ("content-length", "100")]) + frame(DATA, END_STREAM, n, b"only"), "cut"),
    "more than its length": (lambda p, n: p.head(n, [*OK, ("content-length", "2")]) + frame(DATA, END_STREAM, n, b"okevil"), "cut"),
    "a length and no body": (lambda p, n: p.head(n, [*OK, ("content-length", "2")], end=True), "502"),
    "two lengths": (lambda p, n: p.head(n, [*OK, ("content-length", "2"), ("content-length", "2")]) + frame(DATA, END_STREAM, n, b"ok"), "502"),
    "a pseudo-header in trailers": (lambda p, n: start(p, n) + p.head(n, OK, end=True), "cut"),
    "trailers without an end": (lambda p, n: start(p, n) + p.head(n, [("x-a", "1")]), "cut"),
    "103 after the response": (lambda p, n: start(p, n) + p.head(n, [(":status", "103")]), "cut"),
    "103 that ends the stream": (lambda p, n: p.head(n, [(":status", "103")], end=True), "502"),
    "101": (lambda p, n: p.head(n, [(":status", "101")]), "502"),
    "no status": (lambda p, n: p.head(n, [("x-a", "1")], end=True), "502"),
    "two statuses": (lambda p, n: p.head(n, [*OK, *OK], end=True), "502"),
    "a status of letters": (lambda p, n: p.head(n, [(":status", "abc")], end=True), "502"),
    "a late status": (lambda p, n: p.head(n, [("x-a", "1"), *OK], end=True), "502"),
    "a request's pseudo-header": (lambda p, n: p.head(n, [*OK, (":path", "/")], end=True), "502"),
    "Connection": (lambda p, n: p.head(n, [*OK, ("connection", "close")]) + frame(DATA, END_STREAM, n, b"ok"), "502"),
    "Transfer-Encoding": (lambda p, n: p.head(n, [*OK, ("transfer-encoding", "chunked")]) + frame(DATA, END_STREAM, n, b"0\r\n\r\n"), "502"),
    "TE": (lambda p, n: p.head(n, [*OK, ("te", "trailers")], end=True), "502"),
    "a name in upper case": (lambda p, n: p.head(n, [*OK, ("X-A", "1")], end=True), "502"),
    "CR and LF in a value": (lambda p, n: p.head(n, [*OK, ("x-a", "1\r\nset-cookie: evil=1")], end=True), "502"),
    "NUL in a value": (lambda p, n: p.head(n, [*OK, ("x-a", "1\0")], end=True), "502"),
    "a colon in a name": (lambda p, n: p.head(n, [*OK, ("x:a", "1")], end=True), "502"),
    "a promise": (lambda p, n: frame(PUSH_PROMISE, END_HEADERS, n, struct.pack(">I", 2) + p.encoder.encode([(":method", "GET")])), "502"),
    "an odd stream of the backend's": (lambda p, n: p.head(n + 100, OK, end=True), "502"),
    "DATA before the head": (lambda p, n: frame(DATA, END_STREAM, n, b"ok"), "502"),
    "DATA on no stream": (lambda p, n: frame(DATA, 0, 0, b"ok"), "502"),
    "a frame too large": (lambda p, n: p.head(n, OK) + frame(DATA, 0, n, bytes(1 << 18)), "cut"),
    "a stream's window too large": (lambda p, n: frame(WINDOW_UPDATE, 0, n, struct.pack(">I", 0x7fffffff)), "502"),
    "the connection's window too large": (lambda p, n: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7fffffff)), "502"),
    "a block that is no HPACK": (lambda p, n: frame(HEADERS, END_HEADERS, n, b"\xff" * 40), "502"),
    "a head of 100 KB": (lambda p, n: p.head(n, [*OK, *[(f"x-{i}", "y" * 1000) for i in range(10)]], flags=0)
                         + frame(CONTINUATION, 0, n, p.encoder.encode([(f"z-{i}", "y" * 1000) for i in range(15)], huffman=False)) * 6
                         + frame(CONTINUATION, END_HEADERS, n, b""), "502"),
    "200 fields": (lambda p, n: p.head(n, [*OK, *[(f"x-{i}", "1") for i in range(200)]], end=True), "502"),
    "CONTINUATION without end": (lambda p, n: p.head(n, OK, flags=0) + frame(CONTINUATION, 0, n, b"") * 5000, "502"),
    "interim responses without end": (lambda p, n: p.head(n, [(":status", "103"), ("link", "</x>")]) * 2000, "cut"),
    "PING flood": (lambda p, n: frame(PING, 0, 0, bytes(8)) * 50_000 + b"end", "502"),
    "SETTINGS flood": (lambda p, n: frame(SETTINGS) * 5000 + b"end", "502"),
    "empty DATA flood": (lambda p, n: p.head(n, OK) + frame(DATA, 0, n, b"") * 50_000 + b"end", "cut"),
    "a body behind 204": (lambda p, n: p.head(n, [(":status", "204")]) + frame(DATA, END_STREAM, n, b"evil"), "204"),
    "a body behind 304": (lambda p, n: p.head(n, [(":status", "304")]) + frame(DATA, END_STREAM, n, b"evil"), "304"),
}


class Bad(Server):
    """Answers /NUMBER as the case of that number says."""

    def handle(self, wire):
        p = Peer(wire)
        while True:
            stream, path = p.request()
            if path == "/hold":
                p.held += 1
                if p.held == 100:
                    return
                continue
            answer = CASES[list(CASES)[int(path[1:])]][0](p, stream)
            wire.send(answer.removesuffix(b"end"))
            if answer.endswith(b"end"):
                return


class Narrow(Server):
    """Takes one stream at a time, and says so late; a second one is a failure."""

    at_once = 0

    def handle(self, wire):
        p = Peer(wire, struct.pack(">HI", 3, 1))
        open_streams = set()
        while True:
            stream, _ = p.request()
            open_streams.add(stream)
            self.at_once = max(self.at_once, len(open_streams))
            time.sleep(0.005)  # the time that a request takes
            open_streams.discard(stream)
            wire.send(p.whole(stream))


class Leaving(Server):
    """Refuses every other stream: as one that leaves, or by REFUSED_STREAM; and leaves after each that it takes."""

    turn = 0

    def handle(self, wire):
        p = Peer(wire)
        while True:
            stream, path = p.request()
            self.turn += 1
            if self.turn % 2:
                wire.send(goaway(0) if path == "/goaway" else error(stream, 7))
            else:
                wire.send(goaway(stream) + p.whole(stream))


class Shut(Server):
    """Has no window for content but what it gives byte by byte."""

    early = 0

    def handle(self, wire):
        p = Peer(wire, struct.pack(">HI", 4, 0))
        # Once this is answered the proxy knows the window.
        stream, _ = p.request()
        wire.send(p.head(stream, OK, end=True))
        stream, _ = p.request()
        body = b""
        wire.send(frame(PING, 0, 0, bytes(8)))
        while len(body) < 10:
            kind, flags, of, payload = p.next()
            if kind == DATA and of == stream:
                body += payload
            if kind == DATA and len(payload) != 1:
                self.early += 1
            if kind == PING or kind == DATA:
                wire.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1)))
        wire.send(p.whole(stream, body))


def by_h1(s, number):
    with Wire(s.port("web"), timeout=6) as wire:
        try:
            response = wire.exchange(target=f"/{number}")
        except Closed:
            return "cut"
        ensure(not response.all("set-cookie"), "a field was smuggled in")
        return "ok" if (response.status, response.body) == (200, b"ok") else str(response.status)


def by_h2(s, number):
    with H2(s.port("web"), timeout=6) as h2:
        h2.settle().headers(1, h2.fields(path=f"/{number}"))
        try:
            status, fields, body, _, _ = h2.response(1)
        except Reset:
            return "cut"
        ensure("set-cookie" not in dict(fields), "a field was smuggled in")
        return "ok" if (status, body) == (200, b"ok") else str(status)


def run(s):
    bad = Bad(s, "bad")
    node = Node(s)
    narrow = Narrow(s, "narrow")
    Leaving(s, "leaving")
    shut = Shut(s, "shut")
    before = node.rss()
    s.figure("the backend's", "HTTP/1.1", "HTTP/2", "seconds")
    for number, (name, (_, wanted)) in enumerate(CASES.items()):
        outcomes, begin = [], time.monotonic()
        for version, ask in (("HTTP/1.1", by_h1), ("HTTP/2", by_h2)):
            with s.fact(f"{name}: {wanted} by {version}"):
                outcome = ask(s, number)
                outcomes.append(outcome)
                # A fault may be found before the head has gone out.
                ensure(outcome in (wanted, "cut", "502") if wanted in ("cut", "204", "304") else outcome == wanted, f"{outcome}, not {wanted}")
        s.figure(name, *outcomes, f"{time.monotonic() - begin:.2f}")
        with s.fact(f"after {name}: the next is served"):
            equal(by_h1(s, 0), "ok", "outcome")
    with s.fact("a connection that ends with 100 streams: each is answered"), concurrent.futures.ThreadPoolExecutor(100) as pool:
        found = collections.Counter(pool.map(lambda _: get(s.port("web"), "/hold", timeout=10).status, range(100)))
        s.figure("100 streams that end at once", str(dict(found)), "", "")
        equal(sum(found.values()), 100, "answers")
        ensure(set(found) <= {502, 504}, f"statuses {found}")
    with s.fact("a backend that takes one stream at a time gets no second"), concurrent.futures.ThreadPoolExecutor(20) as pool:
        found = collections.Counter(pool.map(lambda _: get(s.port("web"), "/narrow", timeout=10).text, range(40)))
        equal((dict(found), narrow.at_once), ({"ok": 40}, 1), "answers, and streams at once")
    for path in ("/goaway", "/refused"):
        for method, body in (("GET", b""), ("POST", b"once")):
            with s.fact(f"{method} {path}: what was surely not processed is tried again"), Wire(s.port("web")) as wire:
                response = wire.exchange(method, path, body=body)
                equal((response.status, response.text), (200, "ok"), "response")
    with s.fact("no content before there is a window for it"), Wire(s.port("web")) as wire:
        wire.exchange(target="/shut")
        equal((wire.exchange("POST", "/shut", body=b"0123456789").text, shut.early), ("0123456789", 0), "what came, and what came early")
    with s.fact("nothing is held afterwards"):
        wait(lambda: node.backend("bad", f"127.0.0.1:{bad.port}")["inFlight"] == 0, "nothing is in flight")
        grown = node.rss() - before
        s.figure("memory grown", f"{grown / 1024:.0f} MiB", "", "")
        ensure(grown < 48 * 1024, f"RSS grew by {grown} KiB")
        equal(by_h1(s, 0), "ok", "outcome")
