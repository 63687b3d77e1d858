"""The anycast map: three sites, six client networks behind three routers; sites die one by one. Who serves whom?

    cl1 cl2      cl3 cl4      cl5 cl6
      r1 ────────── r2 ────────── r3          eBGP in a ring: a client's traffic goes to the nearest site that is well
      │             │             │
    paris         tokyo         lima
"""

import time

from lib.anycast import Client, server
from lib.netns import Network
from lib.routers import Bird, SiteNode, gateways, router as forwarding
from lib.scenario import ensure, wait

LIMIT = 100
VIP = "203.0.113.1"
SITES = ["paris", "tokyo", "lima"]

SITE = """
admin: {{ socket: "${{socket}}" }}
drain-timeout: 1s
workers: 1
listeners:
  web: {{ bind: ["203.0.113.1:80"], protocol: http, pool: web }}
pools:
  web:
    probe: {{ http: {{ path: / }}, every: 200ms, timeout: 150ms, rise: 1, fall: 2, fast: 50ms }}
    backends: [127.0.0.1:9000]
bgp:
  as: {asn}
  router-id: 10.{n}.0.2
  drain: {{ convergence: 500ms, settle: 200ms }}
  speakers:
    router: {{ address: 10.{n}.0.1, as: {router}, hold-time: 3s, connect-retry: 300ms, bfd: {{ transmit: 50ms, receive: 50ms }} }}
  announcements:
    web: {{ prefixes: [203.0.113.1/32], while: {{ pool: web }}, up-after: 0s }}
"""


def run(s):
    net = Network(s)
    routers = {n: forwarding(net.host(f"r{n}")) for n in (1, 2, 3)}
    hosts, servers, nodes, clients = {}, {}, {}, {}
    for n, name in enumerate(SITES, 1):
        hosts[name] = forwarding(net.host(name))
        net.wire(routers[n], "site", hosts[name], "eth0", ([f"10.{n}.0.1/24"], [f"10.{n}.0.2/24"]))
        hosts[name].ip("route", "add", "default", "via", f"10.{n}.0.1")
        for c in (2 * n - 1, 2 * n):
            host = net.host(f"cl{c}")
            net.wire(routers[n], f"cl{c}", host, "eth0", ([f"198.18.{c}.1/24"], [f"198.18.{c}.2/24"]))
            host.ip("route", "add", "default", "via", f"198.18.{c}.1")
            clients[c] = host
    for one, other in ((1, 2), (2, 3), (3, 1)):
        net.wire(routers[one], f"r{other}", routers[other], f"r{one}", ([f"172.16.{one}{other}.1/30"], [f"172.16.{one}{other}.2/30"]))
    session = "hold time 3; keepalive time 1; connect retry time 1; connect delay time 1; error wait time 1, 2; bfd on;"
    for n in routers:
        config = 'protocol bfd { interface "*" { min rx interval 50 ms; min tx interval 50 ms; multiplier 3; }; }\nprotocol direct { ipv4; }\n'
        config += f"protocol bgp site {{ local 10.{n}.0.1 as {65100 + n}; neighbor 10.{n}.0.2 as {65000 + n}; {session} ipv4 {{ import all; export none; }}; }}\n"
        for one, other in ((1, 2), (2, 3), (3, 1)):
            if n in (one, other):
                mine, theirs = ("1", "2") if n == one else ("2", "1")
                far = other if n == one else one
                config += (f"protocol bgp r{far} {{ local 172.16.{one}{other}.{mine} as {65100 + n}; neighbor 172.16.{one}{other}.{theirs} as {65100 + far}; "
                           f"{session} ipv4 {{ import all; export all; next hop self; }}; }}\n")
        Bird(routers[n], f"10.{n}.0.1", config)
    for n, name in enumerate(SITES, 1):
        servers[name] = server(hosts[name], name)
        nodes[name] = SiteNode(s, hosts[name], name, SITE.format(asn=65000 + n, router=65100 + n, n=n))
    for node in nodes.values():
        node.wait_established("router", seconds=20)

    s.figure("", *(f"client net {c}" for c in clients), "failed while it changed")
    home = {1: "paris", 2: "paris", 3: "tokyo", 4: "tokyo", 5: "lima", 6: "lima"}
    watchers = {c: Client(host, f"map-{c}", VIP, rate=25) for c, host in clients.items()}
    picture(s, watchers, "all well", lambda seen: seen == home, 30)
    steps = [
        ("tokyo's last backend dies", servers["tokyo"].kill, {"paris", "lima"}),
        ("lima's process is killed", nodes["lima"].process.kill, {"paris"}),
    ]
    for what, act, left in steps:
        picture(s, watchers, what, lambda seen, left=left: served(seen, home, left), 10, act)
    def back():
        servers["tokyo"] = server(hosts["tokyo"], "tokyo")
        nodes["lima"].launch()
    picture(s, watchers, "both are back", lambda seen: seen == home, 30, back)
    picture(s, watchers, "paris drains (SIGTERM)", lambda seen: served(seen, home, {"tokyo", "lima"}), 15, lambda: nodes["paris"].process.stop(), failures=3)
    for watcher in watchers.values():
        watcher.process.stop()


def served(seen, home, left):
    """Networks of sites that are left by their own, the others by any of them."""
    return all(seen[c] == home[c] if home[c] in left else set(seen[c].split("+")) <= left for c in seen)


def picture(s, watchers, what, right, seconds, act=lambda: None, failures=None):
    """Acts, waits until each client network is served as it should be, and prints who serves whom."""
    start = time.time()
    act()
    seen = {}

    def settled():
        since = time.time() - 0.6
        for c, watcher in watchers.items():
            last = [answer for begun, _, answer in watcher.requests(since)]
            if len(last) < 5 or any(answer.startswith("!") for answer in last):
                return False
            # Two sites that are equally far share a network.
            seen[c] = "+".join(sorted(set(last)))
        return right(seen)

    with s.fact(f"{what}: each network is served by the nearest site that is well"):
        try:
            wait(settled, "the map settles", seconds, every=0.1)
        finally:
            failed = sum(len(watcher.failed(start)) for watcher in watchers.values())
            s.figure(what, *(seen.get(c, "?") for c in watchers), failed)
        if failures is not None:
            # What was under way when routers moved its flow; nothing else.
            ensure(failed <= failures, f"{failed} failed requests")
