"""TLS as nobody should speak it: ends without a word, keys without end, pieces of one byte, names that are none."""

import contextlib
import re
import resource
import socket
import ssl
import struct
import time

from lib.h2peer import H2, Reset
from lib.node import Node
from lib.odd_tls import Ended, OddTLS
from lib.origin import Origin, Server
from lib.pki import Authority, curl, s_client
from lib.scenario import Failure, contains, ensure, equal, wait
from lib.wire import Wire

BODY = b"x" * 200_000
HALF_OPEN = 5000


def run(s):
    ca = Authority(s)
    web, _ = ca.issue("web", ["web.test"])
    ca.issue("other", ["other.test"])
    pair = ca.issue("backend", ["backend.test"])
    fresh = ca.staple(web).read_bytes()
    # The last of its times is nextUpdate; that its signature is broken now, only clients would find.
    last = re.findall(rb"\x18\x0f\d{14}Z", fresh)[-1]
    (ca.folder / "old.der").write_bytes(fresh.replace(last, b"\x18\x0f20200101000000Z"))
    # What a client of OpenSSL takes at most is 100 KiB.
    size = len(ssl.PEM_cert_to_DER_cert(ca.certificate.read_text())) + 3
    long_chain = web.read_text() + ca.certificate.read_text() * ((100 << 10) // size - 2)
    (ca.folder / "long.pem").write_text(long_chain)
    (ca.folder / "long-client.pem").write_text(web.read_text() + ca.certificate.read_text() * 60)
    Origin(s, "plain")
    torn(s, pair)
    node = Node(s)
    truncation(s, ca)
    halves(s)
    pieces(s)
    floods(s, node)
    hellos(s, node)
    chains(s, ca)
    with s.fact("an OCSP response that has ended is told of, and not stapled"):
        contains(node.process.log(), "old.der holds an OCSP response that has ended")
        contains(s_client(s.port("web"), "-status", "-servername", "web.test")[1], "no response sent")
    with s.fact("sessions allow no early data"):
        out = s_client(s.port("web"), "-tls1_3", "-ign_eof", stdin=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[1]
        contains(out, "Max Early Data: 0")
    half_open(s, node)
    with s.fact("nothing is held at the end"):
        wait(lambda: all(one["connections"] == one["inFlight"] == 0 for one in node.status()["listeners"]), "no connection is left", 12)


def torn(s, pair):
    """A backend by TLS whose answers have no length: they end with their connection, and the path says how."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)

    def handle(wire):
        plain = wire.socket
        plain.settimeout(10)
        with context.wrap_socket(plain, server_side=True) as secure:
            head = b""
            while b"\r\n\r\n" not in head and (part := secure.recv(65536)):
                head += part
            path = head.split(b" ")[1]
            secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)
            if path == b"/torn":
                return
            with contextlib.suppress(ssl.SSLError, OSError):
                if path == b"/torn/told-and-reset":
                    # What is on its way is let arrive: a reset overtakes it.
                    secure.settimeout(0.2)
                    secure.unwrap()
                secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", path != b"/torn/told", 0))
                if path != b"/torn/reset":
                    secure.settimeout(3)
                    secure.unwrap()

    return Server(s, "torn", handle)


def request(path):
    return f"GET {path} HTTP/1.1\r\nHost: web.test\r\n\r\n".encode()


def in_clear(s, path):
    with Wire(s.port("clear")) as wire:
        wire.send(request(path))
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while part := wire.socket.recv(65536):
                data += part
            return data.split(b"\r\n\r\n", 1)[1], True
        return data, False


def by_tls(s, path):
    with OddTLS(s.port("web"), alpn=b"\x08http/1.1") as client:
        client.write(request(path))
        client.push()
        data, clean = client.all()
        return data.split(b"\r\n\r\n", 1)[-1], clean


def by_stream(s, path, wrap=None):
    with H2(s.port("web" if wrap else "clear"), wrap=wrap) as h2:
        h2.settle().headers(1, h2.fields(path=path, scheme="https" if wrap else "http", authority="web.test"))
        try:
            return h2.response(1)[2], True
        except Reset:
            return b"", False


def truncation(s, ca):
    def wrap(one):
        context = ssl.create_default_context(cafile=str(ca.certificate))
        context.set_alpn_protocols(["h2"])
        return context.wrap_socket(one, server_hostname="web.test")

    clients = {"HTTP/1.1": in_clear, "HTTP/1.1 over TLS": by_tls, "HTTP/2": by_stream,
               "HTTP/2 over TLS": lambda s, path: by_stream(s, path, wrap)}
    for name, get in clients.items():
        with s.fact(f"{name}: a body without a length is whole when TLS has told of its end (RFC 9112 §9.8)"):
            body, whole = get(s, "/torn/told")
            equal((len(body), whole), (len(BODY), True), "length, and whether it was whole")
        for path, why in (("/torn", "the backend's TLS ends without close_notify"), ("/torn/reset", "the backend's connection is reset")):
            with s.fact(f"{name}: {why}, and the response is not whole"):
                ensure(not get(s, path)[1], "it looks whole")
        with s.fact(f"{name}: close_notify and then a reset: all of it, or not whole"):
            body, whole = get(s, "/torn/told-and-reset")
            ensure(not whole or len(body) == len(BODY), f"{len(body)} bytes look whole")
    with s.fact("tcp: an end of the backend that TLS has not told of is none that it tells the client of"):
        with OddTLS(s.port("raw")) as client:
            client.write(request("/torn"))
            client.push()
            data, clean = client.all()
            ensure(len(data) >= len(BODY) and not clean, f"{len(data)} bytes, {'told' if clean else 'not told'} of the end")
        with OddTLS(s.port("raw")) as client:
            client.write(request("/torn/told"))
            client.push()
            data, clean = client.all()
            ensure(len(data) >= len(BODY) and clean, f"{len(data)} bytes, {'told' if clean else 'not told'} of the end")


def halves(s):
    for version in ("1.2", "1.3"):
        with s.fact(f"TLS {version}: a client that says that it sends no more gets its answer"):
            with OddTLS(s.port("web"), version=version if version == "1.2" else None) as client:
                client.write(request("/bytes/300000"))
                client.end()
                client.push()
                data, _ = client.all()
                equal(len(data.split(b"\r\n\r\n", 1)[1]), 300_000, "length of the body")


def pieces(s):
    upload = b"y" * 3000
    with s.fact("an upload in records of one byte"), OddTLS(s.port("web")) as client:
        for byte in b"POST /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3000\r\n\r\n" + upload:
            client.write(bytes([byte]))
        client.push()
        contains(client.all()[0], b'"length": 3000')
    with s.fact("a record of 2^14 bytes is taken, and one that says it is longer ends the connection"):
        with OddTLS(s.port("web")) as client:
            client.write(b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n" + b"z" * 40000)
            client.push()
            contains(client.read(), b"HTTP/1.1 200")
            client.socket.sendall(struct.pack(">BHH", 23, 0x303, (1 << 14) + 257) + bytes((1 << 14) + 257))
            ensure(not client.all()[1], "the connection ended as if nothing were wrong")
    with s.fact("keys may be updated, by client's and by server's will"), OddTLS(s.port("web")) as client:
        for _ in range(8):
            client.update_keys()
            client.write(request("/x"))
            client.push()
            contains(client.read(), b"HTTP/1.1 200")


def served(s):
    start = time.monotonic()
    with OddTLS(s.port("web")) as client:
        client.write(request("/x"))
        client.push()
        contains(client.read(), b"HTTP/1.1 200")
    return time.monotonic() - start


def floods(s, node):
    for name, asks in (("with answers", True), ("without answers", False)):
        with s.fact(f"a flood of key updates {name} ends its connection, and stalls nobody"):
            clients = [OddTLS(s.port("web"), receive_buffer=4096) for _ in range(4)]
            before = node.rss()
            for client in clients:
                for _ in range(20_000):
                    client.update_keys(asks)
            taken = [client.push(seconds=1) for client in clients]
            slowest = served(s)
            grown = node.rss() - before
            s.figure(f"key updates {name}", f"another's request: {slowest * 1000:.0f} ms", f"RSS grew by {grown} KiB")
            ensure(grown < 4096, f"RSS grew by {grown} KiB")
            for client in clients:
                with contextlib.suppress(OSError):
                    ensure(not client.all()[1], "it went on")
                client.close()
    with s.fact("a flood of key updates in the middle of an upload"), OddTLS(s.port("web"), receive_buffer=4096) as client:
        before = node.rss()
        client.write(b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(100):
                for _ in range(200):
                    client.write(b"u")
                    client.update_keys()
                client.push(seconds=1)
        ensure(node.rss() - before < 4096, f"RSS grew by {node.rss() - before} KiB")
        with contextlib.suppress(OSError):
            ensure(not client.all()[1], "it went on")


def hellos(s, node):
    def patched(old, new):
        def change(data):
            ensure(old in data and len(old) == len(new), "nothing to change")
            return data.replace(old, new)
        return change

    def outcome(**words):
        try:
            with OddTLS(s.port("web"), **words) as client:
                client.write(request("/x"))
                client.push()
                return client.read().split(b"\r\n")[0].decode()
        except (Ended, OSError):
            return "refused"

    label = b"abcdefgh.test"
    ask = {"name": label.decode()}
    cases = {
        "a name with a NUL": ({**ask, "change": patched(label, b"web.test\0test")}, "refused"),
        "an empty name": ({**ask, "change": patched(b"\0\x10\0\0\x0d" + label, b"\0\x10\0\0\0" + label)}, "refused"),
        "a name of 255 octets": ({"name": "a" * 250 + ".test"}, "HTTP/1.1 200 Status"),
        "an address as a name": ({"name": "127.0.0.1"}, "HTTP/1.1 200 Status"),
        "ALPN with an empty protocol": ({"alpn": b"\x02h2\x08http/1.1", "change": patched(b"\x02h2\x08http/1.1", b"\x00h2\x08http/1.1")}, "refused"),
        "ALPN that is longer than it is": ({"alpn": b"\x08http/1.1", "change": patched(b"\x08http/1.1", b"\x09http/1.1")}, "refused"),
        "ALPN of 200 protocols, the last of them ours": ({"alpn": b"".join(b"\x03%03d" % n for n in range(200)) + b"\x08http/1.1"}, "HTTP/1.1 200 Status"),
        "ALPN of letters that are none": ({"alpn": b"\x04\xff\xfe\x00\x01"}, "refused"),
    }
    for name, (words, wanted) in cases.items():
        with s.fact(f"{name}: {wanted}"):
            equal(outcome(**words), wanted, "outcome")


def chains(s, ca):
    with s.fact("a chain of almost 100 KiB reaches the client"):
        for version in ("1.2", "1.3"):
            status, out, error = curl(
                "--cacert", ca.certificate, "--tls-max", version, "--connect-to", f"web.test:443:127.0.0.1:{s.port('long-chain')}", "-o", "/dev/null",
                "-w", "%{http_code}", "https://web.test/x")
            equal((status, out), (0, "200"), f"{version}: {error}")
    with s.fact("a client's chain of 60 certificates"):
        status, out, error = curl(
            "--cacert", ca.certificate, "--cert", ca.folder / "long-client.pem", "--key", ca.folder / "web.key", "--connect-to",
            f"web.test:443:127.0.0.1:{s.port('must')}", "-o", "/dev/null", "-w", "%{http_code}", "https://web.test/x")
        ensure((status, out) == (0, "200") or status != 0 and "alert" in error, f"{status} {out} {error}")


def half_open(s, node):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, HALF_OPEN + 2000), hard))
    with s.fact(f"{HALF_OPEN} half-open handshakes: bounded memory, and who is honest gets in"), contextlib.ExitStack() as stack:
        before, start = node.rss(), time.monotonic()
        for number in range(HALF_OPEN):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(("127.0.0.1", s.port("web")))
        with Wire(s.port("clear")) as wire:
            asked = time.monotonic()
            wire.send(request("/x"))
            equal(wire.response().status, 200, "status in clear")
            clear = time.monotonic() - asked
        asked = time.monotonic()
        wait(lambda: survives(s), "a client is served", 20)
        s.figure(f"{HALF_OPEN} half-open", f"opened in {asked - start:.1f} s", f"in clear {clear * 1000:.0f} ms, TLS {time.monotonic() - asked:.1f} s", f"RSS grew by {node.rss() - before} KiB")
        ensure(node.rss() - before < 100 << 10, f"RSS grew by {node.rss() - before} KiB")


def survives(s):
    with contextlib.suppress(Ended, OSError, Failure):
        return served(s) > 0
    return False
