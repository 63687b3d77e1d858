"""Static zones and balanced names, asked by dig, kdig and dnspython over UDP and TCP; reload; slow and rude clients."""

import collections
import pathlib
import shutil
import socket
import time

import dns.edns
import dns.message

from lib.names import Stream, addresses, ask, code, has, lookup, raw, tool
from lib.node import Node
from lib.scenario import Failure, contains, ensure, equal, wait

LIMIT = 120
VECTORS = pathlib.Path(__file__).resolve().parents[2] / "Vectors/dns"


class Door:
    """Something that accepts TCP connections, or not any more."""

    def __init__(self, s, host, port):
        self.place = (host, port)
        self.socket = None
        s.defer(self.close)
        self.open()

    def open(self):
        self.socket = socket.create_server(self.place, backlog=64)

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None


def run(s):
    shutil.copy(VECTORS / "rich.zone", s.path("rich.zone"))
    a, b = Door(s, "127.0.0.1", s.port("a")), Door(s, "127.0.0.2", s.port("b"))
    node = Node(s)
    port = s.port("dns")
    static(s, port)
    extensions(s, port)
    policies(s, port)
    health(s, node, port, a, b)
    streams(s, port)
    reloads(s, node, port)
    people(s, node)
    malformed(s, node, port)


def static(s, port):
    with s.fact("dig and kdig are answered over UDP and TCP"):
        equal(tool("dig", "@127.0.0.1", "-p", port, "www.rich.test", "+short", "+norec").split(), ["192.0.2.80", "192.0.2.81"])
        equal(tool("kdig", "@127.0.0.1", "-p", port, "+tcp", "alias2.rich.test", "+short").split(), ["alias.rich.test.", "www.rich.test.", "192.0.2.80", "192.0.2.81"])
        equal(tool("dig", "@::1", "-p", port, "www.rich.test", "AAAA", "+short").split(), ["2001:db8::80"])
    with s.fact("an answer leaves from the address that was asked"):
        equal(lookup(port, "v4only.rich.test", host="127.0.0.77"), ["192.0.2.4"])
    with s.fact("what is not ours is refused, also the root"):
        for name in ("example.org", ".", "test"):
            response = ask(port, name)
            equal((code(response), has(response, "AA")), ("REFUSED", False), name)
    with s.fact("a long answer is truncated over UDP and whole over TCP"):
        short = ask(port, "big.rich.test", "TXT", use_edns=False)
        ensure(has(short, "TC") and not short.answer, "TC, and no part of a set")
        equal(sum(map(len, ask(port, "big.rich.test", "TXT", tcp=True).answer)), 6)
    with s.fact("ANY is answered with one set"):
        equal(len(ask(port, "rich.test", "ANY").answer), 1)


def extensions(s, port):
    with s.fact("NSID and version.bind say what is configured"):
        contains(tool("dig", "@127.0.0.1", "-p", port, "rich.test", "SOA", "+nsid"), '("node-a")')
        contains(tool("dig", "@127.0.0.1", "-p", port, "version.bind", "CH", "TXT", "+short"), '"sluice"')
    with s.fact("dig's cookie is completed, and the server's is accepted again"):
        contains(tool("dig", "@127.0.0.1", "-p", port, "rich.test", "SOA", "+cookie"), "(good)")
    with s.fact("an unknown EDNS version is BADVERS"):
        contains(tool("dig", "@127.0.0.1", "-p", port, "rich.test", "SOA", "+edns=1", "+noednsneg"), "BADVERS")
    with s.fact("a client subnet comes back with scope 0 for a static name"):
        contains(tool("dig", "@127.0.0.1", "-p", port, "www.rich.test", "+subnet=10.1.2.0/24"), "CLIENT-SUBNET: 10.1.2.0/24/0")
    with s.fact("dig +subnet=0 (family 0) is answered"):
        contains(tool("dig", "@127.0.0.1", "-p", port, "www.rich.test", "+subnet=0"), "status: NOERROR")


