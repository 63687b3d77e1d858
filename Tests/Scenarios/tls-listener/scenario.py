"""TLS in front: versions, names, protocols, stapling, tickets and their rules, limits, and what `check` says."""

import concurrent.futures
import contextlib
import hashlib
import os
import json
import re
import socket
import ssl
import time

from lib.node import Node
from lib.origin import Origin, Server, pattern_sha256
from lib.pki import Authority, curl, s_client
from lib.scenario import ensure, equal, wait


def run(s):
    ca = Authority(s)
    certificate, _ = ca.issue("default", ["a.test", "localhost"])
    ca.issue("default-rsa", ["a.test", "localhost"], kind="rsa")
    ca.issue("b.test", ["b.test"])
    ca.issue("wild", ["*.w.test"])
    ca.staple(certificate)
    Origin(s, "origin")
    Server(s, "echo", echo)
    node = Node(s)
    versions(s, ca)
    names(s, ca)
    protocols(s, ca, node)
    tickets(s, ca, node)
    rules(s, ca, node)
    garbage(s, ca, node)
    streams(s, ca, node)
    check(s, node, ca)


def echo(wire):
    while data := wire.socket.recv(65536):
        wire.send(data)


def context(ca, **options):
    made = ssl.create_default_context(cafile=ca.certificate)
    for name, value in options.items():
        setattr(made, name, value)
    return made


def get(s, ca, *words, port="web", name="a.test", path="/x"):
    return curl("--cacert", ca.certificate, "--connect-to", f"{name}:443:127.0.0.1:{s.port(port)}", *words, f"https://{name}{path}")


def versions(s, ca):
    for version, label in (("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")):
        with s.fact(f"curl speaks {label}"):
            status, out, error = get(s, ca, f"--tlsv{version}", "--tls-max", version, "-w", "%{http_code} %{ssl_verify_result}", "-o", "/dev/null")
            equal((status, out), (0, "200 0"), error)
    with s.fact("TLS 1.1 is refused, and so is 1.2 where 1.3 is the least"):
        ensure(s_client(s.port("web"), "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")[0] != 0, "TLS 1.1 is taken")
        ensure(get(s, ca, "--tls-max", "1.2", port="strict", name="b.test")[0] != 0, "TLS 1.2 is taken")
        equal(get(s, ca, port="strict", name="b.test")[0], 0, "TLS 1.3")
    with s.fact("a client without ECDSA gets the RSA certificate beside it"):
        for cipher, kind in (("ECDHE-RSA-AES128-GCM-SHA256", "rsa"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "id-ecPublicKey")):
            _, out = s_client(s.port("web"), "-tls1_2", "-cipher", cipher, "-servername", "a.test")
            ensure(f"Cipher is {cipher}" in out, out[-300:])
            ensure(f"a:{kind}" in out.replace("PKEY: ", "a:").replace("rsaEncryption", "rsa"), f"{cipher}: not {kind}")


def names(s, ca):
    def subject(name):
        words = ["-servername", name] if name else ["-noservername"]
        return re.search(r"subject=.*CN = (\S+)", s_client(s.port("web"), *words)[1])[1]

    for name, expected in (
        ("a.test", "default"), ("B.test", "b.test"), ("x.w.test", "wild"), ("x.y.w.test", "default"), ("w.test", "default"),
        ("other.test", "default"), (None, "default"),
    ):
        with s.fact(f"the certificate for {name}"):
            equal(subject(name), expected, "its subject")
    with s.fact("strict-sni refuses other names with unrecognized_name"):
        for words in (["-servername", "other.test"], ["-noservername"]):
            out = s_client(s.port("strict"), *words)[1]
            ensure("unrecognized name" in out, out[-300:])
        ensure("Verify return code: 0" in s_client(s.port("strict"), "-servername", "b.test", "-CAfile", ca.certificate)[1], "b.test is refused")
    with s.fact("routes match the name that the client asked for"):
        equal(get(s, ca, name="b.test")[1], "by name\n", "b.test")
        equal(get(s, ca, name="z.w.test")[1], "by name\n", "z.w.test")
        ensure("by name" not in get(s, ca)[1], "a.test takes the route of b.test")
    with s.fact("the OCSP response is stapled, to who asks and for that certificate"):
        ensure("OCSP Response Status: successful" in s_client(s.port("web"), "-status", "-servername", "a.test")[1], "no staple")
        ensure("no response sent" in s_client(s.port("web"), "-status", "-servername", "b.test")[1], "b.test has one")


