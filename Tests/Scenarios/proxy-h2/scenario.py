"""HTTP/2 with curl, nghttp, h2load and raw frames as clients, and nginx, nghttpd and HAProxy as backends that speak it."""

import hashlib
import os
import re
import signal
import struct
import subprocess
import time

from lib.h2peer import DATA, END_STREAM, GOAWAY, H2, HEADERS, RST_STREAM, WINDOW_UPDATE, Reset, frame
from lib.node import Node
from lib.origin import Origin
from lib.peers import haproxy, nginx, websocket_echo
from lib.scenario import accepts, contains, ensure, equal, wait
from lib.wire import Wire


def run(s):
    origin = Origin(s, "plain")
    root = s.path("www")
    root.mkdir()
    os.chmod(s.dir, 0o755)
    blob = os.urandom(3_000_000)
    (root / "blob").write_bytes(blob)
    (root / "small").write_text("small\n")
    nginx(
        s, "multiplexed",
        f'  server {{ listen 127.0.0.1:{s.port("multiplexed")} http2; root {root}; client_max_body_size 100m;'
        '    location = /hi { return 200 "hi\\n"; } location = /nothing { return 204; } }',
        wait_port=s.port("multiplexed"))
    nginx(
        s, "leaving",
        f'  server {{ listen 127.0.0.1:{s.port("leaving")} http2; keepalive_requests 200; location = /hi {{ return 200 "hi\\n"; }} }}',
        wait_port=s.port("leaving"))
    s.start("nghttpd", ["nghttpd", "--no-tls", "-d", root, "--trailer", "x-sum: abc", "--echo-upload", s.port("nghttpd")])
    haproxy(
        s, "haproxy",
        f"frontend f\n mode http\n bind 127.0.0.1:{s.port('haproxy')} proto h2\n default_backend b\nbackend b\n mode http\n server o 127.0.0.1:{s.port('plain')}",
        wait_ports=[s.port("haproxy")])
    websocket_echo(s, "echo")
    wait(lambda: accepts(s.port("nghttpd")), "nghttpd accepts")
    node = Node(s)
    web = s.port("web")
    url = f"http://127.0.0.1:{web}"
    clients_to_h1(s, url, web, origin, blob)
    to_h2(s, url, web, blob, origin)
    streams(s, node, web, origin)
    websocket(s, web)
    floods(s, node, web)
    with s.fact("the access log has the requests"):
        node.wait_logged(lambda entry: entry.get("path") == "/fixed", "/fixed")
    reloading(s, node, web, origin)
    leaving(s, node, web, origin)


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True, timeout=30)


