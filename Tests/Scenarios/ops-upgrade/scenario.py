"""The binary is started anew under load, again and again: no request fails, no connection is reset, no counter falls.

SLUICE_UPGRADES says how often; 6 unless it is set. With SLUICE_OLDER=BINARY the first upgrade is one from that binary to this one.
"""

import json
import os
import re
import signal
import socket
import threading
import time

from lib.load import Load
from lib.node import Node, UnixHTTP
from lib.peers import UDPEcho, named_nginx
from lib.scenario import contains, ensure, equal, wait
from lib.strict import Clients, Kept, alive, fresh, kill
from lib.wire import Wire, get

UPGRADES = int(os.environ.get("SLUICE_UPGRADES", "6"))
OLDER = os.environ.get("SLUICE_OLDER")
LIMIT = 900


def run(s):
    for name in "ab":
        named_nginx(s, name)
    UDPEcho(s, "e")
    binary = s.binary
    link = s.path("sluice")
    link.symlink_to(OLDER or binary)
    s.binary = str(link)
    node = Node(s)
    s.binary = binary
    # It ends when the first one after it serves.
    node.process.expect_exit = True
    house = House(s, node, link)
    node.wait_verdict("web", "gone", "down")
    if OLDER:
        place(link, binary)
    else:
        refusals(s, house)
        memory(s, house)
    under_load(s, house)
    workers(s, house)
    tunnel(s, house)
    finish(s, house)


