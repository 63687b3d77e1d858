"""The binary is started anew while everything runs on one node: an address of VRRP, a session with BIRD, a name server,
HTTP/2 streams, WebSockets, a rollout in mid-step, peers. Nobody outside notices.

Node a has all of it; node b would take the address if a were silent; BIRD keeps a's anycast route; clients are in the
switch's namespace.
"""

import asyncio
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time

import dns.message
import dns.rcode
import websockets

from lib.h2peer import DATA, END_STREAM, GOAWAY, HEADERS, H2, RST_STREAM, WINDOW_UPDATE, frame
from lib.netns import Network
from lib.origin import Origin, Server
from lib.routers import Bird, RouteMonitor, router as forwarding
from lib.scenario import Failure, accepts, ensure, equal, wait
from lib.strict import Clients, Kept, alive, fresh, kill
from lib.wire import Wire

LIMIT = 300
UPGRADES = int(os.environ.get("SLUICE_UPGRADES", "3"))
VIP, VIP6, ANYCAST, OWN = "198.51.100.100", "2001:db8::100", "203.0.113.1", "198.51.100.11"
BIRD = """protocol bfd { interface "*" { min rx interval 200 ms; min tx interval 200 ms; multiplier 3; }; }
protocol bgp a { local 198.51.100.1 as 65000; neighbor 198.51.100.11 as 65001; hold time 9; connect retry time 1;
  connect delay time 1; error wait time 1, 2; bfd graceful; ipv4 { import all; export none; }; }"""


def run(s):
    stage = Stage(s)
    watch = Watch(stage)
    groups = [
        Clients("requests to the VIP", fresh((VIP, 8080)), 0.005, stage.lan),
        Clients("requests, kept alive", Kept((VIP, 8080)), 0.005, stage.lan),
        Clients("queries over UDP", Datagrams((OWN, 53)), 0.005, stage.lan),
        Clients("queries over UDP to the VIP", datagram((VIP, 53)), 0.005, stage.lan),
        Clients("queries over TCP", stream((OWN, 53)), 0.005, stage.lan),
        Clients("queries over TCP, kept open", Stream((OWN, 53)), 0.005, stage.lan),
    ]
    for group in groups:
        wait(lambda: group.done > 20, f"{group.kind} are answered")
    long_lived(s, stage)
    for _ in range(UPGRADES - 1):
        stage.upgrade()
        stage.settled()
    for group in groups:
        group.stop()
    watch.end()
    s.figure("upgrades", UPGRADES, f"median {1000 * sorted(stage.took)[len(stage.took) // 2]:.0f} ms until the next one serves")
    s.figure("clients", "answered", "failed")
    for group in groups:
        s.figure(group.kind, group.done, len(group.failures))
        with s.fact(f"{group.kind}: none is lost"):
            ensure(not group.failures, f"{len(group.failures)} of {group.done}: {group.failures[:3]}")
    watch.judge(s)
    with s.fact("no process said that it lost something"):
        log = stage.a.process.log()
        ensure("Fatal" not in log and "not understood" not in log, log[-500:])