def clients_to_h1(s, url, web, origin, blob):
    with s.fact("curl speaks h2c by prior knowledge"):
        done = curl("--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", f"{url}/x")
        equal(done.stdout, b"2 200", "version and status")
        equal(origin.requests[-1].header("x-forwarded-proto"), "http", "X-Forwarded-Proto")
    with s.fact("a body goes up with its length, and one without becomes chunked"):
        path = s.path("body")
        path.write_bytes(blob)
        done = curl("--http2-prior-knowledge", "-T", path, f"{url}/up")
        equal(done.returncode, 0, done.stderr)
        equal((origin.requests[-1].length, origin.requests[-1].sha256), (len(blob), hashlib.sha256(blob).hexdigest()), "what came up")
        equal(origin.requests[-1].header("content-length"), str(len(blob)), "Content-Length")
        done = subprocess.run(
            ["curl", "-sS", "--http2-prior-knowledge", "-T", "-", f"{url}/up"], input=blob, capture_output=True, timeout=30)
        equal(origin.requests[-1].header("transfer-encoding"), "chunked", "Transfer-Encoding")
        equal((origin.requests[-1].length, origin.requests[-1].sha256), (len(blob), hashlib.sha256(blob).hexdigest()), "what came up")
    for path in ("/bytes/1000000", "/chunked/1000000", "/close/1000000"):
        with s.fact(f"{path} comes down whole"):
            done = curl("--http2-prior-knowledge", f"{url}{path}")
            equal((done.returncode, len(done.stdout)), (0, 1_000_000), done.stderr)
    with s.fact("the trailer of a chunked response is one of the stream"), H2(web) as h2:
        h2.settle().headers(1, h2.fields(path="/chunked/10"))
        status, fields, body, trailers, _ = h2.response(1)
        equal((status, len(body)), (200, 10), "status and length")
        ensure(trailers, "no trailers came")
        ensure(not [k for k, _ in fields if k in ("transfer-encoding", "connection", "keep-alive")], f"fields {fields}")
    with s.fact("103 comes before the response"), H2(web) as h2:
        h2.settle().headers(1, h2.fields(path="/early"))
        status, _, _, _, interim = h2.response(1)
        equal((status, [one[0] for one in interim]), (200, [103]), "statuses")
    with s.fact("HEAD has no body"), H2(web) as h2:
        h2.settle().headers(1, h2.fields("HEAD", "/bytes/100"))
        status, fields, body, _, _ = h2.response(1)
        equal((status, body, dict(fields).get("content-length")), (200, b"", "100"), "status, body, length")
    with s.fact("trailers of a request reach an HTTP/1.1 backend"), H2(web) as h2:
        h2.settle().headers(1, h2.fields("POST", "/x"), end=False)
        h2.data(1, b"content")
        h2.headers(1, [("x-sum", "1")])
        equal(h2.response(1)[0], 200, "status")
        equal((origin.requests[-1].body, origin.requests[-1].trailers), (b"content", [("x-sum", "1")]), "body and trailers")
    with s.fact("cookie crumbs are one field for the backend"), H2(web) as h2:
        h2.settle().headers(1, h2.fields(extra=[("cookie", "a=1"), ("cookie", "b=2")]))
        h2.response(1)
        equal(origin.requests[-1].all("cookie"), ["a=1; b=2"], "Cookie")
    with s.fact("answers of Sluice's own: fixed, redirect, no backend, no route"), H2(web) as h2:
        h2.settle()
        for stream, (path, wanted) in enumerate([("/fixed", 200), ("/moved", 302), ("/none", 502)]):
            h2.headers(1 + 2 * stream, h2.fields(path=path))
            equal(h2.response(1 + 2 * stream)[0], wanted, path)
        h2.headers(7, h2.fields(path="/a%00b"))
        equal(h2.response(7)[0], 400, "/a%00b")
    with s.fact("where it is off, the preface is refused as HTTP/1.1"), Wire(s.port("old")) as wire:
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        equal(wire.response().status, 505, "status")
    with s.fact("the preface may come in pieces"), H2(web, preface=False) as h2:
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4):
            h2.send(bytes([byte]))
        h2.settle().headers(1)
        equal(h2.response(1)[0], 200, "status")
    with s.fact("h2load: 32 streams on 8 connections, none fails"):
        done = subprocess.run(["h2load", "-n", "20000", "-c", "8", "-m", "32", f"{url}/fixed"], capture_output=True, text=True, timeout=60)
        contains(done.stdout, "20000 succeeded, 0 failed, 0 errored")
        s.figure("h2load of a fixed answer", re.search(r"[\d.]+ req/s", done.stdout)[0])


