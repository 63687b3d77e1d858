"""Floating addresses with real nftables: a model, the store and the rules agree, whatever is killed; traffic follows.

client ── 198.51.100.0/24 ── lb ── 10.0.0.0/24 ── s1 … s4. FLOATING_LONG=1: 1,000 orders and 20 kills instead of 120 and 4.
"""

import contextlib
import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import threading
import time

from lib.netns import Network
from lib.scenario import Failure, ensure, equal, wait

LIMIT = 240
OPERATIONS, KILLS = (1000, 20) if os.environ.get("FLOATING_LONG") else (120, 4)
FIXED = [f"10.0.0.{n}" for n in range(11, 41)]
ADDRESSES = [f"203.0.113.{n}" for n in range(30)]
SERVER = """
import socket, sys, threading
def datagrams():
    with socket.socket(family, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind((sys.argv[2], 80))
        while True:
            data, peer = endpoint.recvfrom(100)
            endpoint.sendto(sys.argv[1].encode(), peer)
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
threading.Thread(target=datagrams, daemon=True).start()
with socket.create_server((sys.argv[2], 80), family=family) as listener:
    while True:
        connection, peer = listener.accept()
        try:
            connection.sendall(f"{sys.argv[1]} {peer[0]}".encode())
        except OSError:
            pass  # a probe that is gone again
        connection.close()
"""


class World:
    def __init__(self, s):
        self.s = s
        net = Network(s)
        outside, inside = net.switch("out"), net.switch("in")
        self.client, self.lb = net.host("client"), net.host("lb")
        self.client.attach(outside, "eth0", "198.51.100.9/24", "2001:db8:a::9/64")
        self.lb.attach(outside, "eth0", "198.51.100.1/24", "2001:db8:a::1/64")
        self.lb.attach(inside, "eth1", "10.0.0.1/24", "2001:db8:b::1/64")
        self.lb.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
        self.client.ip("route", "add", "203.0.113.0/24", "via", "198.51.100.1")
        self.client.ip("-6", "route", "add", "2001:db8:f::/64", "via", "2001:db8:a::1")
        self.servers = {}
        for number in range(1, 5):
            name = f"s{number}"
            host = net.host(name)
            host.attach(inside, "eth0", f"10.0.0.{10 + number}/24", f"2001:db8:b::1{number}/64")
            host.ip("route", "add", "default", "via", "10.0.0.1")
            host.ip("-6", "route", "add", "default", "via", "2001:db8:b::1")
            for kind, address in (("4", f"10.0.0.{10 + number}"), ("6", f"2001:db8:b::1{number}")):
                self.servers[name + kind] = host.start(
                    f"server-{name}{kind}", ["python3", "-c", SERVER, name, address], expect_exit=True)
            self.servers[name] = host
        for name, kind in [(f"s{n}", k) for n in range(1, 5) for k in "46"]:
            with self.lb:
                wait(lambda: socket.create_connection((self.fixed(name, kind), 80), 1).close() is None, f"{name} serves")

    def start(self):
        if not hasattr(self, "node"):
            self.node = self.lb.node(self.s, text=(self.s.folder / "sluice.yaml").read_text())
            return
        command = [self.s.binary, "run", self.node.config]
        self.node.process = self.lb.start("sluice", command, environment={"SWIFT_BACKTRACE": "enable=no"})
        wait(lambda: self.node.api("GET", "/v1/health")[1]["phase"] == "serving", "it serves again")

    def order(self, verb, **body):
        return self.node.api("POST", f"/v1/floating-ips/{verb}", body)

    def table(self):
        status, body = self.node.api("GET", "/v1/floating-ips")
        equal(status, 200, "GET /v1/floating-ips")
        return {entry["address"]: entry.get("fixed") for entry in body["addresses"]}

    @staticmethod
    def fixed(name, kind):
        return f"10.0.0.1{name[1]}" if kind == "4" else f"2001:db8:b::1{name[1]}"

    def serve(self, name, kind):
        """A server that was killed, once more."""
        address = self.fixed(name, kind)
        self.servers[name + kind] = self.servers[name].start(
            f"server-{name}{kind}", ["python3", "-c", SERVER, name, address], expect_exit=True)

    def verdict(self, pool, name):
        return self.node.backend(pool, name)["verdict"]

    def store(self):
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.s.path('state')}/state.db?mode=ro", uri=True)) as database:
                return dict(database.execute("SELECT address, fixed FROM floating_ip"))
        except sqlite3.Error as error:
            raise Failure(f"the store: {error}") from error

    def rules(self):
        """What the kernel translates, of both directions, which must mirror each other."""
        text = self.lb.run("nft", "-j", "list", "table", "inet", "sluice_floating", check=False)
        maps = {"in4": {}, "in6": {}, "out4": {}, "out6": {}}
        for item in json.loads(text or '{"nftables": []}')["nftables"]:
            if "map" in item:
                maps[item["map"]["name"]] = dict(item["map"].get("elem", []))
        inward, outward = {**maps["in4"], **maps["in6"]}, {**maps["out4"], **maps["out6"]}
        equal({fixed: floating for floating, fixed in inward.items()}, outward, "the rules outward")
        return inward

    def placed(self):
        text = self.lb.ip("-j", "addr", "show", "dev", "eth0")
        found = {a["local"] for a in json.loads(text)[0]["addr_info"]}
        return {a for a in found if a.startswith(("203.0.113.", "2001:db8:f:"))}

    def agree(self):
        table, store, rules = self.table(), self.store(), self.rules()
        equal(store, table, "the store")
        equal(rules, {a: fixed for a, fixed in table.items() if fixed}, "the rules")
        equal(self.placed(), set(table), "the addresses on the device")
        return table

    def asks(self, address):
        """Which server answers the client there, and whom it sees."""
        with self.client:
            with socket.create_connection((address, 80), 2) as connection:
                return connection.recv(100).decode().split()


