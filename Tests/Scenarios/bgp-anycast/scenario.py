"""Two sites announce the same addresses to one router (FRR, then BIRD), beside BIRD as announcer with the same timers.

What is measured: from an event at site a (its last backend dies, its process is killed, it falls silent) to the route
change in the router's kernel, and the requests that clients lose. BFD is 3 x 50 ms; without it the hold time is 3 s.
"""

import calendar
import json
import shutil
import time

from lib.anycast import Client, server, withdrawals
from lib.netns import Network
from lib.routers import Bird, FRRouter, RouteMonitor, SiteNode, gateways, router as forwarding, silence, speak_again
from lib.scenario import ensure, equal, wait

LIMIT = 170
VIP4, VIP6 = "203.0.113.1", "2001:db8:f::1"
SITES = {"a": ("192.0.2", "2001:db8:a", 65001), "b": ("198.51.100", "2001:db8:b", 65002)}

SITE = """
admin: {{ socket: "${{socket}}" }}
drain-timeout: 1s
workers: 1
listeners:
  web: {{ bind: ["203.0.113.1:80", "[2001:db8:f::1]:80"], protocol: http, pool: web }}
pools:
  web:
    probe: {{ http: {{ path: / }}, every: 200ms, timeout: 150ms, rise: 1, fall: 2, fast: 50ms }}
    backends: [127.0.0.1:9000]
bgp:
  as: {asn}
  router-id: {v4}.2
  drain: {{ convergence: 500ms, settle: 200ms }}
  templates:
    tor: {{ as: 65000, hold-time: 3s, connect-retry: 500ms{bfd} }}
  speakers:
    tor4: {{ template: tor, address: {v4}.1 }}
    tor6: {{ template: tor, address: "{v6}::1" }}
  announcements:
    web: {{ prefixes: [203.0.113.1/32, "2001:db8:f::1/128"], while: {{ pool: web }}, up-after: 0s }}
"""
BFD = ", bfd: { transmit: 50ms, receive: 50ms, multiplier: 3 }"


class Lab:
    """The router, two sites and a client."""

    def __init__(self, s, kind):
        self.s, self.kind = s, kind
        self.net = Network(s)
        self.net.prefix += kind[0]
        self.tor, self.client = (forwarding(self.net.host(name)) for name in ("tor", "client"))
        self.hosts = {name: forwarding(self.net.host(name)) for name in SITES}
        for name, (v4, v6, _) in SITES.items():
            self.net.wire(self.tor, f"to{name}", self.hosts[name], "eth0",
                          ([f"{v4}.1/24", f"{v6}::1/64"], [f"{v4}.2/24", f"{v6}::2/64"]))
            self.hosts[name].ip("route", "add", "default", "via", f"{v4}.1")
            self.hosts[name].ip("-6", "route", "add", "default", "via", f"{v6}::1")
        self.net.wire(self.tor, "tocl", self.client, "eth0",
                      (["198.18.0.1/24", "2001:db8:c::1/64"], ["198.18.0.2/24", "2001:db8:c::2/64"]))
        self.client.ip("route", "add", "default", "via", "198.18.0.1")
        self.client.ip("-6", "route", "add", "default", "via", "2001:db8:c::1")
        self.router = None

    def start_router(self, bfd):
        tag = f"{self.kind}-{'bfd' if bfd else 'plain'}"
        if self.kind == "frr":
            neighbours = "".join(
                f" neighbor {peer} remote-as {asn}\n neighbor {peer} timers connect 1\n" + (f" neighbor {peer} bfd profile fast\n" if bfd else "")
                for v4, v6, asn in SITES.values() for peer in (f"{v4}.2", f"{v6}::2"))
            activate = "".join(f"  neighbor {v6}::2 activate\n" for _, v6, _ in SITES.values())
            self.router = FRRouter(self.tor, f"""router bgp 65000
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
 timers bgp 1 3
{neighbours} address-family ipv4 unicast
  maximum-paths 8
 exit-address-family
 address-family ipv6 unicast
{activate}  maximum-paths 8
 exit-address-family""", "bfd\n profile fast\n  receive-interval 50\n  transmit-interval 50\n  detect-multiplier 3" if bfd else None)
        else:
            session = "hold time 3; keepalive time 1; connect retry time 1; connect delay time 1; error wait time 1, 2; error forget time 1;"
            peers = "".join(
                f"protocol bgp {name}{family} {{ local {address}1 as 65000; neighbor {address}2 as {asn}; {session} {'bfd on;' if bfd else ''} "
                f"ipv{family} {{ import all; export none; }}; }}\n"
                for name, (v4, v6, asn) in SITES.items() for family, address in ((4, f"{v4}."), (6, f"{v6}::")))
            watch = 'protocol bfd { interface "*" { min rx interval 50 ms; min tx interval 50 ms; multiplier 3; }; }\n' if bfd else ""
            self.router = Bird(self.tor, "192.0.2.1", watch + peers, name=f"bird-{tag}")

    def stop_router(self):
        if self.kind == "frr":
            for process in self.router.processes.values():
                process.kill()
            shutil.rmtree(self.router.run_dir, ignore_errors=True)
            shutil.rmtree(self.router.folder, ignore_errors=True)
        else:
            self.router.process.kill()
        for prefix in (VIP4, VIP6):
            self.tor.ip("-6" if ":" in prefix else "-4", "route", "flush", prefix, check=False)

    def both(self, seconds=20):
        """Both sites are next hops, in both families."""
        wait(lambda: len(gateways(self.tor, VIP4)) == 2, f"ECMP for {VIP4}: {gateways(self.tor, VIP4)}", seconds)
        wait(lambda: len(gateways(self.tor, VIP6)) == 2, f"ECMP for {VIP6}: {gateways(self.tor, VIP6)}", seconds)