class House:
    """The node as its processes come and go."""

    def __init__(self, s, node, link):
        self.s, self.node, self.link = s, node, link
        self.pid = node.pid
        self.pids = [node.pid]
        s.defer(lambda: kill(self.pids))

    def upgrade(self, by_signal=False):
        """Returns when another process serves."""
        before = self.pid
        if by_signal:
            os.kill(before, signal.SIGUSR2)
            wait(lambda: self.serving() != before, "another process serves", 30)
            self.pid = self.serving()
        else:
            self.pid = json.loads(self.node.must("upgrade", "--json"))["process"]
        self.pids.append(self.pid)
        ensure(self.pid != before, "the same process")
        return before

    def serving(self):
        """Who listens on the API's socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.node.socket))
            pid = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
            return pid

    def gone(self, pid, seconds=15):
        wait(lambda: not alive(pid), f"process {pid} ends", seconds)


def refusals(s, house):
    node = house.node

    def stays(what, words, *arguments):
        done = node.cli("upgrade", *arguments)
        ensure(done.returncode == 1, f"{what}: exit {done.returncode}")
        contains(done.stderr, words)
        equal(house.serving(), house.pid, "who serves")
        equal(get(s.port("web")).status, 200, "status")

    with s.fact("a configuration that is not valid leaves the old process serving, and says so"):
        node.write(node.template.replace("pool: web\n", "pool: wbe\n", 1))
        stays("a bad file", "is not valid")
        node.write(node.template)
    for what, script, words, arguments in [
        ("ends at once", "exit 3", "exit status 3", ()),
        ("hangs", "exec sleep 60", "not ready after", ("--within", "2s")),
    ]:
        with s.fact(f"a binary that {what} leaves the old process serving"):
            broken = s.path("broken")
            broken.write_text(f"#!/bin/sh\n{script}\n")
            broken.chmod(0o755)
            place(house.link, broken)
            stays(what, words, *arguments)
    place(house.link, s.binary)
    with s.fact("nothing is left of them, and changes are taken again"):
        children = open(f"/proc/{house.pid}/task/{house.pid}/children").read().split()
        ensure(not [pid for pid in children if alive(int(pid))], f"children {children}")
        node.must("drain", "web/b")
        node.must("ready", "web/b")


def place(link, target):
    fresh = link.with_suffix(".fresh")
    fresh.symlink_to(target)
    os.replace(fresh, link)


def memory(s, house):
    node = house.node
    users = {}
    for user in range(40):
        users[user] = get(s.port("sticky"), "/", headers={"X-User": user}).text.strip()
    ensure(len(set(users.values())) == 2, "all users are on one backend")
    node.must("weight", "web/a", "37")
    node.must("drain", "sticky/b")
    before = node.status()
    verdicts = {name: node.backend("web", name) for name in ("a", "gone")}
    events = node.api("GET", "/v1/events?after=0")[1]
    old = house.upgrade()
    with s.fact("overrides, verdicts and their times are the new process's, too"):
        equal(node.backend("web", "a")["weight"], 37, "a's weight")
        equal(node.backend("sticky", "b")["state"], "drain", "b's state")
        for name, known in verdicts.items():
            now = node.backend("web", name)
            equal(now["verdict"], known["verdict"], f"{name}'s verdict")
            equal(now["reason"], known["reason"], f"{name}'s reason")
    with s.fact("users stay on their backends, whose draining changes nothing for them"):
        for user, backend in users.items():
            equal(get(s.port("sticky"), "/", headers={"X-User": user}).text.strip(), backend, f"user {user}")
    with s.fact("the events go on where they were"):
        now = node.api("GET", "/v1/events?after=0")[1]
        equal(now["events"][: len(events["events"])], events["events"], "the events of before")
        ensure(any(e["kind"] == "upgrade" and e["id"] > events["next"] for e in now["events"]), "no event of the upgrade")
    with s.fact("the generation goes on"):
        ensure(node.generation() > before["generation"], "it fell")
    house.gone(old)
    node.must("ready", "sticky/b")


def datagram(port):
    def turn():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(3)
            client.connect(("127.0.0.1", port))
            client.send(b"x")
            contains(client.recv(100), b"x")
        time.sleep(0.002)
    return turn


class Counters(threading.Thread):
    """Reads the metrics all the time, over the Unix socket: always answered, never lower than before."""

    NAME = re.compile(r'^(sluice_\w+_total)\{([^}]*)\} (\S+)$', re.M)

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.failures, self.reads = path, [], 0
        self.last = {}
        self.stopping = False
        self.start()

    def read(self):
        connection = UnixHTTP(str(self.path))
        try:
            connection.request("GET", "/metrics")
            who = int.from_bytes(connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
            return who, connection.getresponse().read().decode()
        finally:
            connection.close()

    def run(self):
        while not self.stopping:
            try:
                who, text = self.read()
                self.reads += 1
            except Exception as error:
                self.failures.append(f"metrics: {type(error).__name__} {error}")
                continue
            for name, labels, value in self.NAME.findall(text):
                key, value = f"{name}{{{labels}}}", float(value)
                before, by = self.last.get(key, (0, None))
                if value < before:
                    self.failures.append(f"{key} fell from {before} ({by}) to {value} ({who})")
                self.last[key] = (value, who)
            time.sleep(0.02)

    def stop(self):
        self.stopping = True
        self.join(20)


def requests_of(house, listener):
    return next(l for l in house.node.status()["listeners"] if l["name"] == listener)["requests"]


def under_load(s, house):
    start = requests_of(house, "web")
    load = Load(s, f"http://127.0.0.1:{s.port('web')}/", connections=32, seconds=800)
    groups = [
        Clients("new connections", fresh(s.port("web"))),
        Clients("over TCP", fresh(s.port("plain"))),
        Clients("over a Unix socket", fresh(s.path("web.sock"))),
        Clients("kept alive, busy", Kept(s.port("web"))),
        # Pauses longer than a drain's grace.
        Clients("kept alive, slow", Kept(s.port("web"), 0.8)),
        Clients("datagrams", datagram(s.port("echo"))),
    ]
    counters = Counters(house.node.socket)
    took, longest = [], 0.0
    for turn in range(UPGRADES):
        began = time.monotonic()
        old = house.upgrade(by_signal=turn % 3 == 2)
        took.append(time.monotonic() - began)
        served = requests_of(house, "web")
        wait(lambda: requests_of(house, "web") > served + 200, "traffic goes on", 20)
        house.gone(old)
        longest = max(longest, time.monotonic() - began)
    for group in groups:
        group.stop()
    figures = load.stop()
    counters.stop()
    total = figures.requests + sum(g.done for g in groups if g.kind not in ("over TCP", "datagrams"))
    s.figure("clients", "done", "failed")
    s.figure("wrk, 32 kept alive", figures.requests, figures.failed)
    for group in groups:
        s.figure(group.kind, group.done, len(group.failures))
    s.figure("metrics read", counters.reads, len(counters.failures))
    s.figure("upgrades", len(took), f"median {sorted(took)[len(took) // 2]:.2f} s, longest {max(took):.2f} s until it serves, {longest:.1f} s until the old one is gone")
    with s.fact(f"no request fails and no connection is reset in {UPGRADES} upgrades"):
        ensure(figures.failed == 0, str(figures))
        for group in groups:
            ensure(not group.failures, f"{group.kind}: {len(group.failures)} of {group.done}: {group.failures[:3]}")
            ensure(group.done > 0, f"{group.kind} did nothing")
    with s.fact("metrics are always answered, and no counter falls"):
        ensure(not counters.failures, f"{len(counters.failures)}: {counters.failures[:5]}")
    with s.fact("every request is counted, whichever process served it"):
        def counted():
            found = requests_of(house, "web") - start
            # What wrk had under way when it was stopped is counted here and not there.
            ensure(total <= found <= total + 40, f"{found} are counted, {total} were answered")
            return True
        wait(counted, "the last process's word", 5)
    if OLDER:
        lost = [one["message"] for one in house.node.api("GET", "/v1/events?after=0")[1]["events"] if "begins anew" in one["message"]]
        s.figure("given up of the older one", lost)


def workers(s, house):
    node = house.node
    groups = [Clients("new connections", fresh(s.port("web"))), Clients("datagrams", datagram(s.port("echo")))]
    load = Load(s, f"http://127.0.0.1:{s.port('web')}/", name="wrk-workers", connections=16)
    for count in (4, 1, 2):
        with s.fact(f"with {count} workers nothing is lost either"):
            node.write(node.template.replace("workers: 2", f"workers: {count}"))
            old = house.upgrade()
            equal(node.status()["workers"], count, "workers")
            house.gone(old)
    for group in groups:
        group.stop()
    figures = load.stop()
    with s.fact("no request fails while the number of workers changes"):
        ensure(figures.failed == 0, str(figures))
        for group in groups:
            ensure(not group.failures, f"{group.kind}: {group.failures[:3]}")


def tunnel(s, house):
    with Wire(s.port("plain")) as kept:
        kept.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        equal(kept.response().status, 200, "status before")
        old = house.upgrade()
        with s.fact("a tunnel goes on in the old process until the deadline"):
            kept.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            equal(kept.response().status, 200, "status after")
            ensure(alive(old), "the old process is gone")
            house.gone(old)
            ensure(kept.ended(3), "the tunnel is open")


def finish(s, house):
    node = house.node
    with s.fact("the last process stops as any other"):
        os.kill(house.pid, signal.SIGTERM)
        house.gone(house.pid)
        ensure(not node.socket.exists(), "the API's socket is there")
        ensure(not s.path("web.sock").exists(), "the listener's socket is there")
    with s.fact("no process said that it lost something"):
        log = node.process.log()
        ensure("Fatal" not in log and "not understood" not in log, log[-500:])