class Stage:
    """The network, its nodes and servers, and node a as its processes come and go."""

    def __init__(self, s):
        self.s, self.net = s, Network(s)
        self.lan = self.net.switch("lan")
        self.lan.address("198.51.100.50/24")
        self.lan.address("2001:db8::50/64")
        self.hosts = {}
        for name, number in (("a", 11), ("b", 12), ("tor", 1)):
            self.hosts[name] = self.net.host(name)
            self.hosts[name].attach(self.lan, "eth0", f"198.51.100.{number}/24", f"2001:db8::{number}/64")
        forwarding(self.hosts["tor"])
        self.finish = threading.Event()
        with self.hosts["a"]:
            for name in ("one", "two"):
                Origin(s, name)
            Server(s, "long", handle=self.long)
        self.hosts["a"].start("echo", ["/usr/bin/python3", "-m", "lib.websocket_echo", s.port("echo"), "echo"])
        with self.hosts["a"]:
            wait(lambda: accepts(s.port("echo")), "the echo listens")
        self.bird = Bird(self.hosts["tor"], "198.51.100.1", BIRD)
        text = (s.folder / "sluice.yaml").read_text()
        key = os.urandom(32).hex()

        def node(name, number, priority, more=""):
            filled = text
            for word, value in (("NAME", name), ("KEY", key), ("NUMBER", number), ("PRIORITY", priority)):
                filled = filled.replace(word, str(value))
            return self.hosts[name].node(s, text=filled + more, name=f"sluice-{name}")
        self.a = node("a", 11, 200, (s.folder / "only-a.yaml").read_text())
        # It ends when the first one after it serves.
        self.a.process.expect_exit = True
        self.b = node("b", 12, 100)
        self.pid, self.pids, self.took = self.a.pid, [self.a.pid], []
        s.defer(lambda: kill(self.pids))
        self.settled(20)

    def long(self, wire):
        """A part of the answer each 50 ms until `finish`, then the end."""
        wire.line()
        wire.fields()
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        number = 0
        while not self.finish.wait(0.05):
            wire.send("%x\r\n%06d\n\r\n" % (7, number))
            number += 1
        wire.send("0\r\n\r\n")

    def upgrade(self):
        """Returns when another process serves."""
        began, before = time.monotonic(), self.pid
        self.pid = json.loads(self.a.must("upgrade", "--json"))["process"]
        self.pids.append(self.pid)
        self.took.append(time.monotonic() - began)
        ensure(self.pid != before, "the same process")
        return before

    def settled(self, seconds=15):
        """The session is up, and its route told; the address is active; the peers talk; processes of before are gone."""
        def up():
            peer = next(p for p in self.a.api("GET", "/v1/bgp")[1]["peers"] if p["name"] == "tor")
            return peer["state"] == "Established" and peer["announced"] == 1 and peer["bfd"] == "up"
        wait(up, "the session is up", seconds)
        wait(lambda: ANYCAST in self.bird.ctl("show", "route", "for", ANYCAST), "BIRD has the route", 5)
        wait(lambda: self.vip(self.a) == "active" and self.vip(self.b) == "backup", "a is active and b is not", 10)
        wait(lambda: all(p["link"] == "up" for node in (self.a, self.b) for p in node.api("GET", "/v1/peers")[1]["peers"]), "peers", 10)
        wait(lambda: not any(alive(pid) for pid in self.pids[:-1]), "processes of before are gone", 10)

    def vip(self, node):
        return node.api("GET", "/v1/vips")[1]["vips"][0]["state"]


class Watch:
    """What the network sees all the time."""

    def __init__(self, stage):
        self.stage, s, lan = stage, stage.s, stage.lan
        self.pings, self.moves, self.pingers = {}, {}, []
        self.dump, self.pcap = lan.tcpdump("vrrp", "br0", "vrrp or (ip6 proto 112)")
        for address in (VIP, VIP6):
            out = self.pings[address] = s.path(f"pings-{address.replace(':', '-')}.txt")
            with open(out, "wb") as output:
                self.pingers.append(lan.start(f"pinger-{out.name}", ["/usr/bin/python3", "-m", "lib.pinger", address], output=output))
            wait(lambda: out.read_text().startswith("ready"), "the pinger runs")
        for name in "ab":
            path = self.moves[name] = s.path(f"addresses-{name}.txt")
            with open(path, "wb") as output:
                s.start(f"monitor-{name}", ["stdbuf", "-oL", "ip", "-n", stage.hosts[name].space, "-o", "monitor", "address"], output=output)

            def listens():
                stage.hosts[name].ip("addr", "replace", "192.0.2.77/32", "dev", "lo")
                stage.hosts[name].ip("addr", "del", "192.0.2.77/32", "dev", "lo")
                return "192.0.2.77" in path.read_text()
            wait(listens, "the monitor listens")
        self.routes = RouteMonitor(stage.hosts["tor"])
        self.began, self.polls, self.missing, self.ending = time.time(), 0, 0, threading.Event()
        self.poller = threading.Thread(target=self.poll, daemon=True)
        self.poller.start()

    def poll(self):
        while not self.ending.wait(0.04):
            self.polls += 1
            self.missing += ANYCAST not in self.stage.bird.ctl("show", "route", "for", ANYCAST)

    def end(self):
        self.ending.set()
        self.poller.join()
        for pinger in self.pingers:
            pinger.stop()
        self.dump.stop()

    def judge(self, s):
        for address, out in self.pings.items():
            answers = [line.split() for line in out.read_text().splitlines()[1:]]
            times, numbers = [float(answer[1]) for answer in answers], {int(answer[2]) for answer in answers}
            gap = 1000 * max(b - a for a, b in zip(times, times[1:]))
            s.figure(f"pings of {address}, each 10 ms", len(times), f"longest time without an answer {gap:.0f} ms")
            with s.fact(f"{address} answers all the time"):
                ensure(len(numbers) > 200, f"only {len(numbers)} answers")
                lost = set(range(min(numbers), max(numbers))) - numbers
                ensure(not lost, f"{len(lost)} pings of {len(numbers)} lost")
        for name, path in self.moves.items():
            with s.fact(f"addresses of {name} don't come or go"):
                equal([line for line in path.read_text().splitlines() if VIP in line or VIP6 in line], [], "changes")
        with s.fact("no resignation is sent, no other node speaks for the address, and adverts are in time"):
            adverts = dumped(self.pcap)
            ensure(len(adverts) > 30, f"only {len(adverts)} adverts")
            equal([line for line in adverts if "prio 0" in line], [], "resignations")
            equal([line for line in adverts if f"> 224" in line and OWN not in line], [], "adverts of others")
            times = [float(line.split()[0]) for line in adverts]
            gap = 1000 * max(b - a for a, b in zip(times, times[1:]))
            s.figure("adverts, each 100 ms", len(adverts), f"longest pause {gap:.0f} ms; b would take over after 361")
        with s.fact("BIRD has the route at every look, and its kernel never lost it"):
            changes = self.routes.changes(ANYCAST, self.began)
            s.figure("looks at BIRD's table", self.polls, f"without the route: {self.missing}; changes of its kernel's route: {len(changes)}")
            ensure(self.polls > 50 and self.missing == 0, f"{self.missing} of {self.polls} without it")
            equal([line for _, line in changes if line.startswith("Deleted")], [], "deletions")


