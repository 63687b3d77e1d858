"""Examples/anycast.yaml as it stands: announced, degraded, withdrawn, and back, at a router (BIRD)."""

import pathlib

from lib.netns import Network
from lib.routers import Bird, SiteNode, gateways, router as forwarding
from lib.scenario import contains, ensure, equal, wait

LIMIT = 60
EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "Examples/anycast.yaml"


def backend(s, host, address):
    """nginx on one address, healthy."""
    base = s.path(f"nginx-{address}")
    base.mkdir(exist_ok=True)
    temporary = "".join(f"{kind}_temp_path {base}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (base / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {base}/pid;\nerror_log {base}/error.log warn;\nevents {{ }}\n"
        f"http {{ access_log off; {temporary} server {{ listen {address}:8080; location / {{ return 200 \"{address}\\n\"; }} }} }}\n")
    return host.start(f"nginx-{address}", ["nginx", "-c", base / "nginx.conf", "-p", base, "-e", base / "error.log"])


def run(s):
    net = Network(s)
    tor, node = (forwarding(net.host(name)) for name in ("router", "node"))
    net.wire(tor, "eth0", node, "eth0", (["192.0.2.1/24", "2001:db8:1::1/64"], ["192.0.2.2/24", "2001:db8:1::2/64"]))
    for address in ("10.0.0.11", "10.0.0.12"):
        node.ip("addr", "add", f"{address}/32", "dev", "lo")
    session = "hold time 9; connect retry time 1; connect delay time 1; error wait time 1, 2; bfd graceful;"
    bird = Bird(tor, "192.0.2.1", f"""protocol bfd {{ interface "*" {{ min rx interval 50 ms; min tx interval 50 ms; multiplier 3; }}; }}
protocol bgp v4 {{ local 192.0.2.1 as 65000; neighbor 192.0.2.2 as 65001; {session} ipv4 {{ import all; export none; }}; }}
protocol bgp v6 {{ local 2001:db8:1::1 as 65000; neighbor 2001:db8:1::2 as 65001; {session} ipv6 {{ import all; export none; }}; }}""")
    backends = {address: backend(s, node, address) for address in ("10.0.0.11", "10.0.0.12")}
    text = EXAMPLE.read_text() + '\nadmin: { socket: "${socket}" }\n'
    sluice = SiteNode(s, node, "example", text)
    sluice.wait_established("router4", "router6", seconds=20)

    def length():
        line = next((line for line in bird.route("203.0.113.1/32").splitlines() if "as_path" in line), "")
        return line.count("65001")

    with s.fact("both addresses are announced, and serve"):
        wait(lambda: gateways(tor, "203.0.113.1") and gateways(tor, "2001:db8:f::1"), "both are routed", 10)
        wait(lambda: length() == 1, "a short path", 5)
        contains(tor.run("curl", "-s", "http://203.0.113.1/"), "10.0.0.1")
        contains(tor.run("curl", "-s", "http://[2001:db8:f::1]/"), "10.0.0.1")
    with s.fact("with half its backends the site is the last choice"):
        backends["10.0.0.12"].kill()
        wait(lambda: length() == 4, "the path is longer by three", 10)
        equal(sluice.announcement("web")["level"], "degraded", "level")
        s.figure("one of two", sluice.announcement("web")["reason"])
    with s.fact("with none it is withdrawn"):
        backends["10.0.0.11"].kill()
        wait(lambda: not gateways(tor, "203.0.113.1"), "it is gone", 10)
        s.figure("none of two", sluice.announcement("web")["reason"])
    with s.fact("its event leads to the probe that failed"):
        links = sluice.chain("withdrawn")
        equal([kind for kind, _ in links], ["withdrawn", "down"], "what led to it")
        ensure(links[1][1].endswith("/10.0.0.11:8080"), links)
    with s.fact("it returns when it has been well for up-after"):
        for address in backends:
            backends[address] = backend(s, node, address)
        wait(lambda: gateways(tor, "203.0.113.1"), "it is back", 20)
        ensure("announced" in sluice.must("bgp", "status"), sluice.must("bgp", "status"))
