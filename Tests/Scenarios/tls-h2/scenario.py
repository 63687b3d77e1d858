"""HTTP/2 over TLS on both sides: ALPN, what TLS tells of a client, hosts that a connection is not for, and backends that choose."""

import asyncio
import hashlib
import json
import os
import re
import ssl
import subprocess

import websockets

from lib.h2peer import ACK, DATA, GOAWAY, H2, HEADERS, MAGIC, SETTINGS, frame
from lib.node import Node
from lib.origin import Origin, Server, read_proxy
from lib.peers import haproxy, nginx, websocket_echo
from lib.pki import Authority, curl, s_client
from lib.scenario import contains, ensure, equal, wait
from lib.wire import Wire


def run(s):
    os.chmod(s.dir, 0o755)
    ca, clients = Authority(s), Authority(s, "clients")
    ca.issue("server", ["server.test", "alias.test"])
    ca.issue("other", ["other.test"])
    backend = ca.issue("backend", ["backend.test"])
    people = {name: clients.issue(name) for name in ("alice", "bob")}
    origin, told = Origin(s, "plain"), Told(s, "told")
    websocket_echo(s, "echo")
    blob = os.urandom(3_000_000)
    peers(s, backend, blob)
    node = Node(s)

    def get(port, *words, path="/x", host="server.test"):
        return curl("--cacert", ca.certificate, "--connect-to", f"{host}:443:127.0.0.1:{s.port(port)}", *words, f"https://{host}{path}")

    negotiation(s, get, origin, ca)
    facts(s, get, origin, told, people)
    hosts(s, ca)
    load(s)
    backends(s, get, node, origin, blob)
    sockets(s, ca)


class Told(Server):
    """Keeps what a PROXY header told, and answers."""

    def __init__(self, *words):
        self.seen = []
        super().__init__(*words)

    def handle(self, wire):
        read_proxy(wire)
        while wire.line():
            pass
        self.seen.append(wire.tlvs)
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def peers(s, backend, blob):
    certificate, key = backend
    root = s.path("www")
    root.mkdir()
    (root / "blob").write_bytes(blob)
    server = f"ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {certificate}; ssl_certificate_key {key}; root {root}; client_max_body_size 100m;"
    places = ' location = /hi { return 200 "$server_protocol $ssl_protocol $ssl_server_name $scheme\\n"; } location = /up { proxy_pass http://127.0.0.1:%d; }' % s.port("plain")
    nginx(
        s, "nginx",
        f"server {{ listen 127.0.0.1:{s.port('nginx')} ssl http2; {server}{places} }}\n"
        f"server {{ listen 127.0.0.1:{s.port('nginx-h1')} ssl; {server}{places} }}", wait_port=s.port("nginx"))
    bundle = s.path("bundle.pem")
    bundle.write_text(certificate.read_text() + key.read_text())
    haproxy(
        s, "haproxy",
        f"frontend f\n mode http\n bind 127.0.0.1:{s.port('haproxy')} ssl crt {bundle} alpn h2\n default_backend b\n"
        f"backend b\n mode http\n server o 127.0.0.1:{s.port('plain')}\n"
        f"frontend w\n mode http\n bind 127.0.0.1:{s.port('haproxy-ws')} ssl crt {bundle} alpn h2\n default_backend e\n"
        f"backend e\n mode http\n server o 127.0.0.1:{s.port('echo')}",
        wait_ports=[s.port("haproxy")])


def context(ca, *protocols):
    made = ssl.create_default_context(cafile=str(ca.certificate))
    if protocols:
        made.set_alpn_protocols(list(protocols))
    return made


def secure(ca, *protocols):
    """What wraps a socket to server.test."""
    return lambda one: context(ca, *protocols).wrap_socket(one, server_hostname="server.test")