def protocols(s, ca, node):
    with s.fact("ALPN: http/1.1 is chosen, an unknown protocol is refused, none is fine"):
        ensure("ALPN protocol: http/1.1" in s_client(s.port("web"), "-alpn", "h9,http/1.1")[1], "not http/1.1")
        ensure("no application protocol" in s_client(s.port("web"), "-alpn", "h9")[1], "h9 is taken")
        ensure("No ALPN negotiated" in s_client(s.port("web"))[1], "something is negotiated")
    with s.fact("the backend hears of https"):
        equal({name.lower(): value for name, value in json.loads(get(s, ca)[1])["headers"]}.get("x-forwarded-proto"), "https", "x-forwarded-proto")
    with s.fact("a PROXY header comes before TLS"):
        with socket.create_connection(("127.0.0.1", s.port("proxied")), 5) as plain:
            plain.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 443\r\n")
            with context(ca).wrap_socket(plain, server_hostname="b.test") as wire:
                wire.sendall(b"GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n")
                ensure(b"192.0.2.7" in rest(wire), "the client's address is lost")
    with s.fact("what is no TLS is counted and closed"):
        before = failures(node, "web")["not-tls"]
        with socket.create_connection(("127.0.0.1", s.port("web")), 5) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                rest(plain)
        wait(lambda: failures(node, "web")["not-tls"] == before + 1, "it is counted as not-tls", 3)
    with s.fact("a handshake by single bytes is one all the same"):
        slow_handshake(s, ca)


def slow_handshake(s, ca):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = context(ca).wrap_bio(incoming, outgoing, server_hostname="b.test")
    with socket.create_connection(("127.0.0.1", s.port("web")), 5) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                side.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    plain.send(bytes([byte]))
                incoming.write(plain.recv(65536))
        # The end of the handshake and the request in one segment.
        side.write(b"GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n")
        plain.sendall(outgoing.read())
        body = b""
        while data := plain.recv(65536):
            incoming.write(data)
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                while part := side.read(65536):
                    body += part
        ensure(b"by name" in body, body[-100:])


def rest(wire):
    data = b""
    while part := wire.recv(65536):
        data += part
    return data


def listener(node, name):
    return next(one for one in node.status()["listeners"] if one["name"] == name)


def failures(node, name):
    return listener(node, name)["tls"]["failed"]


def resumes(s, port, session, version, name="b.test"):
    out = s_client(s.port(port), f"-tls1_{version}", "-servername", name, "-sess_in", session)[1]
    return "Reused, " in out


def save(s, port, version, name="b.test"):
    session = s.path(f"session-{port}-{version}")
    s_client(s.port(port), f"-tls1_{version}", "-servername", name, "-sess_out", session, "-ign_eof",
             stdin=b"GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n")
    ensure(session.exists(), "there is no session to resume")
    return session


def tickets(s, ca, node):
    for version in (2, 3):
        with s.fact(f"TLS 1.{version}: a session is resumed, by whichever worker"):
            session = save(s, "web", version)
            before = listener(node, "web")["tls"]["resumed"]
            ensure(all(resumes(s, "web", session, version) for _ in range(6)), "it is not resumed")
            wait(lambda: listener(node, "web")["tls"]["resumed"] >= before + 6, "resumptions are counted", 3)
        with s.fact(f"TLS 1.{version}: but not at another listener"):
            ensure(not resumes(s, "raw", save(s, "web", version), version), "raw resumes web's session")
    with s.fact("ticket keys outlive a restart, in a file that only we can read"):
        session = save(s, "web", 3)
        equal(oct(s.path("tickets.bin").stat().st_mode & 0o777), "0o600", "the file's mode")
        node.process.stop()
        again = Node(s, name="sluice-again")
        ensure(resumes(s, "web", session, 3), "the session is gone")
        node.process, node.name = again.process, again.name
    with s.fact("ticket keys that somebody else puts there are taken over, and what is none is not"):
        keys, path = s.path("tickets.bin").read_bytes(), s.path("tickets.bin")
        put = lambda content: (s.path("tickets.fresh").write_bytes(content), os.replace(s.path("tickets.fresh"), path))
        put(os.urandom(80))
        wait(lambda: not resumes(s, "web", session, 3), "the session cannot be resumed with other keys", 6)
        put(b"nothing of the kind")
        wait(lambda: "no ticket keys in it" in node.process.log(), "it says so", 6)
        put(keys)
        wait(lambda: resumes(s, "web", session, 3), "it can with its own", 6)