def run(s):
    world = World(s)
    s.path("state").mkdir()
    world.start()
    s.figure("what", "measured", "")
    failover(s, world)
    traffic(s, world)
    command(s, world)
    unable(s, world)
    hands(s, world)
    many(s, world)
    loss(s, world)


def failover(s, world):
    shop, returning = "203.0.113.30", "2001:db8:f::8"
    with s.fact("an address that follows health is mapped to the first server that is well"):
        wait(lambda: world.table().get(shop) == "10.0.0.11", "mapped to s1")
        equal(wait(lambda: world.asks(shop), "an answer")[0], "s1", "the server")
        wait(lambda: world.table().get(returning) == "2001:db8:b::12", "the order of `servers` counts: s2")
    with s.fact("and moves when that one falls"):
        begin = time.monotonic()
        world.servers["s14"].kill()
        world.servers["s26"].kill()
        wait(lambda: world.asks(shop)[0] == "s2", "s2 answers", 5, every=0.005)
        s.figure("failover, from kill to an answer of the next", f"{(time.monotonic() - begin) * 1000:.0f} ms", "2 probes of 100 ms")
        wait(lambda: world.asks(returning)[0] == "s1", "s1 answers", 5, every=0.005)
        wait(world.agree, "all agree", 5)
    with s.fact("a server that is back gets it back with `return`, and without it does not"):
        world.serve("s1", "4")
        world.serve("s2", "6")
        wait(lambda: world.verdict("shop", "s1") == "up", "s1 is up")
        wait(lambda: world.table()[returning] == "2001:db8:b::12", "it is back")
        equal(world.table()[shop], "10.0.0.12", "the mapping")
    with s.fact("a drain moves it, too; by hand it goes to a server of its own that is well, and nowhere else"):
        world.node.must("drain", "shop/s2")
        wait(lambda: world.table()[shop] == "10.0.0.11", "mapped to s1")
        world.node.must("ready", "shop/s2")
        equal(world.order("move", address=shop, fixed="10.0.0.14")[0], 409, "a stranger")
        equal(world.order("disassociate", address=shop)[0], 409, "nobody")
        equal(world.order("move", address=shop, fixed="10.0.0.12")[0], 200, "s2")
        wait(world.agree, "all agree", 5)


def traffic(s, world):
    with s.fact("the client is seen as itself, and a server goes out under its floating address"):
        equal(world.order("allocate", address="203.0.113.1")[0], 200, "allocate")
        equal(world.order("associate", address="203.0.113.1", fixed="10.0.0.13")[0], 200, "associate")
        equal(world.asks("203.0.113.1"), ["s3", "198.51.100.9"], "answer")
        outer = world.client.start("outer", ["python3", "-c", SERVER, "client", "198.51.100.9"], expect_exit=True)
        with world.servers["s3"]:
            wait(lambda: socket.create_connection(("198.51.100.9", 80), 1).close() is None, "the outer server listens")
            with socket.create_connection(("198.51.100.9", 80), 2) as connection:
                equal(connection.recv(100).decode().split()[1], "203.0.113.1", "the server's address outside")
        outer.kill()
    with s.fact("a move takes the next connection along, and open flows"):
        with world.client:
            flow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        flow.settimeout(2)
        flow.connect(("203.0.113.1", 80))

        def talks():
            flow.send(b"?")
            return flow.recv(100).decode()

        equal(talks(), "s3", "the datagram's server before")
        begin = time.monotonic()
        equal(world.order("move", address="203.0.113.1", fixed="10.0.0.14")[0], 200, "move")
        s.figure("move, from order to answer of the API", f"{(time.monotonic() - begin) * 1000:.1f} ms", "saved, rules, addresses")
        equal(talks(), "s4", "the datagram's server after, on the same ports")
        equal(world.asks("203.0.113.1")[0], "s4", "the server")
        flow.close()
    with s.fact("IPv6 too"):
        equal(world.order("allocate", pool="six")[1]["address"], "2001:db8:f::1", "the address")
        equal(world.order("associate", address="2001:db8:f::1", fixed="2001:db8:b::13")[0], 200, "associate")
        equal(world.asks("2001:db8:f::1")[0], "s3", "the server")
    with s.fact("what is mapped to nobody reaches nobody, and what makes no sense is refused"):
        for verb, body, status in (
            ("associate", {"address": "203.0.113.1", "fixed": "10.0.0.13"}, 409),
            ("move", {"address": "203.0.113.2", "fixed": "10.0.0.13"}, 409), ("release", {"address": "203.0.113.1"}, 409),
            ("allocate", {"address": "192.0.2.1"}, 409), ("move", {"address": "203.0.113.1", "fixed": "10.0.0.12"}, 409),
            ("move", {"address": "203.0.113.1"}, 422), ("associate", {"address": "x", "fixed": "y"}, 422),
        ):
            equal((verb, world.order(verb, **body)[0]), (verb, status), "status")
        world.agree()