def negotiation(s, get, origin, ca):
    for version in ("1.2", "1.3"):
        with s.fact(f"TLS {version}: h2 is chosen where it is offered, and the backend is told of https"):
            status, out, error = get("web", "--tlsv" + version, "--tls-max", version, "-o", "/dev/null", "-w", "%{http_version} %{http_code}")
            equal((status, out), (0, "2 200"), error)
            equal(origin.requests[-1].header("x-forwarded-proto"), "https", "X-Forwarded-Proto")
    with s.fact("http/1.1 for a client that wants it, or that knows no ALPN"):
        for words in (["--http1.1"], ["--no-alpn"]):
            equal(get("web", *words, "-o", "/dev/null", "-w", "%{http_version} %{http_code}")[1], "1.1 200", " ".join(words))
    with s.fact("the access log tells protocol and version of TLS"):
        for words in (["--tls-max", "1.2"], ["--tls-max", "1.2", "--http1.1"], ["--http1.1"], []):
            equal(get("web", *words, "-o", "/dev/null", path="/told-by-log")[0], 0, " ".join(words))
        seen = lambda: [
            (line.get("protocol"), line.get("tls")) for line in map(json.loads, s.path("access.log").read_text().splitlines())
            if line.get("path") == "/told-by-log"]
        wait(lambda: len(seen()) == 4, "four lines", 5)
        equal(seen(), [("HTTP/2", "TLSv1.2"), ("HTTP/1.1", "TLSv1.2"), ("HTTP/1.1", "TLSv1.3"), ("HTTP/2", "TLSv1.3")], "lines")
    with s.fact("where HTTP/2 is off, it is not offered"):
        equal(get("off", "-o", "/dev/null", "-w", "%{http_version} %{http_code}")[1], "1.1 200", "version and status")
    with s.fact("RFC 9113 §9.2.2: a cipher of its list is HTTP/1.1's, and a good one is not"):
        for cipher, version in (("ECDHE-ECDSA-AES128-SHA", "1.1"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "2")):
            out = get("old-cipher", "--tls-max", "1.2", "--ciphers", cipher, "-o", "/dev/null", "-w", "%{http_version}")
            equal(out[:2], (0, version), f"{cipher}: {out[2]}")
        out = s_client(s.port("old-cipher"), "-alpn", "h2", "-cipher", "ECDHE-ECDSA-AES128-SHA", "-tls1_2")[1]
        contains(out, "no application protocol")
    with s.fact("no renegotiation"):
        out = s_client(s.port("web"), "-tls1_2", "-alpn", "http/1.1", "-servername", "server.test", stdin=b"R\n")[1]
        ensure("RENEGOTIATING" in out and ("no renegotiation" in out or "alert" in out or "error" in out), out[-400:])
    with s.fact("the preface is refused where ALPN has not chosen h2 (§3.2)"), Wire(s.port("web"), wrap=secure(ca)) as wire:
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        equal(wire.response().status, 505, "status")


def facts(s, get, origin, told, people):
    def pair(who):
        return ["--cert", people[who][0], "--key", people[who][1]]

    with s.fact("a client's certificate is known in each stream: in routes, and in fields for the backend"):
        status, out, error = get("must", *pair("bob"), "-w", "%{http_version}")
        equal((status, out), (0, "bob\n2"), error)
        status, _, error = get("must", *pair("alice"), "-H", "x-subject: CN=root")
        equal(status, 0, error)
        seen = origin.requests[-1]
        equal((seen.all("x-subject"), seen.header("x-sni")), (["CN=alice"], "server.test"), "fields")
        equal(len(seen.header("x-print") or ""), 64, "length of the fingerprint")
    with s.fact("PROXY v2 tells a backend of the client's TLS"):
        for version, alpn in (("--http2", b"h2"), ("--http1.1", b"http/1.1")):
            equal(get("must", *pair("alice"), version, path="/told")[0], 0, "curl")
            seen = told.seen[-1]
            equal((seen[1], seen[2]), (alpn, b"server.test"), "ALPN and authority")
            flags, verdict, inner = seen[0x20]
            equal((flags, verdict, inner[0x21], inner[0x22]), (7, 0, b"TLSv1.3", b"alice"), "SSL")
            ensure(inner[0x23].startswith(b"TLS_"), inner[0x23])
    with s.fact("without a certificate nobody gets in"):
        ensure(get("must")[0] != 0, "somebody got in")