def dumped(path):

    text = subprocess.run(["tcpdump", "-n", "-tt", "-v", "-r", str(path)], capture_output=True, text=True).stdout
    return [" ".join(entry.split()) for entry in re.split(r"\n(?=\d)", text) if "VRRP" in entry]


# MARK: clients


def query():
    return dns.message.make_query("www.shop.test", "A")


def judged(asked, data):
    answer = dns.message.from_wire(data)
    ensure(asked.is_response(answer), "an answer to something else")
    equal(dns.rcode.to_text(answer.rcode()), "NOERROR", "code")
    ensure(answer.answer, "no addresses")


class Datagrams:
    """Many queries from one socket."""

    def __init__(self, to):
        self.to, self.socket = to, None

    def __call__(self):
        if self.socket is None:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.settimeout(3)
            self.socket.connect(self.to)
        asked = query()
        self.socket.send(asked.to_wire())
        judged(asked, self.socket.recv(4096))


def datagram(to):
    def turn():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(3)
            client.connect(to)
            asked = query()
            client.send(asked.to_wire())
            judged(asked, client.recv(4096))
    return turn


def exchange(wire, asked):
    data = asked.to_wire()
    wire.send(struct.pack("!H", len(data)) + data)
    judged(asked, wire.exactly(struct.unpack("!H", wire.exactly(2))[0]))


def stream(to):
    def turn():
        with Wire(to) as wire:
            exchange(wire, query())
    return turn


class Stream:
    """Queries on one connection with pauses; it may end between two of them (RFC 7766 §6.2.3), never after one was sent."""

    def __init__(self, to):
        self.to, self.wire = to, None

    def __call__(self):
        if self.wire is not None and self.ended():
            self.wire.close()
            self.wire = None
        self.wire = self.wire or Wire(self.to)
        try:
            exchange(self.wire, query())
        except Exception:
            self.wire = None
            raise

    def ended(self):
        self.wire.socket.setblocking(False)
        try:
            return self.wire.socket.recv(1) == b""
        except BlockingIOError:
            return False
        finally:
            self.wire.socket.settimeout(10)


# MARK: what is under way when the first upgrade comes


