"""The PROXY protocol, v1 and v2, with HAProxy and nginx on both sides."""

import json
import struct

from lib.node import Node
from lib.origin import Origin, Server, read_proxy
from lib.peers import haproxy, nginx
from lib.scenario import ensure, equal
from lib.wire import Closed, Wire, get

HAPROXY = """
frontend to-http-v1
  mode http
  bind 127.0.0.1:${hap-http-v1}
  default_backend http-v1
backend http-v1
  mode http
  server s 127.0.0.1:${http-in} send-proxy
frontend to-http-v2
  mode http
  bind 127.0.0.1:${hap-http-v2}
  default_backend http-v2
backend http-v2
  mode http
  server s 127.0.0.1:${http-in} send-proxy-v2
frontend to-tcp
  mode tcp
  bind 127.0.0.1:${hap-tcp}
  default_backend tcp
backend tcp
  mode tcp
  server s 127.0.0.1:${tcp-in} send-proxy-v2
frontend accepting
  mode http
  bind 127.0.0.1:${hap-accept} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port]"
"""

NGINX = """
  server {
    listen 127.0.0.1:${nginx-accept} proxy_protocol;
    location / { default_type text/plain; return 200 "$proxy_protocol_addr:$proxy_protocol_port"; }
  }
"""

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v2(source, destination, command=0x21, family=0x11, tail=b""):
    block = b"".join(bytes(map(int, address.split("."))) for address, _ in (source, destination))
    block += struct.pack(">HH", source[1], destination[1]) + tail
    return V2 + bytes([command, family]) + struct.pack(">H", len(block)) + block


def run(s):
    origin = Origin(s, "origin")
    # Says which PROXY header came, then echoes.
    Server(s, "headers", say_header)
    peer = [s.port(name) for name in ("hap-http-v1", "hap-http-v2", "hap-tcp", "hap-accept")]
    Node(s)
    haproxy(s, "haproxy-peer", HAPROXY, wait_ports=peer)
    nginx(s, "nginx-peer", NGINX, wait_port=s.port("nginx-accept"))
    incoming(s, origin)
    malformed(s, origin)
    outgoing(s)


def say_header(wire):
    wire.send(json.dumps(read_proxy(wire)) + "\n")
    while data := wire.buffer or wire.socket.recv(65536):
        wire.buffer = b""
        wire.send(data)


def header_line(wire):
    return json.loads(wire.line_any())


