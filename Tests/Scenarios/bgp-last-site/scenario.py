"""A guard against self-made outages: of two sites that are peers, one goes on announcing, and says why; also when both fall sick at once, and when they don't hear each other."""

import time

from lib.anycast import server
from lib.netns import Network
from lib.routers import Bird, RouteMonitor, SiteNode, gateways, router as forwarding
from lib.scenario import contains, equal, wait

LIMIT = 60
VIP = "203.0.113.1"
SITES = {"a": ("192.0.2", 65001), "b": ("198.51.100", 65002)}
SITE = """
admin: {{ socket: "${{socket}}" }}
drain-timeout: 0s
workers: 1
node: {{ name: {name}, site: site-{name} }}
peers:
  key: "a-key-that-both-nodes-have"
  heartbeat: 100ms
  timeout: 600ms
  nodes: {{ a: "192.0.2.2:7946", b: "198.51.100.2:7946" }}
listeners:
  web: {{ bind: ["203.0.113.1:80"], protocol: http, pool: web }}
pools:
  web:
    probe: {{ http: {{ path: / }}, every: 200ms, timeout: 150ms, rise: 1, fall: 2, fast: 50ms }}
    backends: [127.0.0.1:9000]
bgp:
  as: {asn}
  router-id: {v4}.2
  drain: {{ convergence: 300ms, settle: 0s }}
  speakers:
    tor: {{ address: {v4}.1, as: 65000, hold-time: 9s, connect-retry: 300ms }}
  announcements:
    web: {{ prefixes: [203.0.113.1/32], while: {{ pool: web }}, up-after: 0s, last-site: keep }}
"""
CUT = """table inet cut {
  chain links {
    type filter hook forward priority 0
    tcp dport 7946 drop
    tcp sport 7946 drop
  }
}
"""


def run(s):
    net = Network(s)
    tor = forwarding(net.host("tor"))
    hosts, servers, nodes = {}, {}, {}
    session = "hold time 9; keepalive time 3; connect retry time 1; connect delay time 1; error wait time 1, 2;"
    for name, (v4, asn) in SITES.items():
        hosts[name] = forwarding(net.host(name))
        net.wire(tor, f"to{name}", hosts[name], "eth0", ([f"{v4}.1/24"], [f"{v4}.2/24"]))
        hosts[name].ip("route", "add", "default", "via", f"{v4}.1")
    Bird(tor, "192.0.2.1", "".join(
        f"protocol bgp {name} {{ local {v4}.1 as 65000; neighbor {v4}.2 as {asn}; {session} ipv4 {{ import all; export none; }}; }}\n"
        for name, (v4, asn) in SITES.items()))
    for name, (v4, asn) in SITES.items():
        servers[name] = server(hosts[name], name)
        nodes[name] = SiteNode(s, hosts[name], name, SITE.format(name=name, v4=v4, asn=asn))
    for node in nodes.values():
        node.wait_established("tor", seconds=20)
        wait(lambda: linked(node), "the peers hear each other", 10)
    wait(lambda: len(gateways(tor, VIP)) == 2, "both sites are routed", 10)
    monitor = RouteMonitor(tor)
    begun = time.time()
    s.figure("", "a", "b", "routed to")

    def note(what):
        s.figure(what, *(f"{n.announcement('web')['level']}: {n.announcement('web')['reason']}"[:80] for n in nodes.values()), ", ".join(gateways(tor, VIP)))

    def well(name):
        servers[name] = server(hosts[name], name)

    with s.fact("a sick site leaves to the other"):
        at = time.time()
        servers["a"].kill()
        wait(lambda: gateways(tor, VIP) == ["198.51.100.2"], "only b is routed", 10, every=0.005)
        note(f"a's last backend dies: moved after {1000 * (time.time() - at):.0f} ms")
    with s.fact("the last one goes on, and says why"):
        servers["b"].kill()
        wait(lambda: nodes["b"].announcement("web")["isLast"], "b knows that it is the last", 10)
        equal(gateways(tor, VIP), ["198.51.100.2"], "the route")
        contains(nodes["b"].announcement("web")["reason"], "no other site")
        wait(lambda: any("no other site" in e["message"] for e in nodes["b"].events("announced")), "an event says it")
        note("b's too")
    with s.fact("when the other is well again, it leaves"):
        well("a")
        wait(lambda: gateways(tor, VIP) == ["192.0.2.2"], "only a is routed", 10)
        note("a's is back")
    well("b")
    wait(lambda: len(gateways(tor, VIP)) == 2, "both sites are routed", 10)
    with s.fact("both sick in the same moment: one goes on"):
        for _ in range(3):
            for name in SITES:
                servers[name].signal(9)
            wait(lambda: sum(node.announcement("web")["isLast"] for node in nodes.values()) == 1, "one is the last", 10)
            wait(lambda: len(gateways(tor, VIP)) == 1, "one is routed", 5)
            for name in SITES:
                servers[name].wait(5)
                well(name)
            wait(lambda: len(gateways(tor, VIP)) == 2, "both are routed", 10)
        note("three times both at once")
    with s.fact("cut off from the others, nobody leaves, and who has left stays away"):
        servers["a"].kill()
        wait(lambda: gateways(tor, VIP) == ["198.51.100.2"], "only b is routed", 10)
        s.path("cut.nft").write_text(CUT)
        tor.run("nft", "-f", s.path("cut.nft"))
        wait(lambda: not any(linked(node) for node in nodes.values()), "the link is down", 10)
        # Longer than what a peer said is believed.
        until = time.monotonic() + 1.5
        wait(lambda: time.monotonic() > until, "a while", 5)
        equal(gateways(tor, VIP), ["198.51.100.2"], "the route, a being sick")
        servers["b"].kill()
        wait(lambda: nodes["b"].announcement("web")["isLast"], "b is sick and stays", 10)
        equal(gateways(tor, VIP), ["198.51.100.2"], "the route, both being sick")
        note("a sick, link cut, b sick")
        tor.run("nft", "delete", "table", "inet", "cut")
    with s.fact("at no moment was there no route"):
        equal([line for _, line in monitor.changes(VIP, begun) if line.startswith("Deleted")], [], "deletions of the route")


def linked(node):
    return all(peer["link"] == "up" for peer in node.api("GET", "/v1/peers")[1]["peers"])
