"""Three sites in namespaces, a node in each, unbound in front. What a client resolves each 100 ms while backends die one
by one, then a whole site with its name server, against the budget that was computed before. The links between the nodes
cut; load of one site seen by all; a drain said to one node, heard by all, ended by time."""

import json
import socket
import sys
import threading
import time

import dns.flags

from lib.names import ask, addresses
from lib.netns import Network
from lib.scenario import contains, ensure, equal, wait

LIMIT = 120
SITES = {"eu": ("11", ("21", "22")), "us": ("12", ("31", "32")), "ap": ("13", ("41", "42"))}
NET = "198.51.100."
LONG_TTL = 3

# Port 80 is what probes ask; port 81 keeps whoever comes.
BACKEND = """
import socket, sys, threading
kept = []
def hold(server):
    while True: kept.append(server.accept()[0])
threading.Thread(target=hold, args=(socket.create_server((sys.argv[1], 81), backlog=64),), daemon=True).start()
server = socket.create_server((sys.argv[1], 80), backlog=64)
while True:
    server.accept()[0].close()
"""

UNBOUND = """
server:
  directory: "{dir}"
  chroot: ""
  username: ""
  pidfile: "{dir}/unbound.pid"
  interface: {net}100
  access-control: {net}0/24 allow
  use-syslog: no
  logfile: "{dir}/unbound.out"
  do-daemonize: no
  local-zone: "test." nodefault
  module-config: "iterator"
  cache-min-ttl: 0
  prefetch: no
remote-control:
  control-enable: no
stub-zone:
  name: "sites.test"
  stub-addr: {net}11
  stub-addr: {net}12
  stub-addr: {net}13
"""


