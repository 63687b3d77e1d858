"""Every mistake a peer can make, on a raw socket to the real binary: the RFC's reaction, counted; never a crash."""

import json
import struct
import threading
import time

from lib.bgp_wire import (
    HOP, KEEPALIVE, MP4, MP6, NOTIFICATION, OPEN, ORIGIN, REFRESH, UPDATE, Flood, RawPeer, as4, attribute, capability, message,
    open_body, path, prefix, update,
)
from lib.node import Node
from lib.scenario import ensure, equal, wait

LIMIT = 90
GOOD = ORIGIN + path() + HOP
NET = prefix("198.51.100.0/24")
MP_REACH = attribute(0x80, 14, b"\0\2\1\x10" + b"\x20\1\x0d\xb8" + b"\0" * 11 + b"\1" + b"\0" + b"\x20\x20\1\x0d\xb9")

# What is wrong, what is sent instead of an OPEN, the NOTIFICATION.
AT_OPEN_SENT = [
    ("marker", message(OPEN, open_body(), marker=b"\xff" * 15 + b"\xfe"), "1/1"),
    ("length 18", message(OPEN, b"", length=18), "1/2"),
    ("OPEN of 5,000 bytes", message(OPEN, b"", length=5000), "1/2"),
    ("OPEN of 28 bytes", message(OPEN, open_body()[:9], length=28), "1/2"),
    ("KEEPALIVE of 20 bytes", message(KEEPALIVE, b"\0"), "1/2"),
    ("type 9", message(9), "1/3"),
    ("version 3", message(OPEN, open_body(version=3)), "2/1"),
    ("AS 65011", message(OPEN, open_body(asn=65011)), "2/2"),
    ("AS 0", message(OPEN, open_body(asn=0, parameters=MP4)), "2/2"),
    ("AS_TRANS alone", message(OPEN, open_body(asn=23456, parameters=MP4)), "2/2"),
    ("two AS numbers", message(OPEN, open_body(parameters=MP4 + as4(65012))), "2/2"),
    ("identifier 0", message(OPEN, open_body(router_id="0.0.0.0")), "2/3"),
    ("optional parameter 1", message(OPEN, open_body(parameters=b"\1\1\0")), "2/4"),
    ("hold time 1", message(OPEN, open_body(hold=1)), "2/6"),
    ("hold time 2", message(OPEN, open_body(hold=2)), "2/6"),
    ("no common family", message(OPEN, open_body(parameters=capability(1, b"\0\x19\0\x46") + as4(65010))), "2/7"),
    ("capability beyond its end", message(OPEN, open_body(parameters=capability(65, b"\0\0", length=9))), "2/0"),
    ("parameters beyond the end", message(OPEN, open_body()[:-2]), "2/0"),
    ("KEEPALIVE before OPEN", message(KEEPALIVE), "5/1"),
    ("UPDATE before OPEN", update(GOOD, NET), "5/1"),
    ("ROUTE-REFRESH before OPEN", message(REFRESH, b"\0\1\0\1"), "5/1"),
    ("NOTIFICATION", message(NOTIFICATION, b"\6\2"), "closed"),
]

AT_OPEN_CONFIRM = [
    ("OPEN twice", message(OPEN, open_body()), "5/2"),
    ("UPDATE before KEEPALIVE", update(GOOD, NET), "5/2"),
]

AT_ESTABLISHED = [
    ("OPEN", message(OPEN, open_body()), "5/3"),
    ("withdrawn beyond the end", message(UPDATE, b"\xff\xff\0\0"), "3/1"),
    ("attributes beyond the end", message(UPDATE, b"\0\0\xff\xff"), "3/1"),
    ("prefix of 33 bits", update(GOOD, b"\x21\1\1\1\1\1"), "3/10"),
    ("MP_REACH twice", update(MP_REACH + MP_REACH + ORIGIN + path()), "3/1"),
    ("MP_REACH cut short", update(ORIGIN + path() + MP_REACH[:-3]), "3/1"),
    ("MP_REACH with a next hop of 5 bytes", update(ORIGIN + path() + attribute(0x80, 14, b"\0\2\1\5" + b"\0" * 6 + b"\0")), "3/9"),
    ("unknown well-known attribute", update(GOOD + attribute(0x40, 99, b"\0"), NET), "3/2"),
    ("broken attributes without prefixes", update(attribute(0x40, 1, b"\7")), "3/6"),
    ("ROUTE-REFRESH border of 5 bytes", message(REFRESH, b"\0\1\1\1\0"), "7/1"),
    ("ROUTE-REFRESH of 22 bytes", message(REFRESH, b"\0\1\0", length=22), "1/2"),
    ("UPDATE of 22 bytes", message(UPDATE, b"\0\0\0", length=22), "1/2"),
]