def incoming(s, origin):
    for version in ("v1", "v2"):
        with s.fact(f"HAProxy sends {version}: the client behind it is the client"):
            equal(get(s.port(f"hap-http-{version}"), source="127.0.0.77").status, 200, "status")
            equal(origin.requests[-1].header("x-forwarded-for"), "127.0.0.77", "X-Forwarded-For")
    with s.fact("HAProxy sends v2 in, Sluice sends v2 on: the first client arrives at the end"):
        with Wire(s.port("hap-tcp"), source="127.0.0.78") as wire:
            port = wire.socket.getsockname()[1]
            wire.send("x")
            version, address, client_port, destination, destination_port = header_line(wire)
            equal((version, address, client_port), ("v2", "127.0.0.78", port), "version, source")
            equal((destination, destination_port), ("127.0.0.1", s.port("hap-tcp")), "destination")
            equal(wire.exactly(1), b"x", "the echo")
    source, destination = ("198.51.100.9", 4711), ("192.0.2.1", 443)
    with s.fact("v1 and v2 by hand, header and request in one piece and byte by byte"):
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        for header in (
            b"PROXY TCP4 198.51.100.9 192.0.2.1 4711 443\r\n", v2(source, destination),
            v2(source, destination, tail=b"\x04\x00\x03abc"),  # with a TLV
        ):
            for pieces in ([header + request], [bytes([byte]) for byte in header + request]):
                with Wire(s.port("http-in")) as wire:
                    wire.socket.setsockopt(6, 1, 1)
                    for piece in pieces:
                        wire.send(piece)
                    equal(wire.response().status, 200, "status")
                equal(origin.requests[-1].header("x-forwarded-for"), "198.51.100.9", "X-Forwarded-For")
    with s.fact("IPv6 in v1"), Wire(s.port("http-in")) as wire:
        wire.send(b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
        equal(wire.response().status, 200, "status")
        equal(origin.requests[-1].header("x-forwarded-for"), "2001:db8::9", "X-Forwarded-For")
    with s.fact("UNKNOWN (v1) and LOCAL (v2): the connection's own address counts"):
        for header in (b"PROXY UNKNOWN\r\n", V2 + b"\x20\x00\x00\x00"):
            with Wire(s.port("http-in")) as wire:
                wire.send(header + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                equal(wire.response().status, 200, "status")
            equal(origin.requests[-1].header("x-forwarded-for"), "127.0.0.1", "X-Forwarded-For")
    with s.fact("the deny list looks at the client, not at the proxy"):
        with Wire(s.port("denying")) as wire:
            wire.send(b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 443\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
            ensure(refused(wire), "it was served")


def refused(wire):
    try:
        return wire.response().status in (400, 403)
    except Closed:
        return True


def malformed(s, origin):
    request = b"GET /forged HTTP/1.1\r\nHost: x\r\n\r\n"
    forged = b"PROXY TCP4 198.51.100.9 192.0.2.1 4711 443\r\n"
    cases = {
        "no header from a source that must send one": (request, "127.0.0.1"),
        "a header from a source that may not": (forged + request, "127.0.0.5"),
        "v1 with a bad address": (b"PROXY TCP4 198.51.100.999 192.0.2.1 4711 443\r\n" + request, "127.0.0.1"),
        "v1 with a port beyond 65535": (b"PROXY TCP4 198.51.100.9 192.0.2.1 65536 443\r\n" + request, "127.0.0.1"),
        "v1 of the wrong family": (b"PROXY TCP4 2001:db8::9 192.0.2.1 4711 443\r\n" + request, "127.0.0.1"),
        "v1 without an end": (b"PROXY TCP4 " + b"1" * 200, "127.0.0.1"),
        "v2 of version 3": (v2(("198.51.100.9", 1), ("192.0.2.1", 2), command=0x31) + request, "127.0.0.1"),
        "v2 shorter than its family": (V2 + b"\x21\x11\x00\x04\x01\x02\x03\x04" + request, "127.0.0.1"),
        "two headers": (forged + forged + request, "127.0.0.1"),
    }
    for name, (data, source) in cases.items():
        with s.fact(f"{name}: the connection ends and no backend hears of it"):
            count = len(origin.requests)
            with Wire(s.port("http-in"), source=source) as wire:
                wire.send(data)
                ensure(refused(wire), "it was served")
                ensure(wire.ended(3), "the connection stays open")
            equal(len(origin.requests), count, "requests at the backend")
    with s.fact("half a header holds nobody up for long"), Wire(s.port("http-in"), timeout=15) as wire:
        wire.send(V2[:7])
        ensure(wire.ended(14), "the connection stays open beyond the head timeout")


def outgoing(s):
    for version in ("v1", "v2"):
        for label, to, host in (("IPv4", s.port(f"tcp-{version}"), "127.0.0.1"), ("IPv6", ("::1", s.port(f"tcp-{version}")), "::1")):
            with s.fact(f"send-proxy {version} over {label}"), Wire(to) as wire:
                port = wire.socket.getsockname()[1]
                wire.send("x" * 2000)
                equal(header_line(wire), [version, host, port, host, s.port(f"tcp-{version}")], "the header")
                equal(wire.exactly(2000), b"x" * 2000, "the echo")
    for name in ("haproxy", "haproxy-v1", "nginx"):
        with s.fact(f"{name} accepts what Sluice sends, and learns the client"):
            with Wire(s.port(name), source="127.0.0.99") as wire:
                port = wire.socket.getsockname()[1]
                equal(wire.exchange().text, f"127.0.0.99:{port}", "the client")
        with s.fact(f"{name}: no other client rides on a connection that speaks for one"):
            for source in ("127.0.0.41", "127.0.0.42", "127.0.0.43"):
                equal(get(s.port(name), source=source).text.rpartition(":")[0], source, "the client")