def policies(s, port):
    def seen(name, count, **options):
        return collections.Counter(lookup(port, name, **options)[0] for _ in range(count))

    with s.fact("weighted answers come in proportion"):
        counts = seen("share.static.test", 800)
        share = counts["192.0.2.1"] / 800
        s.figure("weighted 3:1", f"{counts['192.0.2.1']}:{counts['192.0.2.2']}")
        ensure(0.69 < share < 0.81, f"{share:.2f} for three quarters")
        equal(lookup(port, "share.static.test", "AAAA"), ["2001:db8::1"])
    with s.fact("failover gives the first"):
        equal(seen("first.static.test", 20), {"127.0.0.1": 20})
    with s.fact("the client's subnet decides, and the scope says how far"):
        def of(subnet):
            response = ask(port, "subnet.static.test", options=[dns.edns.ECSOption.from_text(f"{subnet}/24")])
            return lookup_of(response), next(o.scopelen for o in response.options if isinstance(o, dns.edns.ECSOption))
        nets = {f"10.0.{i}.0": of(f"10.0.{i}.0") for i in range(40)}
        ensure(len({answer for answer, _ in nets.values()}) == 4, "all four are used")
        equal({scope for _, scope in nets.values()}, {24})
        equal(of("10.0.5.0"), nets["10.0.5.0"], "the same again")
    with s.fact("a prefix map answers by the longest network, with a scope in which no other entry lies"):
        def near(subnet, length):
            option = dns.edns.ECSOption(subnet, length)
            response = ask(port, "near.static.test", options=[option])
            return lookup_of(response), next(o.scopelen for o in response.options if isinstance(o, dns.edns.ECSOption))
        equal(near("10.1.2.0", 24), ("192.0.2.2", 24))
        equal(near("10.200.0.0", 24), ("192.0.2.1", 9))
        equal(near("10.1.3.0", 24)[0], "192.0.2.1")
        ensure(near("10.1.3.0", 24)[1] == 24, "beside the /24")
        equal(near("192.168.0.0", 16)[0], "192.0.2.3")


def lookup_of(response):
    return addresses(response)[0]


def health(s, node, port, a, b):
    for host, door in (("127.0.0.1", "a"), ("127.0.0.2", "b")):
        node.wait_verdict("web", f"{host}:{s.port(door)}", "up")
    with s.fact("a name follows its pool, through an alias too"):
        wait(lambda: sorted(lookup(port, "www.static.test")) == ["127.0.0.1", "127.0.0.2"], "both addresses")
    with s.fact("round robin begins with another address each time"):
        equal(len({lookup(port, "api.static.test")[0] for _ in range(20)}), 2)
    with s.fact("the TTL is long while all is well"):
        wait(lambda: ask(port, "api.static.test").answer[0].ttl == 60, "60 s after the pause")
        s.figure("TTL, steady", ask(port, "api.static.test").answer[0].ttl)
    with s.fact("a dead backend is not answered with, and the TTL is short"):
        b.close()
        start = time.monotonic()
        wait(lambda: lookup(port, "api.static.test") == ["127.0.0.1"], "one address", 5)
        s.figure("dead backend out of answers", f"{(time.monotonic() - start) * 1000:.0f} ms")
        equal(ask(port, "api.static.test").answer[0].ttl, 1, "TTL")
    with s.fact("an address that the name's own probe watches goes out too"):
        wait(lambda: {lookup(port, "both.static.test")[0] for _ in range(6)} == {"127.0.0.1"}, "one address", 5)
    with s.fact("an address without a probe of its own follows the pool that has it"):
        equal(lookup(port, "first.static.test"), ["127.0.0.1"])
        b.open()
        a.close()
        wait(lambda: lookup(port, "first.static.test") == ["127.0.0.2"], "the second", 5)
        b.close()
    with s.fact("when all are down, all are answered (fallback: all)"):
        wait(lambda: sorted(lookup(port, "api.static.test")) == ["127.0.0.1", "127.0.0.2"], "both again", 5)
    a.open()
    b.open()
    with s.fact("drain by command takes an address out"):
        wait(lambda: len(lookup(port, "api.static.test")) == 2, "both again", 5)
        node.must("drain", f"web/127.0.0.1:{s.port('a')}")
        wait(lambda: lookup(port, "api.static.test") == ["127.0.0.2"], "drained", 2)
        node.must("ready", f"web/127.0.0.1:{s.port('a')}")