class Client(threading.Thread):
    """Resolves by unbound every 100 ms."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.samples, self.ending = host, [], threading.Event()

    def run(self):
        with self.host:
            while not self.ending.is_set():
                at = time.monotonic()
                try:
                    found = addresses(ask(53, "api.sites.test", host=f"{NET}100", timeout=2, flags=dns.flags.RD))
                except Exception as error:
                    found = [type(error).__name__]
                self.samples.append((at, found[0] if found else "none"))
                time.sleep(max(0, at + 0.1 - time.monotonic()))

    def stop(self):
        self.ending.set()
        self.join(5)

    def now(self):
        return self.samples[-1][1]

    def last(self, of, after):
        """Seconds from `after` to the last sample that gave one of these; 0 when none did."""
        return max([at - after for at, address in list(self.samples) if at >= after and address in of], default=0)

    def line(self, start):
        """The time line: each stretch of one address."""
        stretches = []
        for at, address in self.samples:
            if stretches and stretches[-1][1] == address:
                stretches[-1][2] += 1
            else:
                stretches.append([at - start, address, 1])
        return stretches


def address(last):
    return f"{NET}{last}"


def run(s):
    net = Network(s)
    service, mesh = net.switch("service"), net.switch("mesh")
    hosts, nodes, backends = {}, {}, {}
    for name, (node, parts) in SITES.items():
        host = hosts[name] = net.host(name)
        host.attach(service, "eth0", *(f"{NET}{part}/24" for part in (node, *parts)))
        host.attach(mesh, "eth1", f"10.9.0.{node}/24")
        for part in parts:
            backends[part] = host.start(f"backend-{part}", [sys.executable, "-c", BACKEND, address(part)])
    for name, (node, parts) in SITES.items():
        nodes[name] = hosts[name].node(
            s, name=name, replace=[("@NAME@", name), ("@ADDRESS@", address(node)), ("@FIRST@", address(parts[0]))])
    resolver = net.host("client")
    resolver.attach(service, "eth0", f"{NET}100/24")
    s.path("unbound.conf").write_text(UNBOUND.format(dir=s.dir, net=NET))
    resolver.start("unbound", ["unbound", "-d", "-c", s.path("unbound.conf")])

    def report(node):
        return nodes[node].api("GET", "/v1/dns")[1]

    def sites(node):
        return {site["name"]: site["state"] for site in report(node)["sites"]}

    def name(node, wanted="api.sites.test"):
        return next(entry for entry in report(node)["names"] if entry["name"].rstrip(".") == wanted)

    def linked(node):
        return all(peer["link"] == "up" for peer in nodes[node].api("GET", "/v1/peers")[1]["peers"])

    def settled(who=tuple(nodes)):
        for node in who:
            wait(lambda: name(node)["ttl"] == LONG_TTL, f"{node} answers with the long TTL", 15)

    all_up = {"eu": "up", "us": "up", "ap": "up"}
    for node in nodes:
        wait(lambda: sites(node) == all_up, f"{node} sees all sites up", 15)
        wait(lambda: linked(node), f"{node} hears its peers", 15)
    settled()
    budget = json.loads(nodes["eu"].must("dns", "failover-budget", "api.sites.test", "--json"))
    s.figure("budget", f"{budget['total']:.2f} s", f"detection {budget['detection']:.2f} s, TTL {budget['shortestTTL']:.0f} to {budget['longestTTL']:.0f} s")
    client = Client(resolver)
    client.start()
    s.defer(client.stop)
    start = time.monotonic()
    wait(lambda: client.samples and client.now() in (address("21"), address("22")), "the first site's address", 10)

    def measure(text, gone, deed):
        """Does something to these addresses; until when they were still resolved, against the budget."""
        at = time.monotonic()
        deed()
        with s.fact(f"{text}: within the budget"):
            wait(lambda: client.now() not in gone | {"none"} and time.monotonic() - at > budget["total"], "another address", budget["total"] + 10)
            took = client.last(gone, at)
            s.figure(text, f"{took:.2f} s", f"of {budget['total']:.2f} s")
            ensure(took <= budget["total"], f"{took:.2f} s")

    with s.fact("a site's load is known to all, and least-load answers move away from it, by and by"):
        with hosts["eu"]:
            held = [socket.create_connection((address("11"), 8080), 5) for _ in range(60)]
        def shares(node):
            found = {}
            for member in name(node, "spread.sites.test")["members"]:
                found.setdefault(member["source"].removeprefix("site "), []).append(member["share"])
            return {site: sum(values) / len(values) for site, values in found.items()}
        for node in nodes:
            wait(lambda: shares(node)["eu"] < 0.7 < shares(node)["us"], f"{node} answers less with eu: {shares(node)}", 15)
            load = next(site for site in report(node)["sites"] if site["name"] == "eu")
            equal(load["underWay"], 60, f"what {node} knows of eu's connections")
        s.figure("60 connections at eu", *(f"{site} {share:.2f}" for site, share in shares("ap").items()))
        for one in held:
            one.close()

    with s.fact("the links between the nodes cut: no site is declared dead"):
        for host in hosts.values():
            host.unplug("eth1")
        before = len(client.samples)
        wait(lambda: not any(linked(node) for node in nodes), "the links are down", 10)
        # Longer than reports are believed.
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            for node in nodes:
                equal(sites(node), all_up, f"sites as {node} sees them")
            time.sleep(0.3)
        equal({address for _, address in client.samples[before:]} <= {address("21"), address("22")}, True, "answers")
        for host in hosts.values():
            host.plug("eth1")
    for node in nodes:
        wait(lambda: linked(node), "links again", 20)
    settled()
    # The one that is answered now.
    first = client.now().removeprefix(NET)
    measure("first backend of eu killed", {address(first)}, backends[first].kill)
    settled()
    second = {"21": "22", "22": "21"}[first]
    measure("second backend of eu killed: the site", {address("21"), address("22")}, backends[second].kill)
    with s.fact("all nodes agree, and say why"):
        for node in nodes:
            wait(lambda: sites(node)["eu"] == "down", f"{node}: eu is down", 5)
        eu = next(site for site in report("us")["sites"] if site["name"] == "eu")
        contains(eu["reason"], "3 of 3 observers say down, 2 needed")
        equal({item["node"]: item["up"] for item in eu["observers"]}, {"eu": False, "ap": False}, "what others say of eu")
    with s.fact("the dashboard has it too"):
        panels = {panel["name"]: panel for panel in nodes["us"].api("GET", "/v1/panels")[1]["panels"]}
        eu = next(row for row in panels["dns-sites"]["rows"] if row[0] == "eu")
        equal(eu[1], "down", "eu")
        contains(eu[3], "ap down")
    with s.fact("what the names answer from is told, and leads to the fall of the site or of its address"):
        def told():
            links = nodes["us"].chain("name")
            return links if len(links) > 1 and links[1] in (("down", ""), ("down", f"site:eu/{address(second)}")) else None
        links = wait(told, "the event", 12)
        ensure(links[0][1] in ("api.sites.test", "spread.sites.test"), f"{links}")
    settled()
    measure("all of us cut off, with its name server", {address("31"), address("32")}, lambda: (hosts["us"].cut("eth0"), hosts["us"].cut("eth1")))
    with s.fact("the last site is answered"):
        ensure(client.now() in (address("41"), address("42")), client.now())
    with s.fact("a site that comes back is answered again, after its probes have risen and it has stayed well"):
        at = time.monotonic()
        for part in ("21", "22"):
            backends[part] = hosts["eu"].start(f"backend-{part}-again", [sys.executable, "-c", BACKEND, address(part)])
        wait(lambda: client.now() in (address("21"), address("22")), "eu again", 20)
        s.figure("eu back in answers", f"{time.monotonic() - at:.2f} s")
        ensure(time.monotonic() - at > 1, "it was believed too early")
    with s.fact("a drain said to one node holds on the others, and ends by itself"):
        at = time.monotonic()
        nodes["ap"].must("dns", "site", "drain", "eu", "--for", "8s")
        wait(lambda: sites("eu")["eu"] == "drained", "eu's node has heard it", 2)
        wait(lambda: client.now() in (address("41"), address("42")), "away from eu", 10)
        for node in ("eu", "ap"):
            wait(lambda: sites(node)["eu"] == "up", f"{node}: over", 12)
        ensure(time.monotonic() - at > 7.5, "it ended too early")
        wait(lambda: client.now() in (address("21"), address("22")), "eu again by itself", 15)
        s.figure("drained for 8 s, back after", f"{time.monotonic() - at:.2f} s")
    client.stop()
    for begin, found, count in client.line(start):
        if count >= 2:
            s.figure(f"{begin:7.1f} s", found, f"{count / 10:.1f} s", "#" * min(60, max(1, count // 3)))
