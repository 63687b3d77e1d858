"""CONNECT: refused unless the listener allows it; then the pool's proxy decides."""

from lib.h2peer import DATA, END_STREAM, H2, HEADERS
from lib.node import Node
from lib.origin import Server
from lib.peers import haproxy
from lib.scenario import ensure, equal
from lib.wire import Wire

seen = []


def proxy(wire):
    """A forward proxy that accepts every target but one and echoes in the tunnel."""
    line, fields = wire.line(), wire.fields()
    seen.append((line, fields))
    if "forbidden" in line:
        wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n")
        return
    wire.send("HTTP/1.1 200 Connection established\r\n\r\n")
    if wire.buffer:
        wire.send(wire.buffer)
    while data := wire.socket.recv(65536):
        wire.send(data)


def run(s):
    Server(s, "tunnels", proxy)
    haproxy(
        s, "haproxy",
        f"frontend f\n mode http\n bind 127.0.0.1:{s.port('haproxy')} proto h2\n default_backend b\nbackend b\n mode http\n server o 127.0.0.1:{s.port('tunnels')}",
        wait_ports=[s.port("haproxy")])
    Node(s)
    with s.fact("refused where it is not allowed, before any backend hears of it"), Wire(s.port("closed")) as wire:
        wire.send("CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443\r\n\r\n")
        status = wire.response().status
        ensure(status in (405, 403, 501), f"status {status}")
        equal(seen, [], "what the backend saw")
    for name in ("open", "multiplexed"):
        tunnel(s, name)
        streams(s, name)
    for target in ("host.test", "/path", "http://host.test/", "host.test:0x50", "host.test:99999", ":443"):
        with s.fact(f"CONNECT {target} is refused with 400"), Wire(s.port("open")) as wire:
            count = len(seen)
            wire.send(f"CONNECT {target} HTTP/1.1\r\nHost: host.test\r\n\r\n")
            equal(wire.response().status, 400, "status")
            equal(len(seen), count, "requests at the backend")


def tunnel(s, name):
    with s.fact(f"{name}: a tunnel where it is allowed"), Wire(s.port(name)) as wire:
        wire.send("CONNECT host.test:443 HTTP/1.1\r\nHost: other.test\r\n\r\n")
        response = wire.head()
        equal(response.status, 200, "status")
        equal(response.all("content-length") + response.all("transfer-encoding"), [], "framing of a 2xx to CONNECT")
        equal(seen[-1][0], "CONNECT host.test:443 HTTP/1.1", "the request line")
        for size in (1, 1000, 300_000):
            data = bytes(range(256)) * (size // 256 + 1)
            wire.send(data)
            equal(wire.exactly(len(data)) == data, True, "the echo is the same")
        wire.half_close()
        ensure(wire.ended(), "the tunnel stays open after both ends closed")
    with s.fact(f"{name}: bytes sent right behind the request are not lost"), Wire(s.port(name)) as wire:
        wire.send("CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443\r\n\r\nearly")
        equal(wire.head().status, 200, "status")
        equal(wire.exactly(5), b"early", "the echo")
    with s.fact(f"{name}: the proxy's refusal passes"), Wire(s.port(name)) as wire:
        wire.send("CONNECT forbidden.test:443 HTTP/1.1\r\nHost: forbidden.test:443\r\n\r\n")
        response = wire.response()
        equal((response.status, response.text), (403, "no\n"), "the response")


def streams(s, name):
    """RFC 9113 §8.5."""
    with s.fact(f"{name}: a stream is a tunnel"), H2(s.port(name)) as h2:
        h2.settle().headers(1, [(":method", "CONNECT"), (":authority", "host.test:443")], end=False)
        found = h2.read(lambda f: f.kind == HEADERS)
        fields = h2.decoder.decode(found.payload)
        equal((fields[0], found.flags & END_STREAM), ((":status", "200"), 0), "the head")
        ensure(not {"content-length", "transfer-encoding", "connection"} & set(dict(fields)), f"{fields}")
        equal(seen[-1][0], "CONNECT host.test:443 HTTP/1.1", "the request line")
        for data in (b"a", b"b" * 10_000):
            h2.data(1, data)
            back = b""
            while len(back) < len(data):
                back += h2.read(lambda f: f.kind == DATA).payload
            equal(back == data, True, "the echo is the same")
        h2.data(1, b"", end=True)
        h2.read(lambda f: f.stream == 1 and f.flags & END_STREAM and f.kind == DATA)
        ensure(h2.alive(), "the connection ended")
    with s.fact(f"{name}: a stream that is refused"), H2(s.port(name)) as h2:
        h2.settle().headers(1, [(":method", "CONNECT"), (":authority", "forbidden.test:443")], end=False)
        status, _, body, _, _ = h2.response(1)
        equal((status, body), (403, b"no\n"), "the response")