def to_h2(s, url, web, blob, origin):
    digest = hashlib.sha256(blob).hexdigest()
    for version in ("--http1.1", "--http2-prior-knowledge"):
        with s.fact(f"curl {version} to nginx by h2"):
            done = curl(version, f"{url}/multiplexed/blob")
            equal((done.returncode, hashlib.sha256(done.stdout).hexdigest()), (0, digest), done.stderr)
            equal(curl(version, f"{url}/multiplexed/hi").stdout, b"hi\n", "body")
            equal(curl(version, "-o", "/dev/null", "-w", "%{http_code}", f"{url}/multiplexed/nothing").stdout, b"204", "status")
            equal(curl(version, "-I", f"{url}/multiplexed/hi").returncode, 0, "HEAD")
        with s.fact(f"curl {version} to nghttpd by h2: up and down, with trailers"):
            done = curl(version, f"{url}/nghttpd/blob")
            equal((done.returncode, hashlib.sha256(done.stdout).hexdigest()), (0, digest), done.stderr)
            path = s.path("body")
            done = curl(version, "-T", path, "-X", "POST", f"{url}/nghttpd/echo")
            equal((done.returncode, hashlib.sha256(done.stdout).hexdigest()), (0, digest), done.stderr)
            done = curl(version, "-H", "Transfer-Encoding: chunked", "-T", path, "-X", "POST", f"{url}/nghttpd/echo")
            equal((done.returncode, hashlib.sha256(done.stdout).hexdigest()), (0, digest), done.stderr)
        with s.fact(f"curl {version} to HAProxy by h2, and through it"):
            equal(curl(version, "-o", "/dev/null", "-w", "%{http_code}", f"{url}/haproxy/x").stdout, b"200", "status")
            done = curl(version, "-d", "some content", f"{url}/haproxy/up")
            equal(origin.requests[-1].body, b"some content", "what came up")
    with s.fact("103 comes before the response of a backend by h2, to both kinds of clients"):
        with H2(web) as h2:
            h2.settle().headers(1, h2.fields(path="/haproxy/early"))
            status, _, _, _, interim = h2.response(1)
            equal((status, [(one[0], dict(one[1]).get("link")) for one in interim]), (200, [(103, "</style.css>")]), "by HTTP/2")
        with Wire(web) as wire:
            response = wire.exchange(target="/haproxy/early")
            equal((response.status, [one.status for one in response.interim]), (200, [103]), "by HTTP/1.1")
    with s.fact("trailers come through from stream to stream"), H2(web) as h2:
        h2.settle().headers(1, h2.fields(path="/nghttpd/small"))
        status, _, body, trailers, _ = h2.response(1)
        equal((status, body, trailers), (200, b"small\n", [("x-sum", "abc")]), "response")
    with s.fact("trailers of a stream end an HTTP/1.1 body"), Wire(web) as wire:
        response = wire.exchange(target="/nghttpd/small")
        equal((response.status, response.body), (200, b"small\n"), "response")
    with s.fact("h2load to h2 backends: none fails, on few connections"):
        before = open_connections(s.port("multiplexed"))
        done = subprocess.run(["h2load", "-n", "20000", "-c", "8", "-m", "32", f"{url}/multiplexed/hi"], capture_output=True, text=True, timeout=60)
        contains(done.stdout, "20000 succeeded, 0 failed, 0 errored")
        s.figure("h2load, h2 to nginx by h2", re.search(r"[\d.]+ req/s", done.stdout)[0])
        ensure(open_connections(s.port("multiplexed")) <= 8, f"{open_connections(s.port('multiplexed'))} connections, {before} before")
    with s.fact("… nor where the backend leaves each connection after 200 streams, and refuses all that is on its way"):
        done = subprocess.run(["h2load", "-n", "10000", "-c", "4", "-m", "32", f"{url}/leaving/hi"], capture_output=True, text=True, timeout=60)
        contains(done.stdout, "10000 succeeded, 0 failed, 0 errored")


def open_connections(port):
    done = subprocess.run(["ss", "-Htn", "state", "established", f"( dport = :{port} )"], capture_output=True, text=True)
    return len(done.stdout.splitlines())


