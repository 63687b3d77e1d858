"""CONNECT: refused unless the listener allows it; then the pool's proxy decides."""

from lib.node import Node
from lib.origin import Server
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
    Node(s)
    with s.fact("refused where it is not allowed, before any backend hears of it"), Wire(s.port("closed")) as wire:
        wire.send("CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443\r\n\r\n")
        status = wire.response().status
        ensure(status in (405, 403, 501), f"status {status}")
        equal(seen, [], "what the backend saw")
    with s.fact("a tunnel where it is allowed"), Wire(s.port("open")) as wire:
        wire.send("CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443\r\n\r\n")
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
    with s.fact("the proxy's refusal passes"), Wire(s.port("open")) as wire:
        wire.send("CONNECT forbidden.test:443 HTTP/1.1\r\nHost: forbidden.test:443\r\n\r\n")
        response = wire.response()
        equal((response.status, response.text), (403, "no\n"), "the response")
    for target in ("host.test", "/path", "http://host.test/", "host.test:0x50", "host.test:99999", ":443"):
        with s.fact(f"CONNECT {target} is refused with 400"), Wire(s.port("open")) as wire:
            count = len(seen)
            wire.send(f"CONNECT {target} HTTP/1.1\r\nHost: host.test\r\n\r\n")
            equal(wire.response().status, 400, "status")
            equal(len(seen), count, "requests at the backend")
