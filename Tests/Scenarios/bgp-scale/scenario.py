"""200 peers x 1,000 prefixes: what a node needs for them, and how long it takes until all know.

The short form has 40 peers x 1,000; BGP_SCALE=full the whole of it. The peers are raw sockets of one process on loopback.
"""

import os
import re
import selectors
import struct
import time

from lib.bgp_wire import KEEPALIVE, MP4, OPEN, UPDATE, RawPeer, as4, message, open_body
from lib.node import Node
from lib.scenario import ensure, wait

LIMIT = 120
PEERS = 200 if os.environ.get("BGP_SCALE") == "full" else 40
PREFIXES = 1000


class Crowd:
    """Many established peers, who only count what they are told."""

    def __init__(self, port, count):
        self.selector = selectors.DefaultSelector()
        self.routes, self.buffers, self.alive = {}, {}, {}
        self.ended = 0
        for index in range(count):
            peer = RawPeer(port, f"127.1.{1 + index // 250}.{1 + index % 250}", 20)
            peer.send(message(OPEN, open_body(hold=90, router_id=f"10.1.{index // 250}.{1 + index % 250}", parameters=MP4 + as4(65010))))
            peer.socket.setblocking(False)
            self.selector.register(peer.socket, selectors.EVENT_READ, index)
            self.routes[index], self.buffers[index], self.alive[index] = set(), b"", peer

    def turn(self, seconds=0.05):
        for key, _ in self.selector.select(seconds):
            data = key.fileobj.recv(1 << 20)
            if not data:
                self.ended += 1
                self.selector.unregister(key.fileobj)
                continue
            self.take(key.data, key.fileobj, self.buffers[key.data] + data)

    def take(self, index, sock, data):
        while len(data) >= 19 and len(data) >= (length := struct.unpack("!H", data[16:18])[0]):
            kind, body, data = data[18], data[19:length], data[length:]
            if kind == OPEN:
                sock.send(message(KEEPALIVE))
            elif kind == UPDATE:
                gone = struct.unpack("!H", body[:2])[0]
                self.routes[index] -= {body[2 + i : 7 + i] for i in range(0, gone, 5)}
                attributes = struct.unpack("!H", body[2 + gone : 4 + gone])[0]
                nlri = body[4 + gone + attributes :]
                self.routes[index] |= {nlri[i : i + 5] for i in range(0, len(nlri), 5)}
        self.buffers[index] = data

    def until(self, count, seconds):
        """Until everybody knows so many routes; how long it took."""
        start = time.monotonic()
        while time.monotonic() < start + seconds:
            self.turn()
            if all(len(routes) == count for routes in self.routes.values()):
                return time.monotonic() - start
        missing = sum(len(routes) != count for routes in self.routes.values())
        raise AssertionError(f"{missing} of {len(self.routes)} do not know {count} routes after {seconds} s; {self.ended} ended")


def processor(node):
    fields = open(f"/proc/{node.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(s):
    prefixes = ", ".join(f"10.{50 + i // 250}.{i % 250}.1/32" for i in range(PREFIXES))
    node = Node(s, replace=[("PREFIXES", prefixes)])
    before, used = node.rss(), processor(node)
    start = time.monotonic()
    crowd = Crowd(s.port("bgp"), PEERS)
    told = crowd.until(PREFIXES, 60)
    s.figure(f"{PEERS} peers x {PREFIXES} prefixes", "time", "CPU", "memory")
    s.figure("from the first connection until all know", f"{time.monotonic() - start:.2f} s", f"{processor(node) - used:.2f} s", f"{before // 1024} -> {node.rss() // 1024} MiB")
    with s.fact("all are told"):
        ensure(told < 60, f"{told} s")
    for what, word, count in (("withdraw all", "withdraw", 0), ("announce all again", "automatic", PREFIXES)):
        used, start = processor(node), time.monotonic()
        node.must("bgp", word, "many")
        crowd.until(count, 60)
        took = time.monotonic() - start
        s.figure(f"{what}, from the command's start", f"{took:.2f} s", f"{processor(node) - used:.2f} s", f"{node.rss() // 1024} MiB")
        with s.fact(f"{what} within 10 s"):
            ensure(took < 10, f"{took:.1f} s")
    used, start = processor(node), time.monotonic()
    while time.monotonic() < start + 5:
        crowd.turn(0.2)
    s.figure("quiet, 5 s", "", f"{processor(node) - used:.2f} s", f"{node.rss() // 1024} MiB")
    with s.fact("nobody was lost"):
        ensure(crowd.ended == 0, f"{crowd.ended} sessions ended")
    with s.fact("memory is bounded"):
        ensure(node.rss() - before < 400 * 1024, f"{node.rss() // 1024} MiB")
    peers = len(re.findall("Established", node.must("bgp", "status")))
    ensure(peers == PEERS, f"{peers} are established")
