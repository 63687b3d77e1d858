"""Sessions of every kind to FRR and BIRD: both families, 4-octet AS, MD5, GTSM, multihop, link-local, dynamic neighbours."""

from lib.netns import Network
from lib.routers import Bird, FRRouter, SiteNode, gateways, link_local, router as forwarding
from lib.scenario import contains, ensure, equal, wait

LIMIT = 90
V4, V6 = "203.0.113.1/32", "2001:db8:f::1/128"

CONFIG = """
admin: { socket: "${socket}" }
drain-timeout: 0s
bgp:
  as: 4200000100
  router-id: 192.0.2.2
  drain: { convergence: 0s, settle: 0s }
  templates:
    fast: { hold-time: 3s, connect-retry: 300ms }
    frr: { template-only: x }
  speakers:
    frr4: { template: fast, address: 192.0.2.1, as: 4200000001, password: PASSWORD, ttl-security: 1 }
    frr6: { template: fast, address: "2001:db8:1::1", as: 4200000001, families: [ipv4, ipv6], extended-next-hop: true }
    bird4: { template: fast, address: 198.51.100.1, as: 65010, local-address: 198.51.100.2 }
    bird6: { template: fast, address: "2001:db8:2::1", as: 65010 }
    linklocal: { template: fast, address: "LINKLOCAL", interface: bird, as: 65010 }
    far: { template: fast, address: 198.18.0.2, as: 65020, multihop: 3 }
    inside: { template: fast, address: 198.51.100.9, local-address: 198.51.100.3, as: internal }
    rack: { template: fast, range: 198.18.1.0/24, as: external, limit: 1 }
  announcements:
    web:
      prefixes: [203.0.113.1/32, "2001:db8:f::1/128"]
      prepend: 2
      med: 50
      local-preference: 250
      communities: ["65001:100", no-export]
      large-communities: ["4200000100:1:2"]
      extended-communities: ["rt:65001:7"]
"""