def streams(s, node, web, origin):
    with s.fact("a client that reads one stream slowly gets the others at once"), H2(web, receive_buffer=65536) as h2:
        h2.settle().headers(1, h2.fields(path="/bytes/20000000"))
        h2.read(lambda f: f.kind == DATA and f.stream == 1)
        h2.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24)))
        start = time.monotonic()
        h2.headers(3, h2.fields(path="/fixed"))
        equal(h2.response(3, window=False)[0], 200, "status")
        s.figure("an answer beside a stalled stream", f"{(time.monotonic() - start) * 1000:.0f} ms")
    with s.fact("stalled streams hold little memory"), H2(web, receive_buffer=65536) as h2:
        h2.settle().send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24)))
        before = node.rss()
        for stream in range(50):
            h2.headers(1 + 2 * stream, h2.fields(path="/bytes/5000000"))
        time.sleep(1)  # time for it to grow, if it would
        grown = node.rss() - before
        s.figure("memory of 50 stalled streams of 5 MB", f"{grown} KiB")
        ensure(grown < 24 << 10, f"{grown} KiB")
    with s.fact("a backend that reads slowly stops the client's stream at its window"), H2(web) as h2:
        origin.resume.clear()
        h2.settle().headers(1, h2.fields("POST", "/stall"), end=False)
        h2.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 20)))
        sent, window, connection = 0, h2.peer.get(4, 65535), 1 << 20
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and sent < 30_000_000:
            if window >= 16384:
                h2.data(1, bytes(16384))
                sent, window = sent + 16384, window - 16384
                continue
            try:
                update = h2.read(lambda f: f.kind == WINDOW_UPDATE, seconds=0.7)
            except Exception:
                break
            if update.stream == 1:
                window += struct.unpack(">I", update.payload)[0]
        s.figure("sent to a backend that does not read", f"{sent / 1e6:.1f} MB")
        ensure(sent < 20_000_000, f"{sent} bytes were taken")
        h2.headers(3, h2.fields(path="/fixed"))
        equal(h2.response(3)[0], 200, "status of another stream")
        origin.resume.set()
    with s.fact("a stream that the client resets frees its backend"), H2(web) as h2:
        h2.settle().headers(1, h2.fields(path="/delay/5000"))
        wait(lambda: node.backend("plain", f"127.0.0.1:{s.port('plain')}")["inFlight"] == 1, "the backend has the request")
        h2.send(frame(RST_STREAM, 0, 1, struct.pack(">I", 8)))
        wait(lambda: node.backend("plain", f"127.0.0.1:{s.port('plain')}")["inFlight"] == 0, "the backend is free")
        ensure(h2.alive(), "the connection ended")
    with s.fact("a backend that closes within a body resets the stream"), H2(web) as h2:
        h2.settle().headers(1, h2.fields(path="/quit"))
        try:
            equal(h2.response(1)[0], 502, "status")
        except Reset as reset:
            equal(reset.code, "INTERNAL_ERROR", "code")
        ensure(h2.alive(), "the connection ended")


def websocket(s, web):
    with s.fact("WebSocket by extended CONNECT (RFC 8441) to an HTTP/1.1 backend"), H2(web) as h2:
        h2.settle()
        equal(h2.peer.get(8), 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL")
        h2.headers(
            1, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/ws"), (":authority", "x"),
                ("sec-websocket-version", "13")], end=False)
        found = h2.read(lambda f: f.kind == HEADERS)
        fields = dict(h2.decoder.decode(found.payload))
        equal(fields[":status"], "200", "status")
        ensure("upgrade" not in fields and "sec-websocket-accept" not in fields, f"{fields}")
        h2.data(1, b"\x81\x85\0\0\0\0hello")
        answer = h2.read(lambda f: f.kind == DATA and f.payload)
        contains(answer.payload, b"echo:hello")
        h2.data(1, b"\x88\x82\0\0\0\0\x03\xe8", end=True)
        h2.read(lambda f: f.stream == 1 and f.flags & END_STREAM and f.kind == DATA)


FLOODS = {
    "rapid reset": ("resets", lambda h: [
        (h.headers(1 + 2 * n, h.fields(path="/fixed")), h.send(frame(RST_STREAM, 0, 1 + 2 * n, struct.pack(">I", 8)))) for n in range(400)]),
    "resets that the client provokes": ("resets", lambda h: [h.headers(1 + 2 * n, h.fields(extra=[("connection", "x")])) for n in range(400)]),
    "CONTINUATION": ("continuations", lambda h: h.send(frame(HEADERS, END_STREAM, 1, h.block(h.fields())) + frame(9, 0, 1, b"") * 50)),
    "a header block without end": ("header-block", lambda h: h.send(frame(HEADERS, END_STREAM, 1, bytes(16000)) + frame(9, 0, 1, bytes(16000)) * 3)),
    "SETTINGS": ("settings", lambda h: h.send(frame(4) * 100)),
    "PING": ("pings", lambda h: h.send(frame(6, 0, 0, bytes(8)) * 200)),
    "PRIORITY": ("empty-frames", lambda h: h.send(frame(2, 0, 1, bytes(5)) * 1000)),
    "unknown frames": ("empty-frames", lambda h: h.send(frame(0x99, 0, 0) * 1000)),
    "empty DATA": ("empty-frames", lambda h: (h.headers(1, h.fields("POST", "/x"), end=False), h.send(frame(DATA, 0, 1) * 1000))),
}