# The session stays; the routes are taken as withdrawn, or the attribute is dropped.
SURVIVED = [
    ("ORIGIN 3", attribute(0x40, 1, b"\3") + path() + HOP, "withdraw"),
    ("ORIGIN's flags", attribute(0xC0, 1, b"\0") + path() + HOP, "withdraw"),
    ("ORIGIN of 2 bytes", attribute(0x40, 1, b"\0\0") + path() + HOP, "withdraw"),
    ("no ORIGIN", path() + HOP, "withdraw"),
    ("no AS_PATH", ORIGIN + HOP, "withdraw"),
    ("no NEXT_HOP", ORIGIN + path(), "withdraw"),
    ("NEXT_HOP 127.0.0.1", ORIGIN + path() + attribute(0x40, 3, b"\x7f\0\0\1"), "withdraw"),
    ("AS_PATH with an empty segment", ORIGIN + attribute(0x40, 2, b"\2\0") + HOP, "withdraw"),
    ("AS_PATH with AS 0", ORIGIN + path(0) + HOP, "withdraw"),
    ("MED of 3 bytes", GOOD + attribute(0x80, 4, b"\0\0\0"), "withdraw"),
    ("communities of 5 bytes", GOOD + attribute(0xC0, 8, b"\0" * 5), "withdraw"),
    ("large communities of 8 bytes", GOOD + attribute(0xC0, 32, b"\0" * 8), "withdraw"),
    ("attributes cut short", GOOD + attribute(0x80, 4, b"\0", length=4), "withdraw"),
    ("ORIGIN twice", GOOD + ORIGIN, "discard"),
    ("ATOMIC_AGGREGATE of 1 byte", GOOD + attribute(0x40, 6, b"\0"), "discard"),
    ("AGGREGATOR of 5 bytes", GOOD + attribute(0xC0, 7, b"\0" * 5), "discard"),
    ("LOCAL_PREF from outside", GOOD + attribute(0x40, 5, b"\0\0\0\1"), "discard"),
    ("ORIGINATOR_ID from outside", GOOD + attribute(0x80, 9, b"\0\0\0\1"), "discard"),
]


def run(s):
    node = Node(s)
    port = s.port("bgp")
    wait(lambda: RawPeer(port, "127.1.200.200").close() or True, "the speaker listens")
    number = iter(range(1, 250))
    refused(s, node, port, number)
    survived(s, node, port)
    special(s, node, port)
    flood(s, node, port)
    with s.fact("the node still serves"):
        equal(node.status()["phase"], "serving", "phase")
        RawPeer(port, "127.1.9.9").establish().close()


def refused(s, node, port, number):
    s.figure("peer's mistake", "state", "NOTIFICATION")
    counted = {}
    for state, rows in (("OpenSent", AT_OPEN_SENT), ("OpenConfirm", AT_OPEN_CONFIRM), ("Established", AT_ESTABLISHED)):
        for what, data, expected in rows:
            with s.fact(f"{what} in {state}"):
                source = f"127.1.1.{next(number)}"
                peer = RawPeer(port, source)
                if state == "OpenConfirm":
                    peer.send(message(OPEN, open_body()))
                    peer.expect(KEEPALIVE)
                elif state == "Established":
                    peer.establish()
                peer.send(data)
                found = peer.ending()
                peer.close()
                s.figure(what, state, found)
                equal(found, expected, "the answer")
                if found != "closed":
                    counted[source] = found
    with s.fact("each is counted"):
        peers = {p["address"]: p for p in json.loads(node.must("bgp", "status", "--json"))["peers"]}
        for source, code in counted.items():
            if source in peers:
                equal(peers[source]["errors"].get(code), 1, f"{source}'s count of {code}")
        ensure(len(set(counted) & set(peers)) > 20, f"{len(set(counted) & set(peers))} of {len(counted)} are still shown")


def survived(s, node, port):
    for index, (what, attributes, reaction) in enumerate(SURVIVED):
        with s.fact(f"{what}: {reaction}"):
            source = f"127.1.2.{index + 1}"
            peer = RawPeer(port, source).establish()
            name = f"many@{source}"
            peer.send(update(GOOD, NET))
            wait(lambda: received(node, name) == {"198.51.100.0/24"}, "the good route is shown", 5)
            peer.send(update(attributes, NET))
            state = lambda: next(p for p in node.api("GET", "/v1/bgp")[1]["peers"] if p["name"] == name)
            if reaction == "withdraw":
                wait(lambda: received(node, name) == set(), "it is taken as withdrawn", 5)
                equal(state()["treatedAsWithdraw"], 1, "treatedAsWithdraw")
            else:
                wait(lambda: state()["attributesDiscarded"] == 1, "the attribute is dropped", 5)
                equal(received(node, name), {"198.51.100.0/24"}, "the routes")
            equal(state()["state"], "Established", "the session")
            s.figure(what, "Established", reaction)
            peer.close()