def long_lived(s, stage):
    a = stage.a
    a.must("rollout", "start", "web", "--manual", "--soak", "0.2")
    wait(lambda: steps(a) == ["updating", "pending"], "the rollout waits for a person")
    with stage.hosts["a"]:
        h2 = H2(8080, timeout=10).settle()
    h2.headers(1, h2.fields(path="/long"))
    parts = Parts(h2)
    wait(lambda: parts.body.count(b"\n") > 10, "parts of the long answer come")
    talk = Talk(stage)
    wait(lambda: talk.answers > 10, "the WebSocket answers")
    parts_before, answers_before = len(parts.body), talk.answers
    told = time.monotonic()
    old = stage.upgrade()
    served = time.monotonic()
    with s.fact("a long HTTP/2 stream goes on in the process of before, and ends whole"):
        wait(lambda: parts.goaway is not None, "GOAWAY", 5)
        wait(lambda: time.monotonic() > served + 2, "two seconds more", 3)
        ensure(parts.trouble is None, f"{parts.trouble}")
        stage.finish.set()
        wait(lambda: parts.ended or parts.trouble, "the end of the stream", 5)
        ensure(parts.trouble is None, f"{parts.trouble}")
        equal(parts.goaway, "NO_ERROR", "GOAWAY")
        lines = parts.body.split()
        equal([int(line) for line in lines], list(range(len(lines))), "the parts")
        s.figure("HTTP/2 stream", f"{len(lines)} parts", f"{len(parts.body) - parts_before} of {len(parts.body)} bytes came after the upgrade")
    with s.fact("a WebSocket goes on until the deadline, and no longer"):
        wait(lambda: talk.over is not None, "the end of the WebSocket", 10)
        lived = talk.last - served
        s.figure("WebSocket", f"{talk.answers} answers", f"{talk.answers - answers_before} after the upgrade, until {lived:.1f} s after it")
        ensure(3 < lived < 6, f"it ended {lived:.1f} s after the upgrade: {talk.over}")
        ensure(talk.wrong == 0, f"{talk.wrong} wrong answers")
        wait(lambda: not alive(old), "the process of before is gone", 5)
    with s.fact("a rollout in mid-step goes on where it was"):
        equal(steps(a), ["updating", "pending"], "steps")
        equal(a.backend("web", "one")["state"], "drain", "the state of the one that is being updated")
        for count in (1, 2):
            wait(lambda: "updating" in steps(a), "it waits for a person", 10)
            a.must("rollout", "next", "web")
            wait(lambda: steps(a).count("done") == count, f"{count} done", 10)
        wait(lambda: json.loads(a.must("rollout", "status", "--json"))["rollouts"][0]["phase"] == "completed", "the end", 10)
    stage.settled()


def steps(node):
    return [one["step"] for one in json.loads(node.must("rollout", "status", "--json"))["rollouts"][0]["backends"]]


class Parts(threading.Thread):
    """Reads a long answer."""

    def __init__(self, h2):
        super().__init__(daemon=True)
        self.h2, self.body, self.goaway, self.ended, self.trouble = h2, b"", None, False, None
        self.start()

    def run(self):
        try:
            while not self.ended:
                found = self.h2.next(time.monotonic() + 10)
                if found is None:
                    raise Failure("the connection ended")
                if found.kind == GOAWAY:
                    self.goaway = found.code
                if found.kind == RST_STREAM:
                    raise Failure(f"the stream was reset: {found.code}")
                if found.kind == HEADERS:
                    self.h2.decoder.decode(found.payload)
                if found.kind == DATA and found.payload:
                    self.body += found.payload
                    update = struct.pack(">I", len(found.payload))
                    self.h2.send(frame(WINDOW_UPDATE, 0, 0, update) + frame(WINDOW_UPDATE, 0, found.stream, update))
                if found.stream == 1 and found.kind in (DATA, HEADERS) and found.flags & END_STREAM:
                    self.ended = True
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"


class Talk(threading.Thread):
    """A WebSocket that says something each 50 ms."""

    def __init__(self, stage):
        super().__init__(daemon=True)
        self.stage, self.answers, self.wrong, self.over, self.last = stage, 0, 0, None, 0
        self.start()

    def run(self):
        with self.stage.lan:
            try:
                asyncio.run(self.talk())
            except Exception as error:
                self.over = f"{type(error).__name__}: {error}"

    async def talk(self):
        async with websockets.connect(f"ws://{VIP}:8080/ws") as connection:
            while True:
                word = f"word {self.answers}"
                await connection.send(word)
                answer = await asyncio.wait_for(connection.recv(), 5)
                self.wrong += answer != f"echo:{word}"
                self.answers, self.last = self.answers + 1, time.monotonic()
                await asyncio.sleep(0.05)
