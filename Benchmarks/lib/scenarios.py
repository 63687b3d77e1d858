"""The scenarios: what is configured, who takes part, what is sent, and what is compared."""

import dataclasses

from lib import load, names, special
from lib.settings import CONNECTIONS, RATE
from lib.shape import Shape

TINY, LARGE, HUGE = 13, 65536, 1048576
SLOW_RATE = 4000
PEERS = ("sluice", "haproxy", "nginx", "envoy", "caddy")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A balancer in one setting of a scenario."""

    peer: str
    label: str
    shape: Shape


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    about: str
    entries: tuple
    # (processes, port, seconds) -> the client's figures; None: `measure` does it all.
    client: object = None
    measure: object = None
    # What the backends are, as `responder` has it; `{}` is the address.
    backend: str = f"http:{{}},size={TINY}"
    backends: int = 2
    # What is compared, and by how much at most and at best it may exceed the best peer's.
    metric: str = "cpu_us"
    unit: str = "request"
    at_most: float = None
    aim: float = None
    # Compared with this peer alone, when the target names one.
    against: str = None
    # The settings of Sluice of which the best counts, as the best of the peers' does.
    champions: tuple = ("sluice",)
    # Sluice's own setting to compare with as well.
    beside: str = None
    runs: int = None


def everybody(shape, peers=PEERS):
    return tuple(Entry(peer, peer, shape) for peer in peers)


def with_haproxy(shape, variants, peers=PEERS):
    """HAProxy once as it is and once in each of the variants that suit large transfers: the better one counts."""
    extra = tuple(Entry("haproxy", f"haproxy, {text}", shape.with_(variant=variant)) for variant, text in variants.items())
    return everybody(shape, peers) + extra


HTTP, ROUTED = Shape(), Shape(hosts=1000, paths=10, pools=1)
TCP, UDP = Shape(kind="tcp"), Shape(kind="udp")
H2C, H2H2 = Shape(client="h2"), Shape(client="h2", upstream="h2", backends=("@0",))
H2TLS = Shape(client="h2", secure=True)
MANY = Shape(backends=tuple(f"127.1.{i // 250}.{i % 250 + 1}:@" for i in range(2000)))
SECURE = HTTP.with_(secure=True)
TUNED = {"splice": "splice", "large": "64 KiB buffers"}

NAMES = Shape(kind="dns", hosts=1000)
SERVERS = ("sluice-dns", "knotd", "gdnsd")

ALL = (
    Scenario(
        "h1-keepalive", f"HTTP/1.1, tiny responses, {CONNECTIONS} kept connections", everybody(HTTP),
        client=load.wrk, at_most=0.87, aim=0.80),
    Scenario(
        "h1-equal-load", f"the same at {RATE} requests a second for everybody, Poisson arrivals; latency from when a request was due",
        everybody(HTTP), client=lambda p, port, s: load.loadgen(p, "http", port, s, connections=CONNECTIONS, rate=RATE),
        # The machine itself stops for some milliseconds a few times in a run, which is where the p99 lies: many rounds.
        metric="p99", at_most=1.0, runs=11),
    Scenario(
        "h1-logged", "the same as h1-keepalive with the access log on, to a file", everybody(HTTP.with_(logged=True)),
        client=load.wrk, at_most=0.87, aim=0.80),
    Scenario(
        "h1-observed", "Sluice alone: h1-keepalive with the access log to a file, tracing and explain's samples of 1%, and its metrics read each "
        "second, beside all off",
        (Entry("sluice", "sluice, observed", HTTP.with_(logged=True, traced=True)), Entry("sluice", "sluice, all off", HTTP)),
        client=load.observed, at_most=1.08, against="sluice, all off", champions=("sluice, observed",),
        # Some hundredths are to be seen where a round's two halves differ by a tenth: many rounds.
        beside="sluice, all off", runs=15),
    Scenario(
        "h1-routes", "1,000 hosts × 10 paths configured, requests to all of them in random order", everybody(ROUTED),
        client=lambda p, port, s: load.loadgen(p, "http", port, s, connections=CONNECTIONS, hosts=1000, paths=10),
        at_most=0.87, aim=0.80),
    Scenario(
        "h1-newconn", "a client connection for each request",
        everybody(HTTP) + tuple(Entry(peer, f"{peer}, deferred accept", HTTP.with_(variant="deferred")) for peer in ("haproxy", "nginx")),
        client=lambda p, port, s: load.wrk(p, port, s, close=True), at_most=0.92, aim=0.80),
    Scenario(
        "h1-64k", "responses of 64 KiB", with_haproxy(HTTP, TUNED), client=load.wrk,
        backend=f"http:{{}},size={LARGE}", at_most=0.87, aim=0.80),
    Scenario(
        "h1-1m", "responses of 1 MiB", with_haproxy(HTTP, TUNED), client=load.wrk,
        backend=f"http:{{}},size={HUGE}", unit="MiB", at_most=0.90, aim=0.80),
    Scenario(
        "h2c", "HTTP/2 by prior knowledge, 8 connections of 32 streams, tiny responses of HTTP/1.1 backends",
        everybody(H2C, PEERS[:3]), client=load.h2load, at_most=1.0, aim=0.85),
    Scenario(
        "h2-h2", "the same to a backend that speaks HTTP/2 (nginx: as gRPC)", everybody(H2H2, PEERS[:3]),
        client=load.h2load, backend="nghttpd --trailer=x-sum:1", backends=1, at_most=1.0, aim=0.85),
    Scenario(
        "grpc-unary", "gRPC's unary calls: a message of 24 bytes up, a small one down, status in the trailers",
        everybody(H2H2, PEERS[:3]),
        client=lambda p, port, s: load.h2load(p, port, s, message=b"\0\0\0\0\x13some bytes of a call"),
        backend="nghttpd --trailer=grpc-status:0", backends=1, at_most=1.0, aim=0.85),
    Scenario(
        "tcp-small", f"64 bytes there and back over TCP, {CONNECTIONS} connections", everybody(TCP, PEERS[:4]),
        client=lambda p, port, s: load.loadgen(p, "tcp", port, s, connections=CONNECTIONS, size=64),
        backend="echo:{}", at_most=1.0, aim=0.9),
    Scenario(
        "tcp-bulk", "8 TCP connections that download without end", with_haproxy(TCP, TUNED, PEERS[:4]),
        client=lambda p, port, s: load.loadgen(p, "bulk", port, s, connections=8),
        backend="pour:{},size=1048576", unit="MiB", at_most=0.90, aim=0.80),
    Scenario(
        "udp-small", f"64 bytes there and back over UDP, {CONNECTIONS} sessions", everybody(UDP, ("sluice", "nginx", "envoy")),
        client=lambda p, port, s: load.loadgen(p, "udp", port, s, connections=CONNECTIONS, size=64),
        backend="udp:{}", at_most=0.85, aim=0.6),
    Scenario(
        "p2c-slow-backend",
        "4 backends that take 1 ms for a request, one of them 10 ms, 8 at once each; 4,000 requests a second, "
        "Poisson: a quarter of them is more than the slow one can do",
        tuple(Entry("sluice", f"sluice, {word}", HTTP.with_(policy=word, backends=("@0", "@1", "@2", "@3")))
              for word in ("p2c", "peak-ewma", "least-connections", "round-robin"))
        + tuple(Entry(peer, f"{peer}, {text}", HTTP.with_(policy=word, backends=("@0", "@1", "@2", "@3")))
                for peer, text, word in (
                    ("haproxy", "leastconn", "leastconn"), ("haproxy", "random(2)", "random(2)"),
                    ("nginx", "least_conn", "least_conn"), ("nginx", "random two", "random two least_conn"),
                    ("envoy", "least request", "LEAST_REQUEST"), ("caddy", "least_conn", "least_conn"))),
        client=lambda p, port, s: load.loadgen(p, "http", port, s, connections=256, rate=SLOW_RATE),
        backend="http:{},delay=1,width=8", backends=4, metric="p99", at_most=1.0,
        champions=("sluice, p2c", "sluice, peak-ewma"), beside="sluice, round-robin"),
    Scenario(
        "idle-10k", "10,000 kept connections that have had one answer each: bytes of memory for each",
        everybody(HTTP), measure=special.idle, metric="bytes_per_connection", unit="connection", at_most=1.0, against="nginx"),
    Scenario(
        "backends-2000", "no traffic; 2,000 backends, an HTTP check of each every 2 s: CPU milliseconds per second",
        everybody(MANY, ("sluice", "haproxy", "envoy", "caddy")), measure=special.checking, metric="cpu_ms_per_second",
        unit="second", at_most=1.0, backend="http:0.0.0.0:{port}", backends=1),
    Scenario(
        "reload", "1,000 routes and 2,000 backends; 5 reloads under 1,000 requests a second: time until the new config answers",
        everybody(MANY.with_(hosts=100, paths=10, pools=10, version="v0"), ("sluice", "haproxy", "nginx", "caddy")),
        measure=special.reloading, metric="apply_ms", unit="reload", at_most=1.0, backend="http:0.0.0.0:{port}", backends=1),
    Scenario(
        "tls-keepalive", f"HTTP/1.1 over TLS 1.3, tiny responses, {CONNECTIONS} kept connections", everybody(SECURE, PEERS[:3]),
        client=lambda p, port, s: load.wrk(p, port, s, secure=True), at_most=0.87, aim=0.80),
    Scenario(
        "tls-handshake", "a full handshake (TLS 1.3, ECDSA P-256) and one request for each connection", everybody(SECURE, PEERS[:3]),
        client=lambda p, port, s: load.wrk(p, port, s, secure=True, close=True), unit="handshake", at_most=1.0, aim=0.95),
    Scenario(
        "tls-resumed", "a resumed handshake (TLS 1.2, ticket) for each connection, four clients at once", everybody(SECURE, PEERS[:3]),
        client=load.resumed, unit="handshake", at_most=1.0, aim=0.95),
    Scenario(
        "h2-tls", "HTTP/2 over TLS 1.3, 8 connections of 32 streams, tiny responses of HTTP/1.1 backends",
        everybody(H2TLS, PEERS[:3]), client=lambda p, port, s: load.h2load(p, port, s, secure=True), at_most=1.0, aim=0.85),
    Scenario(
        "tls-idle", "10,000 kept TLS connections that have had one answer each: bytes of memory for each",
        everybody(SECURE, PEERS[:3]), measure=special.idle, metric="bytes_per_connection", unit="connection", at_most=0.5,
        against="nginx"),
    Scenario(
        "start", "from exec to the first byte of the first answer", everybody(HTTP), measure=special.starting,
        metric="start_ms", unit="start", at_most=1.0),
    Scenario(
        "dns-udp", "DNS over UDP: 1,000 names with an address each, EDNS, asked at random",
        everybody(NAMES, SERVERS), client=names.client(1000), unit="query", at_most=1.0, aim=0.9, champions=("sluice-dns",)),
    Scenario(
        "dns-balanced", "a name that is answered with one of three addresses, drawn by weight",
        everybody(NAMES.with_(policy="weighted"), ("sluice-dns", "gdnsd")), client=names.client(1), unit="query",
        at_most=1.0, aim=0.9, champions=("sluice-dns",)),
    Scenario(
        "dns-multi", "a name that is answered with all of three addresses that are up",
        everybody(NAMES.with_(policy="multifo"), ("sluice-dns", "gdnsd")), client=names.client(1), unit="query",
        at_most=1.0, aim=0.9, champions=("sluice-dns",)),
    Scenario(
        "dns-100k", "100,000 names: from exec to the first answer, and memory", everybody(NAMES.with_(hosts=100_000), SERVERS),
        measure=names.many, metric="start_ms", unit="start", at_most=None, champions=("sluice-dns",), runs=2),
)