def hosts(s, ca):
    with s.fact("§9.1.1: one connection serves the hosts of its certificate, and refuses with 421 what another one has"), H2(s.port("web"), wrap=secure(ca, "h2")) as h2:
        h2.settle()
        for number, (host, wanted) in enumerate((("server.test", 200), ("alias.test:443", 200), ("other.test", 421), ("nobody.test", 200), ("SERVER.test", 200))):
            h2.headers(1 + 2 * number, h2.fields(path="/fixed", authority=host, scheme="https"))
            equal(h2.response(1 + 2 * number)[0], wanted, host)
        ensure(h2.alive(), "the connection ended")
    with s.fact("HTTP/1.1 on a connection that has agreed on h2 is a connection error"), H2(s.port("web"), preface=False, wrap=secure(ca, "h2")) as h2:
        h2.send(b"GET / HTTP/1.1\r\nHost: server.test\r\n\r\n")
        equal(h2.read(lambda f: f.kind == GOAWAY).code, "PROTOCOL_ERROR", "code")
    with s.fact("SETTINGS come before the client's preface"), H2(s.port("web"), preface=False, wrap=secure(ca, "h2")) as h2:
        h2.read(lambda f: f.kind == SETTINGS)
        h2.send(MAGIC + frame(SETTINGS) + frame(SETTINGS, ACK))
        h2.headers(1, h2.fields(path="/fixed", scheme="https", authority="server.test"))
        equal(h2.response(1)[0], 200, "status")


def load(s):
    with s.fact("h2load over TLS: 32 streams on 8 connections, none fails"):
        done = subprocess.run(
            ["h2load", "-n", "10000", "-c", "8", "-m", "32", "-H", ":authority: server.test", f"https://127.0.0.1:{s.port('web')}/fixed"],
            capture_output=True, text=True, timeout=60)
        contains(done.stdout, "10000 succeeded, 0 failed, 0 errored")
        contains(done.stdout, "Application protocol: h2")
        s.figure("h2load over TLS of a fixed answer", re.search(r"[\d.]+ req/s", done.stdout)[0])
    with s.fact("nghttp over TLS"):
        done = subprocess.run(["nghttp", "-nv", f"https://127.0.0.1:{s.port('web')}/fixed"], capture_output=True, text=True, timeout=20)
        contains(done.stdout, ":status: 200")


