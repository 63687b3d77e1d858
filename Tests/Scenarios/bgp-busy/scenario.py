"""BFD of 3 x 50 ms on a node whose workers are saturated: the session does not flap, and a kill is still seen at once."""

import time

from lib.anycast import server
from lib.netns import Network
from lib.routers import FRRouter, RouteMonitor, SiteNode, gateways, router as forwarding
from lib.scenario import ensure, equal, wait

LIMIT = 60
VIP = "203.0.113.1"
CONFIG = """
admin: { socket: "${socket}" }
drain-timeout: 0s
listeners:
  web: { bind: ["203.0.113.1:80"], protocol: http, routes: [{ respond: { status: 200, body: "well" } }] }
bgp:
  as: 65001
  router-id: 192.0.2.2
  drain: { convergence: 0s, settle: 0s }
  speakers:
    tor: { address: 192.0.2.1, as: 65000, hold-time: 9s, connect-retry: 200ms, bfd: { transmit: 50ms, receive: 50ms, multiplier: 3 } }
  announcements:
    web: { prefixes: [203.0.113.1/32] }
"""


def run(s):
    net = Network(s)
    tor, node, client = (forwarding(net.host(name)) for name in ("tor", "node", "client"))
    net.wire(tor, "tonode", node, "eth0", (["192.0.2.1/24"], ["192.0.2.2/24"]))
    net.wire(tor, "tocl", client, "eth0", (["198.18.0.1/24"], ["198.18.0.2/24"]))
    node.ip("route", "add", "default", "via", "192.0.2.1")
    client.ip("route", "add", "default", "via", "198.18.0.1")
    frr = FRRouter(tor, """router bgp 65000
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 neighbor 192.0.2.2 remote-as 65001
 neighbor 192.0.2.2 timers 3 9
 neighbor 192.0.2.2 timers connect 1
 neighbor 192.0.2.2 bfd profile fast""", "bfd\n profile fast\n  receive-interval 50\n  transmit-interval 50\n  detect-multiplier 3")
    # A router has cores of its own for this; here it shares them with the load.
    for daemon in ("bfdd", "zebra", "bgpd"):
        tor.run("chrt", "-f", "-p", "20", (frr.folder / f"{daemon}.pid").read_text().strip())
    sluice = SiteNode(s, node, "node", CONFIG)
    monitor = RouteMonitor(tor)
    sluice.wait_established("tor", seconds=20)
    wait(lambda: gateways(tor, VIP), "the route is there", 10)
    wait(lambda: sluice.peer("tor")["bfd"] == "up" and sluice.peer("tor")["sinceSeconds"] > 2.5, "BFD is up and the session has settled", 15)

    def downs():
        text = frr.vty("show bfd peers counters")
        return sum(int(line.split(":")[1].split()[0]) for line in text.splitlines() if "Session down events" in line)

    before, begun = downs(), time.time()
    load = client.start("wrk", ["wrk", "-t", "2", "-c", "256", "-d", "8s", "--latency", f"http://{VIP}/"])
    with s.fact("saturated workers make no session flap"):
        load.wait(20)
        ensure("Requests/sec" in load.log(), load.log()[-300:])
        equal(downs(), before, "times that the router saw BFD down")
        equal(sluice.peer("tor")["bfd"], "up", "BFD")
        ensure(sluice.peer("tor")["sinceSeconds"] > 8, "the session was lost")
        equal([line for _, line in monitor.changes(VIP, begun)], [], "changes of the route")
    rate = next(line.split()[1] for line in load.log().splitlines() if "Requests/sec" in line)
    ninety = next(line.split()[1] for line in load.log().splitlines() if line.strip().startswith("99%"))
    s.figure("8 s of load", f"{rate} requests/s", f"99% within {ninety}", f"BFD down events: {downs() - before}")
    with s.fact("under the same load a kill is seen within 300 ms"):
        load = client.start("wrk-again", ["wrk", "-t", "2", "-c", "256", "-d", "8s", f"http://{VIP}/"])
        wait(lambda: int(sluice.api("GET", "/v1/status")[1]["listeners"][0]["requests"]) > 0, "load again", 5)
        at = time.time()
        wait(lambda: time.time() > at + 1, "a second of it", 3)
        at = time.time()
        sluice.process.kill()
        moved = wait(lambda: monitor.changes(VIP, at), "the route goes", 6, every=0.005)[0][0]
        s.figure("kill -9 under load", f"route gone after {1000 * (moved - at):.0f} ms")
        ensure(moved - at < 0.3, f"{1000 * (moved - at):.0f} ms")
        load.kill()