def run(s):
    s.figure("router", "announcer", "event at site a", "noticed", "withdrawn", "route moved", "requests", "failed")
    for kind in ("frr", "bird"):
        lab = Lab(s, kind)
        with_sluice(s, lab)
        with_bird(s, lab)


def measure(s, lab, monitor, label, announcer, act, noticed=None, pcap=None, bound=None, tolerated=None):
    """One event: when the router's kernel moved, and what clients lost."""
    lab.both()
    client = Client(lab.client, f"{lab.kind}-{announcer}-{label}".replace(" ", "-"), VIP4, rate=100)
    wait(lambda: len(client.requests()) > 60, "clients are served", 10)
    start = time.time()
    act()
    moved = wait(lambda: monitor.changes(VIP4, start), f"the route moves after: {label}", 12, every=0.01)[0][0]
    wait(lambda: len(gateways(lab.tor, VIP4)) == 1, "one next hop is left", 5)
    # The ones under way when it happened have ended two seconds later.
    until = time.time() + 0.5
    wait(lambda: any(start > until for start, _, _ in client.requests(until)), "clients go on", 10)
    settled = [item for item in client.failed(moved + 0.05, until) if item[0] > moved + 0.05]
    client.process.stop()
    requests, failed = client.requests(start - 0.2, until), client.failed(start - 0.2, until)
    found = noticed() if noticed else None
    gone = None
    if pcap:
        gone = wait(lambda: withdrawals(pcap, f"{SITES['a'][0]}.2", start), "the withdrawal on the wire", 3)[0]
    def ms(moment):
        return "-" if moment is None else f"{1000 * (moment - start):.0f} ms"
    s.figure(lab.kind, announcer, label, ms(found), ms(gone), ms(moved), len(requests), len(failed))
    with s.fact(f"{lab.kind}, {announcer}, {label}: clients are on the other site"):
        ensure(not settled, f"{len(settled)} failed after the route had moved: {settled[:3]}")
        equal(set(client.answers(moved + 0.05, until)), {"b"}, "who answers")
    if bound:
        with s.fact(f"{lab.kind}, {announcer}, {label}: moved within {bound} ms"):
            ensure(moved - start < bound / 1000, ms(moved))
    if gone and found:
        with s.fact(f"{lab.kind}, {announcer}, {label}: withdrawn within 50 ms of the probe's word"):
            ensure(gone - found < 0.05, f"{1000 * (gone - found):.1f} ms")
    if tolerated is not None:
        with s.fact(f"{lab.kind}, {announcer}, {label}: at most {tolerated} requests fail"):
            ensure(len(failed) <= tolerated, f"{len(failed)}: {failed[:3]}")