def command(s, world):
    with s.fact("the commands do the same"):
        world.node.must("floating-ip", "allocate", "--address", "203.0.113.2")
        world.node.must("floating-ip", "associate", "203.0.113.2", "10.0.0.13")
        ensure("10.0.0.13" in world.node.must("floating-ip", "list"), "list")
        ensure("public" in world.node.must("floating-ip", "pools"), "pools")
        world.node.must("floating-ip", "disassociate", "203.0.113.2")
        world.node.must("floating-ip", "release", "203.0.113.2")
        ensure("203.0.113.2" not in world.node.must("floating-ip", "list"), "it is gone")
        world.agree()


def unable(s, world):
    with s.fact("where nft cannot be run an order is refused, and what the kernel still does is not called undone"):
        before = world.agree()
        world.node.process.stop()
        hidden = f"mount --bind /etc/hostname /usr/sbin/nft && exec {s.binary} run {world.node.config}"
        world.node.process = world.lb.start("sluice-without-nft", ["unshare", "-m", "sh", "-c", hidden])
        wait(lambda: world.node.api("GET", "/v1/health")[1]["phase"] == "serving", "it serves")
        status, body = world.order("disassociate", address="203.0.113.1")
        equal(status, 409, "status")
        ensure("nft cannot be run" in body["error"], body)
        ensure(world.node.api("GET", "/v1/floating-ips")[1]["troubles"], "the list says so")
        equal((world.table(), world.store()), (before, before), "table and store")
        world.node.process.stop()
        world.start()
        equal(wait(world.agree, "all agree", 5), before, "the table")


def hands(s, world):
    with s.fact("an address is announced when it is put there: ARP as request and reply, Neighbour Advertisement"):
        tcpdump, path = world.client.tcpdump("announce", "eth0", "arp or icmp6")
        world.order("allocate", address="203.0.113.5")
        world.order("allocate", address="2001:db8:f::5")

        def seen(display):
            out = subprocess.run(["tshark", "-r", path, "-Y", display, "-T", "fields", "-e", "arp.opcode", "-e", "icmpv6.nd.na.flag.o"],
                                 capture_output=True, text=True, timeout=30).stdout
            return [line.strip() for line in out.splitlines()]

        wait(lambda: seen("arp.src.proto_ipv4 == 203.0.113.5 && arp.dst.proto_ipv4 == 203.0.113.5") == ["1", "2"] * 3, "six ARPs", 5, every=0.3)
        wait(lambda: len(seen("icmpv6.type == 136 && icmpv6.nd.na.target_address == 2001:db8:f::5")) == 3, "three advertisements", 5, every=0.3)
        tcpdump.stop()
    with s.fact("rules that somebody flushes, and an address that somebody removes, come back"):
        before = world.agree()
        begin = time.monotonic()
        world.lb.run("nft", "flush", "ruleset")
        world.lb.ip("addr", "del", "203.0.113.5/32", "dev", "eth0")
        wait(world.agree, "all agree", 12, every=0.1)
        equal(world.table(), before, "the table")
        s.figure("flushed rules are back after", f"{time.monotonic() - begin:.1f} s", "looked at each 5 s")

        def repairs():
            return sum(e["kind"] == "repaired" for e in world.node.api("GET", "/v1/events")[1]["events"])

        wait(lambda: repairs() == 2, "both repairs are among the events", 5)
        for address in ("203.0.113.5", "2001:db8:f::5"):
            equal(world.order("release", address=address)[0], 200, "release")
    with s.fact("a clean stop and a start interrupt nobody: rules and addresses stay"):
        before = world.agree()
        world.node.process.stop()
        equal(world.asks("203.0.113.1")[0], "s4", "the server, without a node")
        world.start()
        wait(world.agree, "all agree", 5)
        equal(world.table(), before, "the table")