def floods(s, node, web):
    def seen(reason):
        return next(one for one in node.status()["listeners"] if one["name"] == "web")["http2_floods"][reason]
    for name, (reason, send) in FLOODS.items():
        with s.fact(f"a flood ends its connection with ENHANCE_YOUR_CALM: {name}"), H2(web) as h2, H2(web) as other:
            before = seen(reason)
            h2.settle()
            other.settle()
            send(h2)
            found = h2.read(lambda f: f.kind == GOAWAY)
            equal(found.code, "ENHANCE_YOUR_CALM", "code")
            wait(lambda: seen(reason) == before + 1, f"it is counted under {reason}")
            ensure(other.alive(), "another connection ended")
    with s.fact("more streams at once than allowed (§5.1.2): PROTOCOL_ERROR, and counted as a flood"), H2(web) as h2:
        before = seen("streams")
        h2.settle()
        for number in range(129):
            h2.headers(1 + 2 * number, h2.fields("POST", "/x"), end=False)
        equal(h2.read(lambda f: f.kind == GOAWAY).code, "PROTOCOL_ERROR", "code")
        wait(lambda: seen("streams") == before + 1, "it is counted")
    with s.fact("the metrics tell of floods by reason"):
        contains(str(node.api("GET", "/metrics")[1]), 'sluice_listener_http2_floods_total{listener="web",reason="continuations"} 1')
    with s.fact("an HPACK bomb, 40 references to a field of 3,000 bytes (§10.5.1): 431, and the connection goes on"), H2(web) as h2:
        h2.settle()
        # The encoder puts the field into the table, where it is entry 62.
        bomb = h2.encoder.encode([*h2.fields(), ("x", "y" * 3000)], huffman=False) + b"\xbe" * 40
        h2.send(frame(HEADERS, END_STREAM | 4, 1, bomb))
        equal(h2.response(1)[0], 431, "status")
        h2.headers(3, h2.fields(path="/fixed"))
        equal(h2.response(3)[0], 200, "status of the next")
    with s.fact("the node still serves"), H2(web) as h2:
        h2.settle().headers(1, h2.fields(path="/fixed"))
        equal(h2.response(1)[0], 200, "status")


def reloading(s, node, web, origin):
    with s.fact("a stream that nobody reads, and a connection whose window stalls, end at their time"), H2(s.port("hasty")) as h2:
        h2.settle().headers(1, h2.fields(path="/bytes/1000000"))
        equal(h2.read(lambda f: f.kind == RST_STREAM and f.stream == 1, 6).code, "CANCEL", "code")
        ensure(h2.alive(), "the connection ended")
    with s.fact("a reload that takes HTTP/2 away: GOAWAY, and the stream that is open ends well"), H2(s.port("hasty"), timeout=8) as h2:
        h2.settle().headers(1, h2.fields(path="/delay/1200"))
        wait(lambda: origin.requests[-1].path == "/delay/1200", "the backend has the request")
        text = s.path("sluice.yaml").read_text()
        s.path("sluice.yaml").write_text(text.replace("http2: { max-streams: 100 }", "http2: { enabled: false }"))
        before = node.generation()
        node.process.signal(signal.SIGHUP)
        wait(lambda: node.generation() > before, "the reload is in", 5)
        equal(h2.read(lambda f: f.kind == GOAWAY).code, "NO_ERROR", "code")
        equal(h2.response(1)[0], 200, "status")


def leaving(s, node, web, origin):
    with s.fact("draining: two GOAWAYs, and the stream that is open ends well"), H2(web, timeout=8) as h2:
        h2.settle().headers(1, h2.fields(path="/delay/1500"))
        wait(lambda: origin.requests[-1].path == "/delay/1500", "the backend has the request")
        node.process.popen.send_signal(signal.SIGTERM)
        first = h2.read(lambda f: f.kind == GOAWAY)
        equal((first.last, first.code), (0x7fffffff, "NO_ERROR"), "the first GOAWAY")
        second = h2.read(lambda f: f.kind == GOAWAY)
        equal((second.last, second.code), (1, "NO_ERROR"), "the second GOAWAY")
        equal(h2.response(1)[0], 200, "status")