def streams(s, port):
    query = dns.message.make_query("www.rich.test", "A").to_wire()
    with s.fact("pipelined queries are answered, also in single bytes"):
        with Stream(port) as stream:
            for _ in range(200):
                stream.send(query)
            equal(sum(len(stream.read().answer) for _ in range(200)), 200)
            framed = len(query).to_bytes(2, "big") + query
            for byte in framed:
                stream.socket.sendall(bytes([byte]))
            equal(len(stream.read().answer), 1)
    with s.fact("an idle client is closed"):
        with Stream(port) as stream:
            start = time.monotonic()
            equal(stream.socket.recv(1), b"")
            s.figure("idle TCP client closed after", f"{time.monotonic() - start:.1f} s")
    with s.fact("a client that sends a byte now and then is closed as well"):
        with Stream(port) as stream:
            start = time.monotonic()
            try:
                for byte in b"\0\x40" + bytes(60):
                    stream.socket.sendall(bytes([byte]))
                    time.sleep(0.1)
                raise Failure("still open")
            except OSError:
                ensure(time.monotonic() - start < 3, "soon")
    with s.fact("a client that never reads is bounded and closed"):
        with Stream(port) as stream:
            big = dns.message.make_query("big.rich.test", "TXT").to_wire()
            stream.socket.settimeout(0.5)
            sent = 0
            try:
                while sent < 200_000:
                    stream.send(big)
                    sent += 1
            except OSError:
                pass
            ensure(sent < 200_000, "the server stops reading")
    with s.fact("more clients than allowed: idle ones give way"):
        clients = [Stream(port) for _ in range(60)]
        last = Stream(port)
        last.send(query)
        equal(len(last.read().answer), 1)
        for client in clients + [last]:
            client.socket.close()
    with s.fact("nonsense over TCP ends the connection"):
        with Stream(port) as stream:
            stream.socket.sendall(b"\xff\xff" + bytes(100))
            equal(stream.socket.recv(10), b"")


def reloads(s, node, port):
    text = (VECTORS / "rich.zone").read_text()
    with s.fact("a changed zone file is served after reload"):
        s.path("rich.zone").write_text(text.replace("2026010101", "2026010102") + "\nnew A 192.0.2.200\n")
        node.reload()
        equal(lookup(port, "new.rich.test"), ["192.0.2.200"])
    with s.fact("a broken zone file: place and reason are told, the old zone stays"):
        s.path("rich.zone").write_text(text + "\nbad A 192.0.2\n")
        done = node.cli("reload")
        ensure(done.returncode != 0, "refused")
        lines = text.count("\n") + 2
        contains(done.stderr, f"rich.zone:{lines}:7: error:")
        equal(lookup(port, "new.rich.test"), ["192.0.2.200"])
        s.path("rich.zone").write_text(text.replace("2026010101", "2026010103"))
        node.reload()
        equal(code(ask(port, "new.rich.test")), "NXDOMAIN")


def people(s, node):
    with s.fact("sluice dns status, query and failover-budget"):
        text = node.must("dns", "status")
        for word in ("rich.test.", "2026010103", "api.static.test.", "round-robin", "web/127.0.0.1"):
            contains(text, word)
        contains(node.must("dns", "query", "www.rich.test", "AAAA"), "2001:db8::80")
        contains(node.must("dns", "failover-budget", "api.static.test"), "at most")
        ensure(node.cli("dns", "failover-budget", "www.rich.test").returncode != 0, "not balanced")


def malformed(s, node, port):
    import random
    dice = random.Random(5)
    with s.fact("malformed datagrams: no answer is longer than its query but for proper ones, and the server lives"):
        wires = [dns.message.make_query(n, k, use_edns=0).to_wire() for n, k in (("www.rich.test", "A"), ("x.sub.rich.test", "MX"), ("api.static.test", "A"))]
        longer = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", port))
            client.settimeout(0.002)
            for number in range(3000):
                wire = bytearray(dice.choice(wires))
                for _ in range(dice.randint(1, 6)):
                    wire[dice.randrange(2, len(wire))] = dice.randrange(256)
                wire[:2] = number.to_bytes(2, "big")
                if dice.random() < 0.5:
                    del wire[dice.randrange(len(wire) + 1):]
                client.send(wire)
                try:
                    answer = client.recv(65535)
                    if answer[:2] == wire[:2] and answer[3] & 15 == 1 and len(answer) > len(wire):
                        longer += 1
                except TimeoutError:
                    pass
        equal(longer, 0, "FORMERR answers that are longer than what was asked")
        equal(raw(port, bytes(5)), None, "too short for a header")
        equal(lookup(port, "v4only.rich.test"), ["192.0.2.4"])
        counters = node.api("GET", "/v1/dns")[1]["counters"]
        s.figure("malformed, counted", counters["malformed"])
        ensure(counters["malformed"] > 100, "they are counted")