def backends(s, get, node, origin, blob):
    digest = hashlib.sha256(blob).hexdigest()
    path = s.path("body")
    path.write_bytes(blob)
    for name, seen in (("nginx", "HTTP/2.0 TLSv1.3 backend.test https"), ("auto-h2", "HTTP/2.0 TLSv1.3 backend.test https"),
                       ("auto-h1", "HTTP/1.1 TLSv1.3 backend.test https")):
        if name.startswith("auto"):
            with s.fact(f"{name}: the probe speaks its own protocol"):
                node.wait_verdict(name, f"127.0.0.1:{s.port('nginx' if name == 'auto-h2' else 'nginx-h1')}", "up")
        for version in ("--http1.1", "--http2"):
            with s.fact(f"curl {version} to {name}: {seen}"):
                status, out, error = get("web", version, path=f"/{name}/hi")
                equal((status, out.strip()), (0, seen), error)
                out = s.path("got")
                status, _, error = get("web", version, "-o", out, path=f"/{name}/blob")
                equal((status, hashlib.sha256(out.read_bytes()).hexdigest()), (0, digest), error)
                equal(get("web", version, "-I", path=f"/{name}/hi")[0], 0, "HEAD")
            with s.fact(f"curl {version} to {name}: bodies with a length and without"):
                for words in (["-T", path], ["-H", "Transfer-Encoding: chunked", "-T", path] if version == "--http1.1" else ["-H", "Content-Length:", "-T", path]):
                    status, _, error = get("web", version, *words, "-X", "POST", path=f"/{name}/up")
                    equal((status, origin.requests[-1].sha256), (0, digest), error)
    with s.fact("to HAProxy by h2 over TLS, and through it"):
        for version in ("--http1.1", "--http2"):
            equal(get("web", version, "-o", "/dev/null", "-w", "%{http_code}", path="/haproxy/x")[1], "200", "status")
            get("web", version, "-d", "some content", path="/haproxy/up")
            equal(origin.requests[-1].body, b"some content", "what came up")
    with s.fact("h2load to nginx by h2 over TLS: none fails, on one connection to it"):
        done = subprocess.run(
            ["h2load", "-n", "5000", "-c", "4", "-m", "16", "-H", ":authority: server.test", f"https://127.0.0.1:{s.port('web')}/nginx/hi"],
            capture_output=True, text=True, timeout=60)
        contains(done.stdout, "5000 succeeded, 0 failed, 0 errored")
        s.figure("h2load, h2 over TLS to nginx likewise", re.search(r"[\d.]+ req/s", done.stdout)[0])
        ensure(node.backend("nginx", f"127.0.0.1:{s.port('nginx')}")["connections"] <= 2, "connections")
    with s.fact("streams at once become connections of HTTP/1.1 that are kept, not made anew"):
        before = node.backend("auto-h1", f"127.0.0.1:{s.port('nginx-h1')}")["connects"]
        done = subprocess.run(
            ["h2load", "-n", "4000", "-c", "4", "-m", "32", f"http://127.0.0.1:{s.port('clear')}/auto-h1/hi"],
            capture_output=True, text=True, timeout=60)
        contains(done.stdout, "4000 succeeded, 0 failed, 0 errored")
        made = node.backend("auto-h1", f"127.0.0.1:{s.port('nginx-h1')}")["connects"] - before
        s.figure("connections for 4,000 requests of 128 streams", made)
        ensure(made <= 256, f"{made} connections")
    with s.fact("a backend that does not choose h2, where nothing else is wanted, is a failed handshake"):
        equal(get("web", "-o", "/dev/null", "-w", "%{http_code}", path="/wants-h2/hi")[1], "502", "status")
        node.wait_logged(lambda entry: entry.get("pool") == "wants-h2" and entry["reason"] == "handshake-failed", "handshake-failed")
    with s.fact("a certificate for another name is refused"):
        equal(get("web", "-o", "/dev/null", "-w", "%{http_code}", path="/wrong-name/hi")[1], "502", "status")
        node.wait_logged(lambda entry: entry.get("pool") == "wrong-name" and entry["reason"] == "handshake-failed", "handshake-failed")
    with s.fact("the trailers of an HTTP/1.1 request reach a backend by h2"), Wire(s.port("clear")) as wire:
        wire.send(b"POST /loop/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\nX-Sum: 1\r\nx-more: 2\r\n\r\n")
        equal(wire.response().status, 200, "status")
        equal((origin.requests[-1].body, origin.requests[-1].trailers), (b"content", [("x-sum", "1"), ("x-more", "2")]), "body and trailers")
        wire.send(b"POST /loop/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx-only: 3\r\n\r\n")
        equal(wire.response().status, 200, "status")
        equal((origin.requests[-1].body, origin.requests[-1].trailers), (b"", [("x-only", "3")]), "body and trailers")


def sockets(s, ca):
    for path, why in (("/ws", "HAProxy"), ("/loop-ws", "Sluice itself")):
        with s.fact(f"an upgrade to WebSocket becomes an extended CONNECT to a backend by h2: {why}"):
            asyncio.run(talk(f"ws://127.0.0.1:{s.port('clear')}{path}", None))
            asyncio.run(talk(f"wss://server.test:{s.port('web')}{path}", context(ca)))
        with s.fact(f"an extended CONNECT stays one from stream to stream: {why}"), H2(s.port("web"), wrap=secure(ca, "h2")) as h2:
            h2.settle()
            h2.headers(1, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", path), (":authority", "server.test"),
                           ("sec-websocket-version", "13")], end=False)
            equal(dict(h2.decoder.decode(h2.read(lambda f: f.kind == HEADERS).payload))[":status"], "200", "status")
            h2.data(1, b"\x81\x85\0\0\0\0hello")
            contains(h2.read(lambda f: f.kind == DATA and f.payload).payload, b"echo:hello")
            h2.data(1, b"\x89\x82\0\0\0\0hi")
            equal(h2.read(lambda f: f.kind == DATA and f.payload).payload, b"\x8a\x02hi", "the pong")
    with s.fact("a backend that takes none: 501"), Wire(s.port("clear")) as wire:
        response = wire.exchange(target="/no-ws", headers={
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"})
        equal(response.status, 501, "status")


async def talk(url, tls):
    options = {"ssl": tls, "host": "127.0.0.1", "server_hostname": "server.test"} if tls else {}
    async with websockets.connect(url, **options) as socket:
        await socket.send("hello")
        contains(await socket.recv(), "echo:hello")
        data = os.urandom(300_000)
        await socket.send(data)
        equal(await socket.recv(), data, "the echo")