def rules(s, ca, node):
    with s.fact("a source has only so many handshakes"):
        outcomes = [s_client(s.port("limited"), "-servername", "b.test")[0] for _ in range(6)]
        ensure(outcomes[0] == 0 and outcomes[-1] != 0, f"exit statuses {outcomes}")
        ensure(listener(node, "limited")["tls"]["limited"] >= 1, "nothing is counted")
    with s.fact("a handshake has its time"):
        # From another source: the rate is by source.
        with socket.create_connection(("127.0.0.1", s.port("limited")), 5, source_address=("127.0.0.9", 0)) as idle:
            idle.settimeout(5)
            start = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                equal(idle.recv(1), b"", "an end")
            took = time.monotonic() - start
            ensure(0.9 < took < 3, f"after {took:.2f} s")
        wait(lambda: failures(node, "limited")["timeout"] == 1, "it is counted as a timeout", 3)
    with s.fact("metrics tell of handshakes, failures and expiry"):
        text = node.api("GET", "/metrics")[1]
        for name in ("sluice_listener_tls_handshakes", "sluice_listener_tls_failures", "sluice_certificate_expiry_seconds"):
            ensure(f'{name}' in str(text), f"no {name}")


GARBAGE = 10_000


def hello(ca, **options):
    """A client's first bytes."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    made = context(ca)
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    for name, value in options.items():
        setattr(made, name, value)
    with contextlib.suppress(ssl.SSLWantReadError):
        made.wrap_bio(incoming, outgoing, server_hostname="b.test").do_handshake()
    return outgoing.read()


def garbage(s, ca, node):
    """Hellos that come to nothing, each counted, and a bounded number of them told of."""
    whole = hello(ca)
    # The session id says that it is longer than it may be.
    broken = whole[:43] + b"\xff" + whole[44:]
    kinds = {
        "not-tls": [b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n", b"\x16\x03\x01\0\x05\x0b\0\0\x01\0", b"\x55" * 64],
        "mismatch": [hello(ca, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)],
        "other": [broken],
    }
    offers = [(kind, data) for kind, list_ in kinds.items() for data in list_]
    share = GARBAGE // len(offers)
    before, told = failures(node, "web"), len(node.process.log())

    def offer(data):
        with socket.create_connection(("127.0.0.1", s.port("web")), 10) as plain, contextlib.suppress(ConnectionError):
            plain.sendall(data)
            rest(plain)

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for _, data in offers:
            list(threads.map(offer, [data] * share))
    took = time.monotonic() - start
    with s.fact(f"{GARBAGE} hellos that come to nothing are counted, each by its reason"):
        wanted = {kind: count + share * len(kinds.get(kind, [])) for kind, count in before.items()}
        wait(lambda: sum(failures(node, "web").values()) >= sum(wanted.values()), "all are counted", 5)
        equal(failures(node, "web"), wanted, "failures")
    with s.fact("of them a bounded number is told of, and how many more there were"):
        def lines():
            text = node.process.log()[told:]
            single = len(re.findall(r": handshake: ", text))
            return single, sum(map(int, re.findall(r"(\d+) more warnings in that second", text)))
        wait(lambda: sum(lines()) == GARBAGE, "the log accounts for all", 5)
        single, more = lines()
        s.figure(f"{GARBAGE} bad hellos", f"{took:.1f} s", f"{single} lines", f"{more} told of in sum")
        # Two workers, ten lines a second each.
        ensure(single <= 20 * (took + 2), f"{single} lines in {took:.1f} s")
    with s.fact("and who is honest is served"):
        equal(get(s, ca, name="b.test")[1], "by name\n", "b.test")


def streams(s, ca, node):
    size = 8 << 20
    with s.fact("a large response arrives whole"):
        status, out, error = get(s, ca, "-o", s.path("large"), path=f"/bytes/{size}")
        equal((status, hashlib.sha256(s.path("large").read_bytes()).hexdigest()), (0, pattern_sha256(size)), error)
    with s.fact("a large upload arrives whole"):
        status, out, error = get(s, ca, "--data-binary", f"@{s.path('large')}", path="/upload")
        equal(status, 0, error)
        ensure(str(size) in out, out[:300])
    with s.fact("tcp: bytes both ways, and a half-close by close_notify"):
        with socket.create_connection(("127.0.0.1", s.port("raw")), 5) as plain:
            with context(ca).wrap_socket(plain, server_hostname="b.test", suppress_ragged_eofs=False) as wire:
                wire.sendall(b"x" * 300_000)
                got = b""
                while len(got) < 300_000:
                    got += wire.recv(65536)
                equal(got, b"x" * 300_000, "the echo")
                wire.unwrap()
    with s.fact("a slow reader stops the backend, not the memory"):
        before = node.rss()
        with socket.create_connection(("127.0.0.1", s.port("web")), 5) as plain:
            with context(ca).wrap_socket(plain, server_hostname="a.test") as wire:
                wire.sendall(b"GET /bytes/100000000 HTTP/1.1\r\nHost: a.test\r\n\r\n")
                wire.recv(1)
                time.sleep(1)  # the window in which memory would grow
                grown = node.rss() - before
        s.figure("slow reader", "95 MiB offered", f"RSS grew by {grown} KiB")
        ensure(grown < 8192, f"RSS grew by {grown} KiB")
    with s.fact("nothing is in flight at the end"):
        wait(lambda: all(one["inFlight"] == 0 for one in node.status()["listeners"]), "in-flight is 0", 5)


def check(s, node, ca):
    s.path("empty.pem").write_text("nothing\n")
    s.path("nothing.pem").touch()
    good = f'certificate: "{ca.folder}/b.test.pem", key: "{ca.folder}/b.test.key"'
    cases = [
        ("a file that is not there", 'certificate: "/nonexistent/x.pem", key: "/nonexistent/x.key"', ["/nonexistent/x.pem", "not there"]),
        ("a file without a certificate", f'certificate: "{s.path("empty.pem")}", key: "{ca.folder}/b.test.key"', ["empty.pem", "no certificate"]),
        ("an empty file", f'certificate: "{s.path("nothing.pem")}", key: "{ca.folder}/b.test.key"', ["nothing.pem", "no certificate"]),
        ("a file without a key", f'certificate: "{ca.folder}/b.test.pem"', ["b.test.pem", "no private key"]),
        ("another certificate's key", f'certificate: "{ca.folder}/b.test.pem", key: "{ca.folder}/wild.key"', ["wild.key", "not that of"]),
        ("an unknown cipher", f'{good}, ciphers: "ECDHE-NONSENSE"', ["ECDHE-NONSENSE", "knows no cipher"]),
        ("an unknown group", f'{good}, groups: ["X25519", "P-999"]', ["groups"]),
        ("a staple of another certificate", f'{good}, ocsp: "{ca.folder}/staple.der"', ["staple.der", "another certificate"]),
        ("an unknown policy", f"{good}, policy: paranoid", ["policy", "modern"]),
    ]
    for label, tls, words in cases:
        with s.fact(f"check names {label}"):
            path = s.path("bad.yaml")
            path.write_text(
                f'listeners:\n  web:\n    bind: "127.0.0.1:1"\n    protocol: http\n    tls: {{ {tls} }}\n    pool: web\n'
                'pools: { web: { backends: ["127.0.0.1:2"] } }\n')
            done = node.cli("check", path)
            equal(done.returncode, 1, done.stdout + done.stderr)
            for word in [*words, "bad.yaml:5:"]:
                ensure(word in done.stderr + done.stdout, f"no `{word}` in {done.stderr}{done.stdout}")
