"""Mirrors: another pool gets copies of requests; whatever becomes of them, those who asked notice nothing."""

import struct
import subprocess
import time

import hpack

from lib.h2peer import ACK, DATA, END_HEADERS, END_STREAM, H2, HEADERS, MAGIC, SETTINGS, WINDOW_UPDATE, frame
from lib.load import Load
from lib.node import Node
from lib.origin import Origin, Server
from lib.scenario import contains, ensure, equal, wait
from lib.wire import Wire, get

LIMIT = 60
TENTHS = 2000


class Slow(Origin):
    def answer(self, wire, seen):
        time.sleep(0.2)
        return super().answer(wire, seen)


class Streams(Server):
    """A server by HTTP/2 that keeps what it is asked, and answers with content and trailers."""

    def __init__(self, s, name):
        self.requests, self.connections = [], 0
        super().__init__(s, name)

    def handle(self, wire):
        self.connections += 1
        decoder, encoder, open_ = hpack.Decoder(), hpack.Encoder(), {}
        wire.exactly(len(MAGIC))
        wire.send(frame(SETTINGS))
        while True:
            head = wire.exactly(9)
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            payload = wire.exactly(int.from_bytes(head[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                wire.send(frame(SETTINGS, ACK))
            elif kind == HEADERS:
                open_[stream] = (dict(decoder.decode(payload)), bytearray())
            elif kind == DATA:
                open_[stream][1].extend(payload)
                if payload:
                    size = struct.pack(">I", len(payload))
                    wire.send(frame(WINDOW_UPDATE, 0, 0, size) + frame(WINDOW_UPDATE, 0, stream, size))
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                fields, body = open_.pop(stream)
                self.requests.append((fields, bytes(body)))
                wire.send(frame(HEADERS, END_HEADERS, stream, encoder.encode([(":status", "200"), ("x-backend", self.name)]))
                          + frame(DATA, 0, stream, b"a" * 5000)
                          + frame(HEADERS, END_HEADERS | END_STREAM, stream, encoder.encode([("grpc-status", "0")])))


def hang(wire):
    while wire.socket.recv(65536):
        pass


def run(s):
    s.port("dead")
    origin, shadow = Origin(s, "origin"), Origin(s, "shadow")
    Server(s, "hangs", hang)
    Slow(s, "slow")
    h2, h2shadow = Streams(s, "h2"), Streams(s, "h2shadow")
    node = Node(s)
    same(s, node, origin, shadow)
    bodies(s, node, origin, shadow)
    share(s, node, shadow)
    ill(s, node, origin)
    forged(s, node, shadow)
    by_h2(s, node, shadow, h2, h2shadow)
    load(s, node)


def copies(node):
    return node.status().get("copies") or dict.fromkeys(("sent", "busy", "full", "long", "unfit", "cut"), 0)


def counted(node, before, **more):
    """Waits until so many more were counted, and no other."""
    wanted = {key: count + more.get(key, 0) for key, count in before.items()}
    wait(lambda: copies(node) == wanted, f"{more} more than {before}", 5)


def exchange(s, path, method="GET", headers=(), body=b""):
    with Wire(s.port("web")) as wire:
        return wire.exchange(method, path, headers=list(headers), body=body)


def last(shadow, count):
    def whole():
        found = shadow.requests[count - 1]
        return found.whole and found
    return wait(whole, f"copy {count} is there")


def same(s, node, origin, shadow):
    with s.fact("a copy is what the request was to its backend: method, target, fields; and it says that it is one"):
        answer = exchange(s, "/all/x?y=1", "DELETE", [("X-One", "1"), ("X-Sluice-Mirror", "forged")])
        equal((answer.status, answer.header("x-backend")), (200, "origin"), "answer")
        copy, original = last(shadow, 1), origin.requests[-1]
        equal((copy.method, copy.target), ("DELETE", "/all/x?y=1"), "copy")
        equal(original.header("x-sluice-mirror"), None, "the mark on the original")
        equal([field for field in copy.headers if field[0].lower() != "x-sluice-mirror"], original.headers, "fields")
        equal((copy.all("x-sluice-mirror"), copy.header("x-team")), (["1"], "shop"), "mark")
    with s.fact("a route without one sends none; a copy is no line in the log and no request of the listener"):
        exchange(s, "/other")
        entries = wait(lambda: len(found := node.access_log()) >= 2 and found, "two lines", 5)
        equal([one["pool"] for one in entries], ["web", "web"], "log")
        listener = node.status()["listeners"][0]
        equal((listener["requests"], listener["inFlight"], len(shadow.requests)), (2, 0, 1), "counts")
        equal(node.backend("shadow", "shadow")["requests"], 1, "the shadow's requests")


def forged(s, node, shadow):
    with s.fact("a client that says it is a copy is none, also where its route has no mirror and its backend gets copies"):
        equal(exchange(s, "/shadow", headers=[("X-Sluice-Mirror", "1")]).status, 200, "status")
        equal((shadow.requests[-1].target, shadow.requests[-1].header("x-sluice-mirror")), ("/shadow", None), "mark")
    with s.fact("a mirror whose backends have versions gets copies where a client would go"):
        before, failed = copies(node), node.backend("versioned", "two")["connectFailures"]
        equal([exchange(s, "/versioned").status for _ in range(4)], [200] * 4, "status")
        exchange(s, "/versioned", headers=[("X-Version", "v2")])
        counted(node, before, sent=5)
        wait(lambda: shadow.requests[-1].target == "/versioned" and node.backend("versioned", "one")["requests"] == 4, "four are v1's")
        wait(lambda: node.backend("versioned", "two")["connectFailures"] - failed == 1, "the other asked for v2")


def by_h2(s, node, shadow, h2, h2shadow):
    def copied(count):
        return wait(lambda: len(h2shadow.requests) >= count and h2shadow.requests[count - 1], f"copy {count} is there")

    with s.fact("a mirror that speaks HTTP/2: requests of an HTTP/1.1 pool, without a body and with a length"):
        before = copies(node)
        equal(exchange(s, "/to-h2/x?y=1", "DELETE", [("X-One", "1")]).status, 200, "status")
        fields, body = copied(1)
        equal([fields.get(name) for name in (":method", ":path", ":scheme", "x-one", "x-sluice-mirror")], ["DELETE", "/to-h2/x?y=1", "http", "1", "1"], "copy")
        equal((exchange(s, "/to-h2", "POST", body=b"z" * 20000).status, copied(2)[1]), (200, b"z" * 20000), "with a length")
        with Wire(s.port("web")) as wire:
            wire.send("POST /to-h2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            equal(wire.response().status, 200, "status")
        counted(node, before, sent=2, unfit=1)
    with s.fact("a call to a pool that speaks HTTP/2 is copied whole, a long one is not, and the client gets its own answer"), H2(s.port("web")) as client:
        client.settle()
        before, call = copies(node), [("content-type", "application/grpc"), ("te", "trailers")]
        for stream, size in ((1, 3000), (3, 40000)):
            client.headers(stream, client.fields("POST", "/h2/call", extra=call), end=False)
            for at in range(0, size, 10000):
                client.data(stream, b"m" * min(10000, size - at), end=at + 10000 >= size)
            status, fields, body, trailers, _ = client.response(stream)
            equal((status, dict(fields).get("x-backend"), len(body), dict(trailers)), (200, "h2", 5000, {"grpc-status": "0"}), "answer")
        counted(node, before, sent=1, long=1)
        fields, body = copied(3)
        equal((fields[":path"], fields["te"], fields["content-type"], fields["x-sluice-mirror"], body),
              ("/h2/call", "trailers", "application/grpc", "1", b"m" * 3000), "copy")
        equal([len(body) for _, body in h2.requests], [3000, 40000], "what the pool got")
    with s.fact("to a mirror that speaks HTTP/1.1 go requests of an HTTP/2 pool without a body alone"):
        before, had = copies(node), len(shadow.requests)
        equal(exchange(s, "/from-h2").status, 200, "status")
        equal(exchange(s, "/from-h2", "POST", body=b"x").status, 200, "status")
        counted(node, before, sent=1, unfit=1)
        wait(lambda: len(shadow.requests) == had + 1, "one copy")
    with s.fact("many copies share few connections"):
        before, had = copies(node), len(h2shadow.requests)
        with Wire(s.port("web")) as wire:
            for _ in range(200):
                equal(wire.exchange("GET", "/to-h2/many").status, 200, "status")
        wait(lambda: len(h2shadow.requests) - had == copies(node)["sent"] - before["sent"], "all that were sent are there")
        found = node.backend("h2shadow", "h2shadow")
        s.figure("copies by HTTP/2", f"{len(h2shadow.requests)} on {h2shadow.connections} connections")
        ensure(h2shadow.connections <= 4 and found["failures"] == 0, f"{h2shadow.connections} connections, {found}")
        wait(lambda: node.backend("h2shadow", "h2shadow")["inFlight"] == 0, "nothing is in flight")


def bodies(s, node, origin, shadow):
    with s.fact("bodies go along, by length, in chunks, late, and from HTTP/2"):
        body = bytes(range(256)) * 80
        exchange(s, "/all/length", "POST", body=body)
        copy = last(shadow, 2)
        equal((copy.target, copy.length, copy.sha256), ("/all/length", len(body), origin.requests[-1].sha256), "by length")
        with Wire(s.port("web")) as wire:
            wire.send("POST /all/chunks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            wait(lambda: origin.requests[-1].target == "/all/chunks", "the original is on its way")
            equal(len(shadow.requests), 2, "copies before the body is whole")
            wire.send("6\r\n world\r\n0\r\n\r\n")
            equal(wire.response().status, 200, "status")
        copy = last(shadow, 3)
        equal((copy.target, copy.body), ("/all/chunks", b"hello world"), "in chunks")
        done = subprocess.run(["curl", "-s", "-m", "5", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code}", "-d", "b" * 9000,
                               f"http://127.0.0.1:{s.port('web')}/all/h2"], capture_output=True, text=True, timeout=10)
        equal(done.stdout, "200", "curl")
        copy = last(shadow, 4)
        equal((copy.target, copy.body), ("/all/h2", b"b" * 9000), "from HTTP/2")
    with s.fact("what is too long is passed on and not copied: by length, and found out on the way"):
        before = copies(node)
        equal(exchange(s, "/all/long", "POST", body=b"x" * 40000).status, 200, "status")
        with Wire(s.port("web")) as wire:
            wire.send("POST /all/longer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(5):
                wire.send(b"4000\r\n" + b"y" * 0x4000 + b"\r\n")
            wire.send("0\r\n\r\n")
            equal(wire.response().status, 200, "status")
        equal([one.length for one in origin.requests[-2:]], [40000, 5 * 0x4000], "bodies")
        counted(node, before, long=2)
        equal(len(shadow.requests), 4, "copies")
    with s.fact("a client that goes away in the middle of its body leaves no copy"):
        before = copies(node)
        with Wire(s.port("web")) as wire:
            wire.send("POST /all/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            wait(lambda: origin.requests[-1].target == "/all/cut", "the original is on its way")
        counted(node, before, cut=1)
        equal(len(shadow.requests), 4, "copies")


def share(s, node, shadow):
    with s.fact("a tenth is a tenth, and the counts agree"):
        before, had = copies(node), len(shadow.requests)
        with Wire(s.port("web")) as wire:
            for _ in range(TENTHS):
                wire.send("GET /tenth HTTP/1.1\r\nHost: x\r\n\r\n")
                equal(wire.response().status, 200, "status")
        sent = copies(node)["sent"] - before["sent"]
        wait(lambda: len(shadow.requests) - had == sent, f"{sent} copies are there")
        # Five standard deviations.
        ensure(abs(sent - TENTHS // 10) < 68, f"{sent} copies of {TENTHS} requests")
        equal({key: count for key, count in copies(node).items() if key != "sent"}, {key: count for key, count in before.items() if key != "sent"}, "dropped")
        s.figure("share 10%", f"{sent} of {TENTHS}")
        contains(get(s.port("metrics"), "/metrics").text, f"sluice_mirror_copies_total {copies(node)['sent']}")


def ill(s, node, origin):
    with s.fact("a dead shadow: its backend has the failures, and nobody else"):
        before = node.backend("dead", "dead")["connectFailures"]
        for _ in range(20):
            equal(exchange(s, "/dead").status, 200, "status")
        wait(lambda: node.backend("dead", "dead")["connectFailures"] - before == 20, "20 refused connections")
    with s.fact("a hanging shadow: no more copies than may be are under way, each for its time, and then there is room again"):
        before, failed = copies(node), node.backend("hangs", "hangs")["failures"]
        with Wire(s.port("web")) as wire:
            for _ in range(50):
                equal(wire.exchange("GET", "/hangs").status, 200, "status")
        found = copies(node)
        equal((found["sent"] - before["sent"], found["busy"] - before["busy"]), (4, 46), "one worker's copies")
        wait(lambda: node.backend("hangs", "hangs")["failures"] - failed == 4, "four failures")
        wait(lambda: node.backend("hangs", "hangs")["inFlight"] == 0, "nothing is in flight")
        ensure(exchange(s, "/hangs").status == 200 and copies(node)["busy"] == found["busy"], "there is room again")
    with s.fact("a shadow without room is not waited for"):
        before = copies(node)
        for _ in range(3):
            equal(exchange(s, "/narrow").status, 200, "status")
        counted(node, before, sent=1, full=2)
    with s.fact("the pool that answers knows nothing of it"):
        found = node.backend("web", "web")
        equal((found["failures"], found["connectFailures"], found["retries"], found["timeouts"]), (0, 0, 0, 0), "failures")
        ensure(found["verdict"] == "up", found["verdict"])


def load(s, node):
    figures = {}
    for path in ("/plain", "/slow", "/dead"):
        with s.fact(f"under load nobody notices: {path}"):
            wrk = Load(s, f"http://127.0.0.1:{s.port('web')}{path}", name=f"wrk{path[1:]}", connections=16, seconds=3)
            figures[path] = wrk.result(20)
            equal(figures[path].failed, 0, f"failed requests: {figures[path]}")
            s.figure(path, f"{figures[path].requests} requests", f"p50 {figures[path].p50}", f"p99 {figures[path].p99}")
    with s.fact("what is under way ends"):
        wait(lambda: all(one["inFlight"] == 0 for pool in node.status()["pools"] for one in pool["backends"]), "nothing is in flight", 10)
        found = copies(node)
        ensure(found["busy"] > 0, f"{found}")
        s.figure("copies", *(f"{key} {count}" for key, count in found.items()))
