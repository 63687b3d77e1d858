"""Draining one of two sites behind a router with stateless ECMP (FRR, then BIRD) loses no request: clients are asked to finish, newcomers wait at the door while the routes move. Beside it the same without `finish`.

SLUICE_DRAINS says how many drains are made with each router (3)."""

import os
import time

from lib.anycast import Client, slow_server
from lib.netns import Network
from lib.routers import Bird, FRRouter, SiteNode, gateways, router as forwarding
from lib.scenario import ensure, equal, wait

LIMIT = 60 + 8 * int(os.environ.get("SLUICE_DRAINS", "3"))
VIP = "203.0.113.1"
SITES = {"a": ("192.0.2", 65001), "b": ("198.51.100", 65002)}
SITE = """
admin: {{ socket: "${{socket}}" }}
drain-timeout: 1s
workers: 1
listeners:
  web: {{ bind: ["203.0.113.1:80"], protocol: http, pool: web }}
pools:
  web:
    backends: [127.0.0.1:9000]
bgp:
  as: {asn}
  router-id: {v4}.2
  drain: {{ finish: {finish}, convergence: 400ms, settle: 100ms }}
  speakers:
    tor: {{ address: {v4}.1, as: 65000, hold-time: 9s, connect-retry: 300ms }}
  announcements:
    web: {{ prefixes: [203.0.113.1/32], up-after: 0s }}
"""


def run(s):
    drains = int(os.environ.get("SLUICE_DRAINS", "3"))
    s.figure("router", "drain", "drains", "requests", "failed", "over kept connections", "failed", "longest")
    for kind in ("frr", "bird"):
        net = Network(s)
        net.prefix += kind[0]
        tor, client = (forwarding(net.host(name)) for name in ("tor", "client"))
        hosts, nodes = {}, {}
        for name, (v4, _) in SITES.items():
            hosts[name] = forwarding(net.host(name))
            net.wire(tor, f"to{name}", hosts[name], "eth0", ([f"{v4}.1/24"], [f"{v4}.2/24"]))
            hosts[name].ip("route", "add", "default", "via", f"{v4}.1")
        net.wire(tor, "tocl", client, "eth0", (["198.18.0.1/24"], ["198.18.0.2/24"]))
        client.ip("route", "add", "default", "via", "198.18.0.1")
        start_router(kind, tor)
        for name, (v4, asn) in SITES.items():
            slow_server(hosts[name], f"{kind}-{name}")
            nodes[name] = SiteNode(s, hosts[name], f"{kind}-{name}", SITE.format(v4=v4, asn=asn, finish="1s"))
        for node in nodes.values():
            node.wait_established("tor", seconds=20)
        measure(s, kind, tor, client, nodes["a"], drains, "1s", 0)
        nodes["a"].write(SITE.format(v4=SITES["a"][0], asn=SITES["a"][1], finish="0s"))
        nodes["a"].must("reload")
        measure(s, kind, tor, client, nodes["a"], min(drains, 5), "0s", None)
        stop(s, kind, tor, client, nodes["a"])


def start_router(kind, tor):
    if kind == "frr":
        neighbours = "".join(
            f" neighbor {v4}.2 remote-as {asn}\n neighbor {v4}.2 timers connect 1\n" for v4, asn in SITES.values())
        return FRRouter(tor, f"""router bgp 65000
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
 timers bgp 3 9
{neighbours} address-family ipv4 unicast
  maximum-paths 8
 exit-address-family""")
    session = "hold time 9; keepalive time 3; connect retry time 1; connect delay time 1; error wait time 1, 2;"
    # GRACEFUL_SHUTDOWN asks for the least preference (RFC 8326); FRR does that by itself.
    heed = "import filter { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }; export none;"
    return Bird(tor, "192.0.2.1", "".join(
        f"protocol bgp {name} {{ local {v4}.1 as 65000; neighbor {v4}.2 as {asn}; {session} ipv4 {{ {heed} }}; }}\n"
        for name, (v4, asn) in SITES.items()))


def clients(client, label):
    """New connections all the time, and kept ones; 20 ms a request."""
    return (Client(client, label, VIP, rate=150, timeout=6), Client(client, f"{label}-kept", VIP, rate=150, timeout=6, connections=10))


def measure(s, kind, tor, client, node, drains, finish, tolerated):
    wait(lambda: len(gateways(tor, VIP)) == 2, "both sites are routed", 20)
    fresh, kept = clients(client, f"{kind}-{finish}")
    wait(lambda: len(fresh.requests()) > 100 and len(kept.requests()) > 100, "clients are served", 10)
    windows = []
    for _ in range(drains):
        begun = time.time()
        node.must("bgp", "drain")
        wait(lambda: node.bgp()["leaving"] == "withdrawn", "it has left", 10)
        wait(lambda: gateways(tor, VIP) == [f"{SITES['b'][0]}.2"], "only b is routed", 10)
        # Who waited at the door has tried again, a second after.
        left = time.time()
        wait(lambda: any(start > left + 1.3 for start, _, _ in fresh.requests(left)), "clients go on", 10)
        windows.append((begun, time.time()))
        # What a router does to the other site's flows when a site comes back is not the drain's.
        node.must("bgp", "stay")
        wait(lambda: len(gateways(tor, VIP)) == 2, "both sites are routed", 10)
    for one in (fresh, kept):
        one.process.stop()
    requests = [[item for window in windows for item in one.requests(*window) if item[0] + item[1] < window[1]] for one in (fresh, kept)]
    failed = [[item for item in found if item[2].startswith("!")] for found in requests]
    longest = max(seconds for found in requests for _, seconds, _ in found)
    s.figure(kind, f"finish: {finish}", drains, len(requests[0]), len(failed[0]), len(requests[1]), len(failed[1]), f"{longest:.2f} s")
    if tolerated is not None:
        with s.fact(f"{kind}: {drains} drains lose no request, on new connections and on kept ones"):
            equal(failed, [[], []], "failures")
        with s.fact(f"{kind}: both sites have answered"):
            equal({item[2] for item in requests[0]}, {f"{kind}-a", f"{kind}-b"}, "who answers")


def stop(s, kind, tor, client, node):
    """The same way at SIGTERM."""
    node.write(SITE.format(v4=SITES["a"][0], asn=SITES["a"][1], finish="1s"))
    node.must("reload")
    wait(lambda: len(gateways(tor, VIP)) == 2, "both sites are routed", 20)
    fresh, kept = clients(client, f"{kind}-stop")
    wait(lambda: len(fresh.requests()) > 100 and len(kept.requests()) > 100, "clients are served", 10)
    begun = time.time()
    node.process.signal(15)
    node.process.wait(15)
    ended = time.time()
    wait(lambda: any(start > ended + 1.5 for start, _, _ in fresh.requests(ended)), "clients go on", 10)
    for one in (fresh, kept):
        one.process.stop()
    failed = [one.failed(begun) for one in (fresh, kept)]
    s.figure(kind, f"SIGTERM, gone after {ended - begun:.1f} s", 1, len(fresh.requests(begun)), len(failed[0]), len(kept.requests(begun)), len(failed[1]), "")
    with s.fact(f"{kind}: a stop loses no request"):
        equal(failed, [[], []], "failures")
        ensure(fresh.answers(ended).keys() <= {f"{kind}-b"}, "somebody still answers at a")