def step(model, dice):
    """One order, and the table after it."""
    address, fixed = dice.choice(ADDRESSES), dice.choice(FIXED)
    after = dict(model)
    if address not in model:
        after[address] = None
        return "allocate", {"address": address}, after
    free = fixed not in [f for a, f in model.items() if a != address]
    if free and dice.random() < 0.7:
        after[address] = fixed
        return "move" if model[address] else "associate", {"address": address, "fixed": fixed}, after
    if model[address]:
        after[address] = None
        return "disassociate", {"address": address}, after
    del after[address]
    return "release", {"address": address}, after


def many(s, world):
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    kills = set(dice.sample(range(OPERATIONS), min(KILLS, OPERATIONS)))
    with s.fact(f"{OPERATIONS} orders, {KILLS} kills: model, store, rules and device agree every time (seed {seed})"):
        model = world.agree()
        slowest, begin = 0, time.monotonic()
        for number in range(OPERATIONS):
            verb, body, after = step(model, dice)
            if number in kills:
                model = killed(world, verb, body, model, after, dice)
                continue
            start = time.monotonic()
            status, answer = world.order(verb, **body)
            slowest = max(slowest, time.monotonic() - start)
            equal(status, 200, f"{verb} {body}: {answer}")
            model = after
        equal(world.agree(), model, "the end")
        s.figure("orders, kills", f"{OPERATIONS}, {len(kills)}", "0 disagreements")
        s.figure("time of all orders and restarts", f"{time.monotonic() - begin:.1f} s", f"slowest order {slowest * 1000:.0f} ms")


def killed(world, verb, body, before, after, dice):
    """Kills the node while it carries out an order; it must come back with the one table or the other."""
    sent = threading.Thread(target=lambda: quiet(world.order, verb, **body))
    sent.start()
    time.sleep(dice.random() * 0.04)
    world.node.process.kill()
    sent.join()
    world.start()
    wait(lambda: world.agree() is not None, "all agree", 5)
    found = world.agree()
    ensure(found in (before, after), f"after {verb} {body}: {found} is neither the table before nor after")
    return found


def quiet(call, *words, **body):
    try:
        call(*words, **body)
    except (OSError, ValueError, Failure):
        pass
    except Exception:  # http.client's, of a connection that broke
        pass


def loss(s, world):
    events = lambda: [e["message"] for e in world.node.api("GET", "/v1/events")[1]["events"] if e["kind"] == "store-lost"]
    before = world.agree()
    with s.fact("a store that is damaged is said at the start; what the kernel still does is taken over"):
        world.node.process.kill()
        for file in s.path("state").glob("state.db*"):
            if file.suffix != ".nft":
                file.write_bytes(b"this is no database" * 1000)
        world.start()
        wait(events, "an event says so")
        wait(lambda: world.table() == before, "the table is what it was")
        equal((world.rules(), world.placed()), ({a: f for a, f in before.items() if f}, set(before)), "rules and addresses")
        wait(lambda: "loss" in world.node.status()["store"], "the status says so")
    with s.fact("orders are refused meanwhile, with the reason, and what follows health goes on"):
        free = next(a for a in ADDRESSES if a not in before)
        status, body = world.order("allocate", address=free)
        equal(status, 409, "status")
        ensure("store" in body["error"], body)
        shop = world.table()["203.0.113.30"]
        name = "s1" if shop == "10.0.0.11" else "s2"
        # The other one may stand behind another address by now.
        if all(fixed not in ("10.0.0.11", "10.0.0.12") for a, fixed in before.items() if a != "203.0.113.30"):
            world.servers[f"{name}4"].kill()
            wait(lambda: world.rules().get("203.0.113.30") not in (None, shop), "the shop is mapped elsewhere", 5)
            world.serve(name, "4")
            wait(lambda: world.verdict("shop", name) == "up", f"{name} is up")
    with s.fact("when the file is out of the way, all is saved, and orders are taken again"):
        for file in s.path("state").glob("state.db*"):
            if file.suffix != ".nft":
                file.unlink()
        wait(world.agree, "all agree", 12, every=0.2)
        wait(lambda: "loss" not in world.node.status()["store"], "the status says so")
        equal(world.order("allocate", address=free)[0], 200, "allocate")
        wait(world.agree, "all agree", 5)
    with s.fact("without the section all is taken away"):
        template = re.sub(r"floating-ips:.*?(?=^pools:)", "", world.node.template, flags=re.S | re.M)
        world.node.reload(template)
        wait(lambda: not world.rules() and not world.placed(), "rules and addresses go", 5)
        equal((world.rules(), world.placed()), ({}, set()), "rules and addresses")