def received(node, name):
    _, body = node.api("GET", f"/v1/bgp/routes/{name}")
    return {route["prefix"] for route in body["received"]}


def special(s, node, port):
    with s.fact("the same identifier inside one AS is refused (RFC 6286)"):
        peer = RawPeer(port, "127.2.0.1")
        peer.send(message(OPEN, open_body(asn=65001, router_id="10.0.0.1")))
        equal(peer.ending(), "2/3", "the answer")
    with s.fact("silence ends the session by its hold time"):
        peer = RawPeer(port, "127.3.0.1").establish(hold=3)
        start = time.monotonic()
        equal(peer.ending(), "4/0", "the answer")
        silence = time.monotonic() - start
        s.figure("silence, hold time 3 s", "Established", f"4/0 after {silence:.2f} s")
        ensure(2.5 < silence < 3.5, f"after {silence:.2f} s")
    with s.fact("a second connection of an Established peer is a collision"):
        first = RawPeer(port, "127.1.3.1").establish()
        second = RawPeer(port, "127.1.3.1")
        second.send(message(OPEN, open_body()))
        equal(second.ending(), "6/7", "the answer")
        first.send(message(KEEPALIVE))
        state = next(p for p in node.api("GET", "/v1/bgp")[1]["peers"] if p["name"] == "many@127.1.3.1")
        equal(state["state"], "Established", "the first")
        first.close()
    with s.fact("ADD-PATH is not taken up (RFC 7911)"):
        peer = RawPeer(port, "127.1.3.2")
        peer.send(message(OPEN, open_body(parameters=MP4 + as4(65010) + capability(69, b"\0\1\1\3"))))
        ours = peer.expect(OPEN)
        ensure(b"\x02\x06\x45\x04" not in ours, "we offer it")
        peer.expect(KEEPALIVE)
        peer.send(message(KEEPALIVE))
        peer.expect(UPDATE)
        peer.close()
    with s.fact("an OPEN with extended optional parameters (RFC 9072) is read"):
        parameters = b"".join(bytes([2]) + struct.pack("!H", len(c) - 2) + c[2:] for c in (MP4, MP6, as4(65010)))
        body = open_body(parameters=b"")[:-1] + b"\xff\xff" + struct.pack("!H", len(parameters)) + parameters
        peer = RawPeer(port, "127.1.3.3")
        peer.send(message(OPEN, body))
        peer.expect(KEEPALIVE)
        peer.close()
    with s.fact("a connection of nobody is closed without a word"):
        equal(RawPeer(port, "127.9.0.1").ending(), "closed", "the answer")
    with s.fact("a peer that sends a byte at a time is understood"):
        peer = RawPeer(port, "127.1.3.4")
        for byte in message(OPEN, open_body()):
            peer.send(bytes([byte]))
        peer.expect(KEEPALIVE)
        peer.close()


def flood(s, node, port):
    """A million routes: the limit ends the session, and memory does not follow the flood."""
    before = node.rss()
    peaks = [before]
    done = threading.Event()

    def watch():
        while not done.wait(0.05):
            peaks.append(node.rss())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with s.fact("a flood of a million routes is stopped by the prefix limit"):
        peer = RawPeer(port, "127.1.4.1").establish()
        sent = 0
        start = time.monotonic()
        try:
            for part in Flood(1_000_000, GOOD):
                peer.send(part)
                sent += 500
        except OSError:
            pass
        found = peer.ending()
        s.figure("1,000,000 routes, limit 1,000", "Established", f"{found}; {sent} sent in {time.monotonic() - start:.2f} s")
        ensure(found in ("6/1", "closed"), found)
        state = next(p for p in node.api("GET", "/v1/bgp")[1]["peers"] if p["name"] == "many@127.1.4.1")
        equal(state["errors"].get("6/1"), 1, "counted 6/1")
    with s.fact("a million routes that replace each other stay within the limit"):
        peer = RawPeer(port, "127.1.4.2").establish()
        nets = b"".join(bytes([32]) + struct.pack("!I", 0x0C000000 + i) for i in range(500))
        start = time.monotonic()
        for index in range(2000):
            peer.send(update(GOOD + attribute(0x80, 4, struct.pack("!I", index)), nets))
        wait(lambda: next(p for p in node.api("GET", "/v1/bgp")[1]["peers"] if p["name"] == "many@127.1.4.2")["updatesIn"] >= 2000, "all are read", 30)
        s.figure("1,000,000 replacing routes", "Established", f"read in {time.monotonic() - start:.2f} s")
        peer.close()
    done.set()
    watcher.join()
    s.figure("memory", f"before {before // 1024} MiB", f"peak {max(peaks) // 1024} MiB")
    with s.fact("memory is bounded"):
        ensure(max(peaks) - before < 64 * 1024, f"{before} KiB, then {max(peaks)} KiB")