def run(s):
    net = Network(s)
    node, frr, bird, far, rack = (forwarding(net.host(name)) for name in ("node", "frr", "bird", "far", "rack"))
    net.wire(node, "frr", frr, "eth0", (["192.0.2.2/24", "2001:db8:1::2/64"], ["192.0.2.1/24", "2001:db8:1::1/64"]))
    net.wire(node, "bird", bird, "eth0", (["198.51.100.2/24", "2001:db8:2::2/64"], ["198.51.100.1/24", "2001:db8:2::1/64"]))
    bird.ip("addr", "add", "198.51.100.9/24", "dev", "eth0")
    node.ip("addr", "add", "198.51.100.3/24", "dev", "bird")
    net.wire(frr, "far", far, "eth0", (["198.18.0.1/24"], ["198.18.0.2/24"]))
    net.wire(node, "rack", rack, "eth0", (["198.18.1.1/24"], ["198.18.1.2/24"]))
    rack.ip("addr", "add", "198.18.1.3/24", "dev", "eth0")
    node.ip("route", "add", "198.18.0.0/24", "via", "192.0.2.1")
    far.ip("route", "add", "192.0.2.0/24", "via", "198.18.0.1")
    lan = link_local(bird, "eth0")
    ours = link_local(node, "bird")

    router = FRRouter(frr, """
router bgp 4200000001
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 1 3
 neighbor 192.0.2.2 remote-as 4200000100
 neighbor 192.0.2.2 timers connect 1
 neighbor 192.0.2.2 password a-shared-word
 neighbor 192.0.2.2 ttl-security hops 1
 neighbor 2001:db8:1::2 remote-as 4200000100
 neighbor 2001:db8:1::2 timers connect 1
 neighbor 2001:db8:1::2 capability extended-nexthop
 address-family ipv4 unicast
  network 10.99.0.0/16
 exit-address-family
 address-family ipv6 unicast
  neighbor 2001:db8:1::2 activate
 exit-address-family""")
    session = "hold time 3; keepalive time 1; connect retry time 1; connect delay time 1; error wait time 1, 2;"
    peers = Bird(bird, "198.51.100.1", f"""
protocol bgp v4 {{ local 198.51.100.1 as 65010; neighbor 198.51.100.2 as 4200000100; {session} ipv4 {{ import all; export none; }}; }}
protocol bgp v6 {{ local 2001:db8:2::1 as 65010; neighbor 2001:db8:2::2 as 4200000100; {session} ipv6 {{ import all; export none; }}; }}
protocol bgp ll {{ local {lan} as 65010; neighbor {ours}%'eth0' as 4200000100; {session} ipv6 {{ import all; export none; }}; }}
protocol bgp inside {{ local 198.51.100.9 as 4200000100; neighbor 198.51.100.3 as 4200000100; {session} ipv4 {{ import all; export none; }}; }}
""", kernel=False)
    remote = Bird(far, "198.18.0.2", f"""
protocol bgp far {{ local 198.18.0.2 as 65020; neighbor 192.0.2.2 as 4200000100; multihop 3; {session} ipv4 {{ import all; export none; }}; }}
""", kernel=False)
    dynamic = Bird(rack, "198.18.1.2", f"""
protocol bgp one {{ local 198.18.1.2 as 65030; neighbor 198.18.1.1 as 4200000100; {session} ipv4 {{ import all; export none; }}; }}
""", kernel=False)

    config = CONFIG.replace("LINKLOCAL", lan).replace("    frr: { template-only: x }\n", "")
    sluice = SiteNode(s, node, "node", config.replace("PASSWORD", "another-word"))
    with s.fact("a wrong MD5 key keeps the session down, and nothing else"):
        sluice.wait_established("frr6", "bird4", "bird6", "linklocal", "far", "inside", "rack@198.18.1.2", seconds=20)
        ensure(sluice.peer("frr4")["state"] != "Established", "frr4 is established with a wrong key")
    sluice.reload(config.replace("PASSWORD", "a-shared-word"))
    with s.fact("with the right one, and GTSM, it comes up, and the others did not go"):
        sluice.wait_established("frr4", seconds=15)
        for peer in sluice.bgp()["peers"]:
            equal(peer["established"], 1, f"{peer['name']}'s sessions")
    for peer in sluice.bgp()["peers"]:
        s.figure(peer["name"], f"AS {peer['autonomousSystem']}", peer["state"], f"told {peer['announced']}", f"heard {peer['received']}", " ".join(peer["capabilities"])[:90])

    with s.fact("FRR has both routes, with every attribute"):
        path = wait(lambda: router.route(V4), "the route in FRR", 5)
        equal(path["aspath"]["string"].split()[:3], ["4200000100"] * 3, "the path")
        equal(path["metric"], 50, "the MED")
        contains(path["community"]["string"], "65001:100")
        contains(path["largeCommunity"]["string"], "4200000100:1:2")
        contains(path["extendedCommunity"]["string"], "65001:7")
        wait(lambda: router.route(V6), "the IPv6 route in FRR", 5)
        wait(lambda: gateways(frr, "203.0.113.1"), "the kernel's route", 5)
    with s.fact("FRR has the IPv4 prefix with an IPv6 next hop too (RFC 8950)"):
        paths = router.json(f"show bgp ipv4 unicast {V4}")["paths"]
        ensure(any("2001:db8:1::2" in str(p["nexthops"]) or "fe80" in str(p["nexthops"]) for p in paths), str(paths)[:300])
    with s.fact("BIRD has the routes by every session"):
        for name, prefix in (("v4", V4), ("v6", V6), ("ll", V6), ("inside", V4)):
            text = wait(lambda: (lambda t: t if prefix.split("/")[0] in t else "")(peers.ctl("show", "route", "protocol", name, "all")), f"{name} has {prefix}", 5)
            contains(text, "(4200000100, 1, 2)")
        contains(peers.ctl("show", "route", "protocol", "inside", "all"), "BGP.local_pref: 250")
        contains(remote.ctl("show", "route", "all"), V4)
        contains(dynamic.ctl("show", "route", "all"), V4)
    with s.fact("what FRR says is shown, and not installed"):
        wait(lambda: "10.99.0.0/16" in sluice.must("bgp", "routes", "frr4"), "the route is shown", 5)
        ensure(not gateways(node, "10.99.0.0/16"), "it is in the kernel's table")
    with s.fact("an operator withdraws and announces"):
        sluice.must("bgp", "withdraw", "web")
        wait(lambda: router.route(V4) is None and V6.split("/")[0] not in peers.route(V6), "both are withdrawn", 5)
        sluice.must("bgp", "automatic", "web")
        wait(lambda: router.route(V4), "it is back", 5)
    with s.fact("a second dynamic neighbour is refused, for the limit is one"):
        two = Bird(rack, "198.18.1.3", f"""
protocol bgp two {{ local 198.18.1.3 as 65031; neighbor 198.18.1.1 as 4200000100; {session} ipv4 {{ import all; export none; }}; }}
""", kernel=False, name="bird-two")
        wait(lambda: "Connection closed" in two.ctl("show", "protocols", "all", "two") or "rror" in two.ctl("show", "protocols", "all", "two"), "it is refused", 5)
        ensure(not two.established("two"), "it is established")
    with s.fact("a dynamic neighbour that goes is forgotten"):
        dynamic.ctl("disable", "one")
        wait(lambda: not any(p["name"] == "rack@198.18.1.2" for p in sluice.bgp()["peers"]), "it is gone", 10)
    with s.fact("a route refresh is answered"):
        before = sluice.peer("bird4")["messagesOut"]
        peers.ctl("reload", "in", "v4")
        wait(lambda: sluice.peer("bird4")["messagesOut"] > before + 2, "the routes again, between borders", 5)
    with s.fact("a shutdown is said with its reason (RFC 9003)"):
        sluice.process.signal(15)
        sluice.process.wait(10)
        contains(router.json("show bgp neighbors 192.0.2.2")["192.0.2.2"].get("lastShutdownDescription", "") or router.vty("show bgp neighbors 192.0.2.2"), "sluice stops")
