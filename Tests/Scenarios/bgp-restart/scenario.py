"""Graceful restart, with routers that know that our BFD goes with us: a planned one loses no packet at the router; a crash leaves no stale route; a promise is not kept for ever."""

import re
import time

from lib.netns import Network
from lib.routers import Bird, FRRouter, RouteMonitor, SiteNode, gateways, router as forwarding
from lib.scenario import ensure, equal, wait

LIMIT = 120
VIP = "203.0.113.1"
CONFIG = """
admin: { socket: "${socket}" }
drain-timeout: 0s
bgp:
  as: 65001
  router-id: 192.0.2.2
  graceful-restart: 4s
  drain: { convergence: 0s, settle: 0s }
  speakers:
    tor: { address: 192.0.2.1, as: 65000, hold-time: 9s, connect-retry: 200ms, bfd: { transmit: 100ms, receive: 100ms } }
  announcements:
    web: { prefixes: [203.0.113.1/32] }
"""


def run(s):
    s.figure("router", "event", "pings", "lost", "route")
    for kind in ("bird", "frr"):
        net = Network(s)
        net.prefix += kind[0]
        tor, node, client = (forwarding(net.host(name)) for name in ("tor", "node", "client"))
        net.wire(tor, "tonode", node, "eth0", (["192.0.2.1/24"], ["192.0.2.2/24"]))
        net.wire(tor, "tocl", client, "eth0", (["198.18.0.1/24"], ["198.18.0.2/24"]))
        node.ip("route", "add", "default", "via", "192.0.2.1")
        client.ip("route", "add", "default", "via", "198.18.0.1")
        if kind == "bird":
            Bird(tor, "192.0.2.1", """protocol bfd { interface "*" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }
protocol bgp a { local 192.0.2.1 as 65000; neighbor 192.0.2.2 as 65001; hold time 9; connect retry time 1; connect delay time 1; error wait time 1, 2; bfd graceful; ipv4 { import all; export none; }; }""")
        else:
            FRRouter(tor, """router bgp 65000
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 neighbor 192.0.2.2 remote-as 65001
 neighbor 192.0.2.2 timers 3 9
 neighbor 192.0.2.2 timers connect 1
 neighbor 192.0.2.2 bfd profile fast
 neighbor 192.0.2.2 bfd check-control-plane-failure""", "bfd\n profile fast\n  receive-interval 100\n  transmit-interval 100\n  detect-multiplier 3")
        sluice = SiteNode(s, node, f"node-{kind}", CONFIG)
        monitor = RouteMonitor(tor)
        ready(sluice, tor)
        planned(s, kind, sluice, tor, client, monitor)
        crash(s, kind, sluice, tor, monitor)
        broken_promise(s, kind, sluice, tor, monitor)


def ready(sluice, tor):
    sluice.wait_established("tor", seconds=20)
    wait(lambda: gateways(tor, VIP), "the route is there", 10)
    wait(lambda: sluice.peer("tor")["bfd"] == "up" and sluice.peer("tor")["sinceSeconds"] > 2.5, "BFD is up and the session has settled", 15)


def planned(s, kind, sluice, tor, client, monitor):
    ping = client.start(f"ping-{kind}", ["ping", "-i", "0.005", "-D", VIP], stop_signal=2)
    wait(lambda: ping.log().count("bytes from") > 50, "pings are answered", 10)
    start = time.time()
    sluice.must("bgp", "restart")
    sluice.process.wait(10)
    stopped = time.time()
    with s.fact(f"{kind}: while the node is away its route stays"):
        ensure(gateways(tor, VIP), "it is gone")
    sluice.launch()
    sluice.wait_established("tor", seconds=20)
    back = time.time()
    wait(lambda: sluice.peer("tor")["announced"] == 1, "the route is told again", 5)
    # Routers drop what is still stale at End-of-RIB: give that moment time to do harm.
    wait(lambda: sluice.peer("tor")["bfd"] == "up", "BFD is up again", 10)
    wait(lambda: time.time() > back + 2, "two seconds more", 3)
    ping.signal(2)
    ping.wait(5)
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", ping.log()).groups())
    deleted = [line for _, line in monitor.changes(VIP, start) if line.startswith("Deleted")]
    s.figure(kind, f"planned restart, away {back - stopped:.2f} s", sent, sent - received, "stayed" if not deleted else f"deleted {len(deleted)} times")
    with s.fact(f"{kind}: a planned restart loses no packet"):
        equal(sent - received, 0, "packets lost")
        equal(deleted, [], "deletions of the route")


def crash(s, kind, sluice, tor, monitor):
    wait(lambda: sluice.peer("tor")["sinceSeconds"] > 2.5, "the session has settled", 10)
    start = time.time()
    sluice.process.kill()
    moved = wait(lambda: monitor.changes(VIP, start), "the route goes", 6, every=0.005)[0][0]
    s.figure(kind, "kill -9", "", "", f"gone after {1000 * (moved - start):.0f} ms")
    with s.fact(f"{kind}: a crash leaves no stale route, though graceful restart was agreed on"):
        ensure(moved - start < 0.3, f"{1000 * (moved - start):.0f} ms")
        ensure(not gateways(tor, VIP), "it is there")
    sluice.launch()
    ready(sluice, tor)


def broken_promise(s, kind, sluice, tor, monitor):
    start = time.time()
    sluice.must("bgp", "restart")
    sluice.process.wait(10)
    left = time.time()
    moved = wait(lambda: monitor.changes(VIP, start), "the route goes", 12)[0][0]
    s.figure(kind, "a restart without a start, promised for 4 s", "", "", f"gone after {moved - start:.2f} s")
    with s.fact(f"{kind}: routers wait as long as was promised, and no longer"):
        ensure(moved - start > 3 and moved - left < 7, f"{moved - start:.2f} s, {moved - left:.2f} s after the end")
