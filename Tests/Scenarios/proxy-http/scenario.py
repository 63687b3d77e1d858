"""HTTP/1.1 by RFC 9110 and 9112 between a byte-exact client, a Python origin and nginx."""

import hashlib
import json
import time

from lib.node import Node
from lib.origin import Origin, pattern, pattern_sha256
from lib.peers import nginx
from lib.scenario import contains, ensure, equal, wait
from lib.wire import Closed, Wire, get

LIMIT = 180
MIB = 1 << 20


def run(s):
    origin = Origin(s, "origin")
    node = Node(s)
    connections(s, origin)
    framing(s, origin)
    interim(s, origin)
    forms(s, origin)
    forwarding(s, origin)
    bodies(s, node, origin)
    files(s)
    log(s, node)


def connections(s, origin):
    web = s.port("web")
    with s.fact("keep-alive: one client connection, one backend connection per worker at most"), Wire(web) as wire:
        before = origin.accepted
        for turn in range(20):
            equal(json.loads(wire.exchange(target=f"/{turn}").body)["target"], f"/{turn}", "target")
        ensure(origin.accepted - before <= 2, f"{origin.accepted - before} backend connections")
    with s.fact("pipelining: ten requests at once, ten answers in order"), Wire(web) as wire:
        wire.send("".join(f"GET /p{turn} HTTP/1.1\r\nHost: x\r\n\r\n" for turn in range(10)))
        for turn in range(10):
            equal(json.loads(wire.response().body)["target"], f"/p{turn}", "target")
    with s.fact("pipelining with bodies and a HEAD between"), Wire(web) as wire:
        wire.send(
            "POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
            "HEAD /two HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /three HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthird\r\n0\r\n\r\n"
            "GET /status/204 HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET /five HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        equal(json.loads(wire.response().body)["length"], 5, "length of the first body")
        equal(wire.response("HEAD").status, 200, "status of the HEAD")
        equal(json.loads(wire.response().body)["sha256"], hashlib.sha256(b"third").hexdigest(), "the third body")
        equal(wire.response().status, 204, "status of the fourth")
        equal(json.loads(wire.response().body)["target"], "/five", "target of the fifth")
    with s.fact("Connection: close is obeyed"), Wire(web) as wire:
        response = wire.exchange(headers={"Connection": "close"})
        equal(response.header("connection"), "close", "Connection")
        ensure(wire.ended(3), "the connection stays open")
    with s.fact("bytes one by one make the same request"), Wire(web) as wire:
        wire.socket.setsockopt(6, 1, 1)  # TCP_NODELAY
        for byte in b"POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n":
            wire.send(bytes([byte]))
        seen = json.loads(wire.response().body)
        equal((seen["length"], [[n.lower(), v] for n, v in seen["trailers"]]), (3, [["x-t", "1"]]), "length and trailers")
    with s.fact("leading empty lines before a request are ignored (RFC 9112 §2.2)"), Wire(web) as wire:
        wire.send("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
        equal(wire.response().status, 200, "status")


def framing(s, origin):
    web = s.port("web")
    with s.fact("HEAD: the length of the GET, no body, and the connection goes on"), Wire(web) as wire:
        response = wire.exchange("HEAD", "/bytes/1234")
        equal((response.status, response.header("content-length")), (200, "1234"), "status and length")
        equal(wire.exchange().status, 200, "status of the next")
    for status in (204, 304):
        with s.fact(f"{status} has no body, and the connection goes on"), Wire(web) as wire:
            response = wire.exchange(target=f"/status/{status}")
            equal((response.status, response.body), (status, b""), "status and body")
            equal(response.header("transfer-encoding"), None, "Transfer-Encoding")
            equal(wire.exchange().status, 200, "status of the next")
    with s.fact("chunked request with trailers"), Wire(web) as wire:
        wire.send(
            "POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
            "4\r\nabcd\r\nA;name=\"v\"\r\n0123456789\r\n0\r\nX-Sum: 42\r\n\r\n"
        )
        seen = json.loads(wire.response().body)
        equal(seen["sha256"], hashlib.sha256(b"abcd0123456789").hexdigest(), "the body")
        equal([[name.lower(), value] for name, value in seen["trailers"]], [["x-sum", "42"]], "trailers")
    with s.fact("chunked response with trailers"), Wire(web) as wire:
        response = wire.exchange(target="/chunked/300000")
        equal(hashlib.sha256(response.body).hexdigest(), pattern_sha256(300_000), "the body")
        equal([(name.lower(), value) for name, value in response.trailers], [("x-sum", pattern_sha256(300_000))], "trailers")
        equal(wire.exchange().status, 200, "status of the next")
    with s.fact("a response that ends with the backend's close arrives whole"), Wire(web) as wire:
        equal(hashlib.sha256(wire.exchange(target="/close/300000").body).hexdigest(), pattern_sha256(300_000), "the body")
    with s.fact("an empty body with Content-Length: 0"), Wire(web) as wire:
        equal(json.loads(wire.exchange("POST", headers={"Content-Length": "0"}).body)["length"], 0, "length")
        equal(wire.exchange().status, 200, "status of the next")


def interim(s, origin):
    web = s.port("web")
    with s.fact("Expect: 100-continue: the body follows the backend's 100"), Wire(web) as wire:
        wire.send("PUT /c HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        equal(wire.line(), "HTTP/1.1 100 Continue", "the interim line")
        equal(wire.fields(), [], "its fields")
        wire.send("body")
        response = wire.response()
        equal((response.status, json.loads(response.body)["length"]), (200, 4), "status and length")
    with s.fact("a backend that refuses the expectation: 417 before the body"), Wire(web) as wire:
        wire.send("PUT /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 400000\r\n\r\n")
        equal(wire.response().status, 417, "status")
    with s.fact("103 Early Hints pass"), Wire(web) as wire:
        response = wire.exchange(target="/early")
        equal([interim.status for interim in response.interim], [103], "interim statuses")
        equal(response.interim[0].header("link"), "</style.css>", "Link")
        equal(response.status, 200, "status")
    with s.fact("HTTP/1.0 clients get no 1xx and no chunks"), Wire(web) as wire:
        response = wire.exchange(target="/early", version="HTTP/1.0")
        equal((response.status, response.interim), (200, []), "status and interim")
    with Wire(web) as wire, s.fact("HTTP/1.0: a chunked response arrives unchunked, ended by the close"):
        response = wire.exchange(target="/chunked/100000", version="HTTP/1.0")
        equal(response.header("transfer-encoding"), None, "Transfer-Encoding")
        equal(hashlib.sha256(response.body).hexdigest(), pattern_sha256(100_000), "the body")
        ensure(wire.ended(3), "the connection stays open")


def forms(s, origin):
    web = s.port("web")
    with s.fact("absolute-form: its authority is the host (RFC 9112 §3.2.2)"):
        seen = json.loads(get(web, "http://other.test/path?q=1", host="ignored.test").body)
        equal(seen["target"], "/path?q=1", "target")
        equal(dict((k.lower(), v) for k, v in seen["headers"])["host"], "other.test", "Host")
    with s.fact("asterisk-form: OPTIONS *"):
        equal(json.loads(get(web, "*", method="OPTIONS").body)["target"], "*", "target")
    with s.fact("OPTIONS in absolute-form without a path asks the server itself (RFC 9112 §3.2.4)"):
        equal(json.loads(get(web, "http://other.test", method="OPTIONS").body)["target"], "*", "target")
    with s.fact("a HTTP/1.0 request without Host is served"):
        equal(get(web, version="HTTP/1.0", host=None).status, 200, "status")
    with s.fact("a HTTP/1.1 request without Host is refused"):
        equal(get(web, host=None).status, 400, "status")
    with s.fact("HTTP/2.0 in a request line is refused with 505 or 400"):
        ensure(get(web, version="HTTP/2.0").status in (400, 505), "another status")
    with s.fact("methods that nobody knows pass"):
        equal(json.loads(get(web, method="BREW").body)["method"], "BREW", "method")
    with s.fact("a target in normal form passes untouched"):
        target = "/a%2Fb/~/;x=1/..x?q=%20+&&=%7e%C3%A9"
        equal(json.loads(get(web, target).body)["target"], target, "target")
    with s.fact("the backend gets the path that routes are matched against (RFC 3986 §6.2.2)"):
        equal(json.loads(get(web, "/a/../%7e//b?x=%7e").body)["target"], "/~/b?x=%7e", "target")
    with s.fact("clients by IPv6 and by Unix socket"):
        equal(get(("::1", web)).status, 200, "status by IPv6")
        equal(get(s.path("web.sock")).status, 200, "status by Unix socket")


def forwarding(s, origin):
    web, polite, plain = s.port("web"), s.port("polite"), s.port("plain")

    def seen(port, headers=(), **options):
        get(port, headers=headers, **options)
        return origin.requests[-1]

    with s.fact("hop-by-hop fields and what Connection names do not pass (RFC 9110 §7.6.1)"):
        request = seen(web, [
            ("Connection", "X-Hop, keep-alive"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "close"),
            ("TE", "gzip"), ("Proxy-Authorization", "Basic eDp5"), ("X-End", "2"),
        ])
        for name in ("x-hop", "keep-alive", "proxy-connection", "te"):
            equal(request.all(name), [], name)
        equal(request.all("x-end"), ["2"], "x-end")
    with s.fact("the backend's hop-by-hop fields do not pass to the client"):
        response = get(web, "/hop")
        for name in ("x-hop", "keep-alive", "proxy-connection"):
            equal(response.all(name), [], name)
        equal(response.all("x-backend"), ["origin"], "X-Backend")
    with s.fact("Connection cannot take away what the proxy adds"):
        request = seen(web, [("Connection", "X-Forwarded-For, Host, X-Request-Id")])
        equal(request.all("x-forwarded-for"), ["127.0.0.1"], "X-Forwarded-For")
        equal(len(request.all("host")), 1, "Host fields")
        equal(len(request.all("x-request-id")), 1, "request ids")
    with s.fact("X-Forwarded-*: what the client claims is replaced"):
        request = seen(web, [("X-Forwarded-For", "1.2.3.4"), ("x-forwarded-for", "5.6.7.8"), ("X-Forwarded-Proto", "https")], host="a.test")
        equal(request.all("x-forwarded-for"), ["127.0.0.1"], "X-Forwarded-For")
        equal(request.all("x-forwarded-proto"), ["http"], "X-Forwarded-Proto")
        equal(request.all("x-forwarded-host"), ["a.test"], "X-Forwarded-Host")
    with s.fact("X-Forwarded-For: append keeps the chain"):
        request = seen(polite, [("X-Forwarded-For", "1.2.3.4")])
        equal(", ".join(request.all("x-forwarded-for")), "1.2.3.4, 127.0.0.1", "X-Forwarded-For")
    with s.fact("off adds nothing"):
        request = seen(plain)
        for name in ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id", "forwarded", "via"):
            equal(request.all(name), [], name)
    with s.fact("Forwarded (RFC 7239) and Via (RFC 9110 §7.6.3)"):
        request = seen(polite, host="a.test")
        forwarded = request.header("forwarded") or ""
        for part in ("for=127.0.0.1", "proto=http", "host=a.test"):
            contains(forwarded.lower().replace('"', ""), part)
        contains(request.header("via") or "", "1.1 edge")
    with s.fact("request ids: one each, the client's only when it is trusted"):
        ids = {seen(web, {"X-Request-Id": "mine"}).header("x-request-id") for _ in range(10)}
        ensure(len(ids) == 10 and "mine" not in ids, f"ids {ids}")
        equal(seen(polite, {"X-Request-Id": "mine"}).all("x-request-id"), ["mine"], "a trusted id")
    with s.fact("a request that crosses the end of its connection is not answered by a reset"), Wire(polite) as wire:
        for _ in range(3):
            wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.response()
        for _ in range(3):
            wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        ensure(wire.ended(), "no orderly end")
    with s.fact("max-requests closes the connection after the third response"), Wire(polite) as wire:
        closes = [wire.exchange().header("connection") for _ in range(3)]
        equal([value == "close" for value in closes], [False, False, True], "Connection: close")
        ensure(wire.ended(3), "the connection stays open")
    with s.fact("two differing Host fields are refused"), Wire(web) as wire:
        equal(wire.exchange(headers=[("Host", "b.test")], host="a.test").status, 400, "status")


def bodies(s, node, origin):
    web, size = s.port("web"), 64 * MIB
    expected = pattern_sha256(size)
    base = node.rss()
    s.figure("large bodies", "MiB/s", "RSS in KiB", f"at first {base}")
    with s.fact("64 MiB with a length to the backend"), Wire(web, timeout=60) as wire:
        start = time.monotonic()
        wire.send(f"PUT /up HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
        for part in pattern(size):
            wire.send(part)
        seen = json.loads(wire.response().body)
        equal((seen["length"], seen["sha256"]), (size, expected), "length and checksum")
        s.figure("up, length", f"{64 / (time.monotonic() - start):.0f}", node.rss())
    with s.fact("64 MiB chunked to the backend"), Wire(web, timeout=60) as wire:
        start = time.monotonic()
        wire.send("PUT /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in pattern(size):
            wire.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        wire.send("0\r\n\r\n")
        seen = json.loads(wire.response().body)
        equal((seen["length"], seen["sha256"]), (size, expected), "length and checksum")
        s.figure("up, chunked", f"{64 / (time.monotonic() - start):.0f}", node.rss())
    for kind in ("bytes", "chunked", "close"):
        with s.fact(f"64 MiB to the client: {kind}"):
            start = time.monotonic()
            body = get(web, f"/{kind}/{size}", timeout=60).body
            equal((len(body), hashlib.sha256(body).hexdigest()), (size, expected), "length and checksum")
            s.figure(f"down, {kind}", f"{64 / (time.monotonic() - start):.0f}", node.rss())
    with s.fact("memory stays bounded by large bodies"):
        ensure(node.rss() - base < 16 * 1024, f"RSS grew from {base} to {node.rss()} KiB")
    with s.fact("back-pressure: 20 clients that do not read 64 MiB each"):
        before = node.rss()
        wires = [Wire(web, receive_buffer=4096) for _ in range(20)]
        for wire in wires:
            wire.send(f"GET /bytes/{size} HTTP/1.1\r\nHost: x\r\n\r\n")
            equal(wire.head().status, 200, "status")
        time.sleep(1)  # the window in which memory would grow
        grown = node.rss() - before
        s.figure("20 slow readers", "", node.rss(), f"grew by {grown}")
        for wire in wires:
            wire.close()
        ensure(grown < 20 * 512, f"RSS grew by {grown} KiB")
    with s.fact("back-pressure: a backend that does not read holds the client back"), Wire(web, timeout=1) as wire:
        wire.send(f"PUT /stall HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
        wait(lambda: origin.requests[-1].path == "/stall", "the request is at the backend")
        before, sent = node.rss(), 0
        try:
            for part in pattern(size):
                wire.socket.send(part)
                sent += len(part)
        except TimeoutError:
            pass
        grown = node.rss() - before
        s.figure("stalled upload", "", node.rss(), f"{sent // 1024} KiB taken, grew by {grown}")
        ensure(sent < size, "all was taken")
        ensure(grown < 2048, f"RSS grew by {grown} KiB")
    origin.resume.set()


def files(s):
    root = s.path("files")
    root.mkdir()
    data = b"".join(pattern(MIB))
    (root / "file.bin").write_bytes(data)
    port = s.port("nginx")
    nginx(s, "nginx", f"  server {{ listen 127.0.0.1:{port}; location / {{ root {root}; }} }}", wait_port=port)
    web = s.port("files")
    with s.fact("nginx: a file, its ETag, a conditional and a range request"), Wire(web) as wire:
        response = wire.exchange(target="/file.bin")
        equal((response.status, response.body == data), (200, True), "status and content")
        again = wire.exchange(target="/file.bin", headers={"If-None-Match": response.header("etag")})
        equal((again.status, again.body), (304, b""), "status and body of the conditional request")
        part = wire.exchange(target="/file.bin", headers={"Range": "bytes=1000-1999"})
        equal((part.status, part.body), (206, data[1000:2000]), "status and body of the range")
    with s.fact("nginx: its own errors pass"), Wire(web) as wire:
        equal(wire.exchange(target="/absent").status, 404, "status")
        equal(wire.exchange("POST", "/file.bin", body=b"x").status, 405, "status of a POST")
        equal(wire.exchange(target="/file.bin").status, 200, "status of the next")


def log(s, node):
    with s.fact("the access log has an entry with all its keys"):
        get(s.port("web"), "/logged?x=1", method="PUT", body=b"12345")
        entry = node.wait_logged(lambda entry: str(entry.get("path")).startswith("/logged"), "the request")
        missing = {"time", "listener", "client", "method", "path", "status", "pool", "backend", "tries", "bytes", "duration_us"} - set(entry)
        equal(missing, set(), "missing keys")
        found = [entry[key] for key in ("listener", "method", "status", "pool", "backend", "tries")]
        equal(found, ["web", "PUT", 200, "origin", "origin", 1], "listener, method, status, pool, backend, tries")
        contains(entry["client"], "127.0.0.1")
    with s.fact("a client that leaves in the middle is in the log"):
        with Wire(s.port("web"), receive_buffer=4096) as wire:
            wire.send(f"GET /bytes/{64 * MIB + 1} HTTP/1.1\r\nHost: x\r\n\r\n")
            wire.head()
        node.wait_logged(lambda entry: str(64 * MIB + 1) in str(entry.get("path")), "the request that was left")
    with s.fact("bytes that are no HTTP get a 400 and the end"):
        with Wire(s.port("web")) as wire:
            wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
            try:
                equal(wire.response().status, 400, "status")
            except Closed:
                pass
            ensure(wire.ended(3), "the connection stays open")
