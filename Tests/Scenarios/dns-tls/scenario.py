"""DNS over TLS: kdig and dig as clients, pipelining, padding, zones by TLS, hostile clients, a certificate that changes under queries."""

import signal
import socket
import ssl
import struct
import threading
import time
import urllib.request

import dns.edns
import dns.message
import dns.query
import dns.zone

from lib.names import Stream, ask, code, lookup, raw, tool
from lib.node import Node
from lib.pki import Authority, openssl, replace, s_client
from lib.scenario import contains, ensure, equal, wait

LIMIT = 90
NAMES = 20_000


class Secure(Stream):
    """The same through TLS."""

    def __init__(self, s, ca, protocols=("dot",), timeout=5):
        context = ssl.create_default_context(cafile=ca.certificate)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        plain = socket.create_connection(("127.0.0.1", s.port("dot")), timeout)
        try:
            self.socket = context.wrap_socket(plain, server_hostname="dns.test")
        except Exception:
            plain.close()
            raise


def run(s):
    ca = Authority(s)
    pairs = [ca.issue(f"pair-{number}", ["dns.test", "127.0.0.1"]) for number in range(2)]
    put(s, pairs[0])
    s.path("big.zone").write_text(
        "$ORIGIN big.test.\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 127.0.0.1\n"
        + "".join(f"n{n} A 10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(NAMES)))
    node = Node(s)
    clients(s, ca)
    queries(s, ca)
    transfers(s, ca)
    hostile(s, ca, node)
    rotation(s, ca, node, pairs)
    with s.fact("all of it is counted"):
        report = node.api("GET", "/v1/dns")[1]
        tls, counters = report["tls"], report["counters"]
        ensure(counters["queriesTLS"] > 600 and tls["handshakes"] > 10, report)
        ensure(tls["failed"]["not-tls"] >= 2 and tls["failed"]["name"] >= 1 and tls["failed"]["timeout"] >= 8, tls)
        ensure(tls["resumed"] >= 1, tls)
        with urllib.request.urlopen(f"http://127.0.0.1:{s.port('metrics')}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        for line in ('sluice_dns_queries_total{transport="tls"}', "sluice_dns_tls_handshakes_total", "sluice_dns_certificate_expiry_seconds{"):
            contains(text, line)
        s.figure("queries over TLS, handshakes", f"{counters['queriesTLS']}, {tls['handshakes']}")


def clients(s, ca):
    for title, words in (
        ("kdig, which checks the name", ("kdig", f"+tls-ca={ca.certificate}", "+tls-hostname=dns.test")),
        ("dig, which checks the name", ("dig", f"+tls-ca={ca.certificate}", "+tls-hostname=dns.test")),
        ("kdig that believes anybody", ("kdig", "+tls")),
    ):
        with s.fact(f"an answer for {title}"):
            text = tool(*words, "@127.0.0.1", "-p", s.port("dot"), "n7.big.test", "A", "+norec")
            contains(text, "10.0.0.7")
            contains(text, "NOERROR")
    with s.fact("kdig refuses another name"):
        text = tool("kdig", f"+tls-ca={ca.certificate}", "+tls-hostname=other.test", "+retry=0", "@127.0.0.1", "-p", s.port("dot"), "n7.big.test", check=False)
        ensure("10.0.0.7" not in text, text)
    with s.fact("ALPN: dot is taken, none is fine, others end the handshake"):
        with Secure(s, ca) as stream:
            equal(stream.socket.selected_alpn_protocol(), "dot")
        with Secure(s, ca, protocols=()) as stream:
            stream.send(dns.message.make_query("n1.big.test", "A").to_wire())
            equal(stream.read().answer[0][0].address, "10.0.0.1")
        try:
            Secure(s, ca, protocols=("h2",)).socket.close()
            ensure(False, "h2 was taken")
        except ssl.SSLError as error:
            contains(str(error), "no application protocol")
    with s.fact("a session is resumed"):
        saved = s.path("session.pem")
        question = dns.message.make_query("n1.big.test", "A").to_wire()
        s_client(s.port("dot"), "-sess_out", saved, "-alpn", "dot", "-ign_eof", "-quiet", stdin=struct.pack("!H", len(question)) + question)
        contains(s_client(s.port("dot"), "-sess_in", saved)[1], "Reused")


def queries(s, ca):
    with s.fact("500 queries in one piece are answered in order"):
        wires = [dns.message.make_query(f"n{n}.big.test", "A", id=n) for n in range(500)]
        with Secure(s, ca) as stream:
            stream.socket.sendall(b"".join(struct.pack("!H", len(w.to_wire())) + w.to_wire() for w in wires))
            for n in range(500):
                answer = stream.read()
                equal((answer.id, answer.answer[0][0].address), (n, f"10.0.{n >> 8}.{n & 255}"))
    with s.fact("a query in pieces of one byte"):
        wire = dns.message.make_query("n9.big.test", "A").to_wire()
        with Secure(s, ca) as stream:
            for byte in struct.pack("!H", len(wire)) + wire:
                stream.socket.sendall(bytes([byte]))
            equal(stream.read().answer[0][0].address, "10.0.0.9")
    with s.fact("answers are padded to 468 bytes where they are encrypted and padding is asked for"):
        def size(stream, options, name="n7.big.test"):
            stream.send(dns.message.make_query(name, "A", use_edns=0, options=options).to_wire())
            length = struct.unpack("!H", stream.exactly(2))[0]
            ensure(dns.message.from_wire(stream.exactly(length)).id is not None, "readable")
            return length

        padding = [dns.edns.GenericOption(12, b"\0" * 40)]
        cookie = dns.edns.GenericOption(10, b"12345678")
        with Secure(s, ca) as stream:
            equal([size(stream, options) for options in (padding, padding + [cookie])], [468, 468])
            equal(size(stream, padding, "nothing.big.test"), 468)
            plain = size(stream, [])
            ensure(plain < 100, f"without the option: {plain} bytes")
        with Stream(s.port("dns")) as stream:
            ensure(size(stream, padding) < 100, "over TCP there is none")
    with s.fact("what is no query ends the connection"):
        with Secure(s, ca) as stream:
            stream.socket.sendall(b"\0\3abc")
            equal(stream.socket.recv(10), b"")


def transfers(s, ca):
    with s.fact("kdig has a large zone by TLS"):
        text = tool("kdig", "+tls", "@127.0.0.1", "-p", s.port("dot"), "big.test", "AXFR", "+noall", "+answer")
        equal(sum("\tA\t" in line for line in text.splitlines()), NAMES + 1)
    with s.fact("a slow secondary has all of it, while others are answered"):
        wire = dns.message.make_query("big.test", "AXFR").to_wire()
        with Secure(s, ca) as stream:
            stream.send(wire)
            records, pauses = 0, 0
            while records < NAMES + 4:
                records += sum(len(rrset) for rrset in stream.read().answer)
                pauses += 1
                if pauses <= 4:
                    equal(lookup(s.port("dns"), "n3.big.test"), ["10.0.0.3"])
            equal(records, NAMES + 4)
    with s.fact("a zone that is for TLS alone is refused in clear"):
        for port, words, given in ((s.port("dns"), ("+tcp",), False), (s.port("dot"), ("+tls",), True)):
            text = tool("kdig", *words, "@127.0.0.1", "-p", port, "private.test", "AXFR", check=False)
            equal("127.0.0.1" in text and "SOA" in text and "REFUSED" not in text, given, f"given by {words[0]}")


def hostile(s, ca, node):
    with s.fact("what is no TLS is closed"):
        for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", struct.pack("!H", 29) + dns.message.make_query("n1.big.test", "A").to_wire() + b"\0" * 16):
            with socket.create_connection(("127.0.0.1", s.port("dot")), 3) as client:
                client.sendall(garbage)
                closed(client)
    with s.fact("who stays silent keeps others out for no longer than a handshake may take, and UDP not at all"):
        start = time.monotonic()
        silent = [socket.create_connection(("127.0.0.1", s.port("dot")), 5) for _ in range(24)]
        silent[0].sendall(b"\x16\x03\x01")
        for n in range(50):
            equal(lookup(s.port("dns"), f"n{n}.big.test"), [f"10.0.0.{n}"])
        udp = time.monotonic() - start
        ensure(udp < 1.0, f"50 answers over UDP took {udp:.1f} s")
        with Secure(s, ca, timeout=10) as stream:
            stream.send(dns.message.make_query("n1.big.test", "A").to_wire())
            equal(stream.read().answer[0][0].address, "10.0.0.1")
        s.figure("behind 24 silent clients, 8 at a time", f"{time.monotonic() - start:.1f} s")
        for client in silent:
            closed(client)
            client.close()
    with s.fact("idle clients are closed, with close_notify"):
        with Secure(s, ca) as stream:
            start = time.monotonic()
            equal(stream.socket.recv(1), b"")
            ensure(1.5 < time.monotonic() - start < 4, f"after {time.monotonic() - start:.1f} s")
    with s.fact("connections are bounded: the one that was idle for longest gives way"):
        streams = [Secure(s, ca) for _ in range(70)]
        streams[-1].send(dns.message.make_query("n1.big.test", "A").to_wire())
        equal(streams[-1].read().answer[0][0].address, "10.0.0.1")
        equal(streams[0].socket.recv(1), b"")
        wait(lambda: node.api("GET", "/v1/dns")[1]["counters"]["evicted"] >= 10, "ten are counted as evicted")
        for stream in streams:
            stream.socket.close()


def closed(client):
    """Waits for the end of a connection, whatever is said before."""
    client.settimeout(6)
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        pass


def put(s, pair):
    replace(s.path("live.key"), pair[1])
    replace(s.path("live.pem"), pair[0])


def serial(s):
    out = s_client(s.port("dot"), "-alpn", "dot")[1]
    return openssl("x509", "-noout", "-serial", stdin=out.encode()).stdout


def rotation(s, ca, node, pairs):
    done, failures, counts = threading.Event(), [], [0, 0]

    def query(stream, n):
        stream.send(dns.message.make_query(f"n{n % 200}.big.test", "A").to_wire())
        equal(stream.read().answer[0][0].address, f"10.0.0.{n % 200}")

    def lasting():
        try:
            with Secure(s, ca) as stream:
                while not done.is_set():
                    query(stream, counts[0])
                    counts[0] += 1
        except Exception as error:
            failures.append(f"lasting: {error!r}")

    def fresh():
        while not done.is_set():
            try:
                with Secure(s, ca) as stream:
                    query(stream, counts[1])
                counts[1] += 1
            except Exception as error:
                failures.append(f"fresh: {error!r}")

    threads = [threading.Thread(target=lasting), threading.Thread(target=fresh)]
    with s.fact("a certificate changes under queries, by itself and by SIGHUP, and none fails"):
        for thread in threads:
            thread.start()
        numbers = [openssl("x509", "-in", pair[0], "-noout", "-serial").stdout for pair in pairs]
        try:
            equal(serial(s), numbers[0])
            put(s, pairs[1])
            wait(lambda: serial(s) == numbers[1], "the new one is served", 6)
            put(s, pairs[0])
            node.process.signal(signal.SIGHUP)
            wait(lambda: serial(s) == numbers[0], "the old one is served again", 6)
        finally:
            done.set()
            for thread in threads:
                thread.join(10)
        equal(failures[:3], [])
        ensure(min(counts) > 20, counts)
        s.figure("queries while it changed: one connection, one each", f"{counts[0]}, {counts[1]}")
    with s.fact("a key that does not match is refused, and what is served stays"):
        replace(s.path("live.key"), pairs[1][1])
        node.process.signal(signal.SIGHUP)
        wait(lambda: "stays" in node.process.log(), "it is told of", 5)
        equal(serial(s), numbers[0])
        put(s, pairs[0])