def with_sluice(s, lab):
    lab.start_router(bfd=True)
    servers = {name: server(lab.hosts[name], name) for name in SITES}
    nodes = {}
    for name, (v4, v6, asn) in SITES.items():
        nodes[name] = SiteNode(s, lab.hosts[name], f"{lab.kind}-{name}", SITE.format(asn=asn, v4=v4, v6=v6, bfd=BFD))
    for node in nodes.values():
        node.wait_established("tor4", "tor6")
    with s.fact(f"{lab.kind}: two sites are equal paths, and both serve, over IPv4 and IPv6"):
        lab.both()
        for address in (VIP4, VIP6):
            client = Client(lab.client, f"{lab.kind}-{'6' if ':' in address else '4'}", address, rate=200)
            wait(lambda: len(client.requests()) > 200, "clients are served", 10)
            client.process.stop()
            equal(set(client.answers()), {"a", "b"}, "who answers")
            equal(client.failed(), [], "failures")
            s.figure(lab.kind, "Sluice", f"ECMP, IPv{'6' if ':' in address else '4'}", "", "", "", len(client.requests()), json.dumps(client.answers()))
    with s.fact(f"{lab.kind}: BFD is up"):
        wait(lambda: all(node.peer(p)["bfd"] == "up" for node in nodes.values() for p in ("tor4", "tor6")), "BFD is up", 10)
    monitor = RouteMonitor(lab.tor)
    dump, pcap = lab.tor.tcpdump(f"bgp-{lab.kind}", "toa", "tcp", "port", "179")
    a = nodes["a"]

    def down():
        event = [e for e in a.events("down")][-1]
        day, _, fraction = event["time"].rstrip("Z").partition(".")
        return calendar.timegm(time.strptime(day, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction}")

    # Established long enough that a BFD down is believed at once.
    wait(lambda: all(p["sinceSeconds"] > 2.5 for p in a.bgp()["peers"]), "the sessions have settled", 10)
    measure(s, lab, monitor, "last backend dies", "Sluice", servers["a"].kill, down, pcap, bound=1000)
    servers["a"] = server(lab.hosts["a"], "a")
    lab.both()
    measure(s, lab, monitor, "kill -9 (BFD)", "Sluice", a.process.kill, bound=300)
    a.launch()
    lab.both()
    wait(lambda: all(p["bfd"] == "up" and p["sinceSeconds"] > 2.5 for p in a.bgp()["peers"]), "BFD is up again", 15)
    measure(s, lab, monitor, "silence (BFD)", "Sluice", lambda: silence(lab.hosts["a"]), bound=1000)
    speak_again(lab.hosts["a"])
    lab.both(30)
    drain(s, lab, monitor, a)
    for node in nodes.values():
        node.process.stop()
    dump.stop()
    lab.stop_router()
    plain(s, lab, nodes, monitor)
    for process in servers.values():
        process.kill()
    for node in nodes.values():
        node.process.stop()
    monitor.process.stop()


def drain(s, lab, monitor, node):
    """SIGTERM: less preferred, withdrawn, then gone; nobody loses a request."""
    client = Client(lab.client, f"{lab.kind}-drain", VIP4, rate=100)
    wait(lambda: len(client.requests()) > 60, "clients are served", 10)
    start = time.time()
    node.process.signal(15)
    node.process.wait(15)
    ended = time.time()
    wait(lambda: any(begun > ended + 0.3 for begun, _, _ in client.requests(ended)), "clients go on", 10)
    client.process.stop()
    moved = monitor.changes(VIP4, start)[0][0]
    s.figure(lab.kind, "Sluice", f"drain: SIGTERM, gone after {ended - start:.1f} s", "", "", f"{1000 * (moved - start):.0f} ms", len(client.requests(start)), len(client.failed(start)))
    # ECMP keeps no state: what is under way when a router moves its flows meets a node that does not know it.
    others = [item for item in client.failed(start - 0.5) if not item[0] < moved + 0.05 < item[0] + item[1] + 0.1]
    with s.fact(f"{lab.kind}: a drain loses no request but what was under way when the router moved its flows"):
        equal(others, [], "failures")
        equal(set(client.answers(ended)), {"b"}, "who answers then")
    with s.fact(f"{lab.kind}: a stopped node leaves no address behind"):
        ensure(VIP4 not in lab.hosts["a"].addresses("lo"), "it is still on lo")
    node.launch()
    lab.both(30)


def plain(s, lab, nodes, monitor):
    """Without BFD, silence is noticed by the hold time."""
    lab.start_router(bfd=False)
    for name, (v4, v6, asn) in SITES.items():
        nodes[name].write(SITE.format(asn=asn, v4=v4, v6=v6, bfd=""))
        nodes[name].launch()
    lab.both(30)
    measure(s, lab, monitor, "silence (hold time 3 s)", "Sluice", lambda: silence(lab.hosts["a"]), bound=3500)
    speak_again(lab.hosts["a"])
    lab.stop_router()


def with_bird(s, lab):
    """BIRD in Sluice's place at both sites: nginx on the address itself, as there is no balancer."""
    lab.start_router(bfd=True)
    monitor = RouteMonitor(lab.tor)
    birds = {}
    for name, (v4, v6, asn) in SITES.items():
        host = lab.hosts[name]
        host.ip("addr", "add", f"{VIP4}/32", "dev", "lo")
        host.ip("addr", "add", f"{VIP6}/128", "dev", "lo")
        server(host, name, port=9000)
        front(host, name)
        birds[name] = bird(lab, host, v4, v6, asn, name)
    dump, pcap = lab.tor.tcpdump(f"bgp-{lab.kind}-bird", "toa", "tcp", "port", "179")
    lab.both(30)
    wait(lambda: birds["a"].ctl("show", "bfd", "sessions").count("Up") >= 2, "BFD is up", 15)
    # BIRD has no health: a script that knows at once stands for the probe.
    noticed = []
    measure(s, lab, monitor, "birdc disable", "BIRD", lambda: (noticed.append(time.time()), birds["a"].ctl("disable", "any4"), birds["a"].ctl("disable", "any6")),
            lambda: noticed[0], None)
    birds["a"].ctl("enable", "any4")
    birds["a"].ctl("enable", "any6")
    lab.both(30)
    measure(s, lab, monitor, "kill -9 (BFD)", "BIRD", birds["a"].process.kill)
    v4, v6, asn = SITES["a"]
    birds["a"] = bird(lab, lab.hosts["a"], v4, v6, asn, "a2")
    lab.both(30)
    wait(lambda: birds["a"].ctl("show", "bfd", "sessions").count("Up") >= 2, "BFD is up", 15)
    measure(s, lab, monitor, "silence (BFD)", "BIRD", lambda: silence(lab.hosts["a"]))
    speak_again(lab.hosts["a"])
    lab.stop_router()


def front(host, name):
    """nginx on the anycast address."""
    base = host.network.scenario.path(f"front-{host.space}")
    base.mkdir(exist_ok=True)
    temporary = "".join(f"{kind}_temp_path {base}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (base / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {base}/pid;\nerror_log {base}/error.log warn;\nevents {{ }}\n"
        f"http {{ access_log off; {temporary}\n server {{ listen {VIP4}:80; listen [{VIP6}]:80; location / {{ default_type text/plain; return 200 \"{name}\\n\"; }} }} }}\n")
    host.start(f"front-{host.space}", ["nginx", "-c", base / "nginx.conf", "-p", base, "-e", base / "error.log"])
    wait(lambda: host.run("curl", "-s", f"http://{VIP4}/", check=False).strip() == name, f"the front of {name} answers", 10)


def bird(lab, host, v4, v6, asn, label):
    session = "hold time 3; keepalive time 1; connect retry time 1; connect delay time 1; error wait time 1, 2; error forget time 1; bfd on;"
    return Bird(host, f"{v4}.2", f"""
protocol static any4 {{ ipv4; route {VIP4}/32 via "lo"; }}
protocol static any6 {{ ipv6; route {VIP6}/128 via "lo"; }}
protocol bfd {{ interface "eth0" {{ min rx interval 50 ms; min tx interval 50 ms; multiplier 3; }}; }}
protocol bgp tor4 {{ local {v4}.2 as {asn}; neighbor {v4}.1 as 65000; {session} ipv4 {{ import none; export where source = RTS_STATIC; }}; }}
protocol bgp tor6 {{ local {v6}::2 as {asn}; neighbor {v6}::1 as 65000; {session} ipv6 {{ import none; export where source = RTS_STATIC; }}; }}
""", kernel=False, name=f"bird-{lab.kind}-{label}")
