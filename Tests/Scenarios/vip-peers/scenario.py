"""Three nodes that are each other's peers: a VIP goes to the node that is named, without a lost request, and floating
addresses that follow it are mapped by whoever has it, whichever node was told of them.

client, a (priority 200), b (150), c (100) and the servers are on one link; the servers' way out is the VIP's companion.
"""

import re
import time
import urllib.request

from lib.netns import Network
from lib.scenario import contains, ensure, equal, wait
from lib.vip import Asker

LIMIT = 120
VIP, GATEWAY, FLOATING = "198.51.100.100", "10.0.0.100", "203.0.113.{}".format
NUMBER = {"a": 11, "b": 12, "c": 13}
PRIORITY = {"a": 200, "b": 150, "c": 100}


def text(name, key="a-key-that-all-nodes-have"):
    nodes = ", ".join(f'{n}: "198.51.100.{number}:7946"' for n, number in NUMBER.items())
    return f"""
admin: {{ socket: ${{socket}} }}
drain-timeout: 1s
state: "${{dir}}/{name}.db"
node: {{ name: {name} }}
peers:
  key: "{key}"
  heartbeat: 100ms
  timeout: 500ms
  nodes: {{ {nodes} }}
listeners:
  web: {{ bind: "{VIP}:8080", protocol: http, pool: web }}
pools:
  web:
    backends: ["10.0.0.21:80"]
vips:
  front:
    interface: eth0
    addresses: {VIP}/24
    companions: {GATEWAY}/24
    router-id: 51
    priority: {PRIORITY[name]}
    interval: 100ms
floating-ips:
  pools:
    public: {{ addresses: [203.0.113.0/28], device: eth0, vip: front }}
"""


class World:
    def __init__(self, s):
        self.s = s
        net = Network(s)
        self.lan = net.switch("sw")
        self.hosts = {}
        for name, number in NUMBER.items():
            self.hosts[name] = host = net.host(name)
            host.attach(self.lan, "eth0", f"198.51.100.{number}/24", f"10.0.0.{number}/24")
            host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.client, servers = net.host("client"), net.host("servers")
        self.client.attach(self.lan, "eth0", "198.51.100.30/24")
        self.client.ip("route", "add", "203.0.113.0/24", "dev", "eth0")
        servers.attach(self.lan, "eth0", *(f"10.0.0.{n}/24" for n in (21, 22, 23)))
        servers.ip("route", "add", "default", "via", GATEWAY)
        base = s.path("origin")
        base.mkdir()
        (base / "nginx.conf").write_text(
            f"daemon off;\nmaster_process off;\npid {base}/pid;\nerror_log {base}/error.log;\nevents {{}}\nhttp {{ access_log off;\n"
            + "".join(f"{k}_temp_path {base}/{k};\n" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            + "".join(f'server {{ listen 10.0.0.{n}:80; location / {{ return 200 "s{n}"; }} }}\n' for n in (21, 22, 23)) + "}")
        servers.start("origin", ["nginx", "-c", base / "nginx.conf", "-p", base, "-e", base / "error.log"])
        self.starts, self.nodes = 0, {}
        for name in NUMBER:
            self.start(name)

    def start(self, name, **options):
        self.starts += 1
        self.nodes[name] = self.hosts[name].node(self.s, text=text(name, **options), name=f"{name}{self.starts}")

    def owners(self):
        return "".join(name for name in NUMBER if VIP in self.hosts[name].addresses("eth0"))

    def linked(self):
        """Each living node hears all other living ones."""
        alive = {n for n, node in self.nodes.items() if node.process.running}
        for name in alive:
            report = self.nodes[name].api("GET", "/v1/peers")[1]
            up = {peer["name"] for peer in report["peers"] if peer["link"] == "up"}
            if up != alive - {name}:
                return False
        return True

    def order(self, node, verb, **body):
        status, answer = self.nodes[node].api("POST", f"/v1/floating-ips/{verb}", body)
        equal(status, 200, f"{verb} {body} on {node}: {answer}")

    def table(self, node):
        return {e["address"]: e.get("fixed") for e in self.nodes[node].api("GET", "/v1/floating-ips")[1]["addresses"]}

    def rules(self, node):
        out = self.hosts[node].run("nft", "list", "map", "inet", "sluice_floating", "in4", check=False)
        return dict(re.findall(r"(203\.0\.113\.\d+) : (10\.0\.0\.\d+)", out))

    def placed(self, node):
        return {a for a in self.hosts[node].addresses("eth0") if a.startswith("203.")}

    def agree(self, owner, among=NUMBER):
        """All have this table, and the owner alone carries it out."""
        tables = {name: self.table(name) for name in among}
        first = tables[owner]
        equal(tables, {name: first for name in among}, "the tables")
        equal([name for name in self.owners() if name in among], [owner], "who has the VIP")
        for name in among:
            mine = name == owner
            equal(self.rules(name), {a: f for a, f in first.items() if f} if mine else {}, f"the rules of {name}")
            equal(self.placed(name), set(first) if mine else set(), f"the floating addresses of {name}")
        return first

    def asks(self, number):
        with self.client:
            with urllib.request.urlopen(f"http://{FLOATING(number)}/", timeout=2) as answer:
                return answer.read().decode()

    def events(self, node, part):
        return [e["message"] for e in self.nodes[node].api("GET", "/v1/events")[1]["events"] if part in e["message"]]


def run(s):
    world = World(s)
    wait(lambda: world.owners() == "a", "a has the address")
    wait(world.linked, "all nodes hear each other")
    s.figure("what", "measured")
    moves(s, world)
    shared(s, world)
    conflicts(s, world)
    stranger(s, world)


def moves(s, world):
    client = Asker(world.client, VIP)
    client.start()
    wait(lambda: client.good > 20, "the client is served")
    with s.fact("vip move --to a node takes it there, past one of higher priority, and loses no request"):
        answer = world.nodes["a"].must("vip", "move", "front", "--to", "c")
        contains(answer, "front is with 198.51.100.13 now")
        equal(world.owners(), "c", "who has it")
        ensure(not world.events("b", "active"), world.events("b", "active"))
        before = client.good
        wait(lambda: client.good > before + 20, "c serves the client")
    with s.fact("from there to the next, by its address; and restore, said to any node, lets the priorities decide"):
        world.nodes["c"].must("vip", "move", "front", "--to", "198.51.100.12")
        equal(world.owners(), "b", "who has it")
        world.nodes["b"].must("vip", "move", "front", "--to", "a")
        equal(world.owners(), "a", "who has it")
        world.nodes["c"].must("vip", "restore", "front")

        def restored():
            report = {n: node.api("GET", "/v1/vips")[1]["vips"][0] for n, node in world.nodes.items()}
            return {n: vip["priority"] for n, vip in report.items()} == PRIORITY

        wait(restored, "every node has its own priority")
        equal(world.owners(), "a", "who has it")
    with s.fact("three moves lost no request"):
        client.stop()
        equal(client.failed, [], "failed")
        s.figure("requests during three moves, failed", f"{client.good}, {len(client.failed)}")
    with s.fact("who is no peer, is this node, or is away is refused, and nothing moves"):
        for target, part in (("z", "none of `peers`"), ("a", "is this node")):
            contains(world.nodes["a"].cli("vip", "move", "front", "--to", target).stderr, part)
        equal(world.owners(), "a", "who has it")


def shared(s, world):
    with s.fact("a mapping that one node is told of is carried out by the one that has the VIP, and by nobody else"):
        world.order("c", "allocate", address=FLOATING(1))
        world.order("c", "associate", address=FLOATING(1), fixed="10.0.0.21")
        wait(lambda: world.agree("a"), "all agree", 5)
        equal(world.asks(1), "s21", "the server")
    with s.fact("when that node is killed, the next one maps and announces what it was never told"):
        begin = time.monotonic()
        world.nodes["a"].process.kill()
        mac = world.hosts["b"].mac()
        wait(lambda: world.client.neighbour(FLOATING(1)) == mac, "the client's neighbour table says b", 5, every=0.005)
        wait(lambda: world.asks(1) == "s21", "an answer through b", 5, every=0.01)
        s.figure("floating address, from the owner's SIGKILL to an answer by the next", f"{(time.monotonic() - begin) * 1000:.0f} ms")
        equal(world.agree("b", "bc"), {FLOATING(1): "10.0.0.21"}, "the table")
    with s.fact("metrics and panels tell of the takeover"):
        metrics = dict(line.rsplit(" ", 1) for line in world.nodes["b"].api("GET", "/metrics")[1].splitlines() if not line.startswith("#"))
        for name, value in (('sluice_vip_active{vip="front"}', 1), ('sluice_vip_fault{vip="front"}', 0), ('sluice_vip_priority{vip="front"}', 150),
                            ('sluice_vip_addresses{vip="front"}', 2), ('sluice_floating_ip_allocated{pool="public"}', 1),
                            ('sluice_floating_ip_mapped{pool="public"}', 1), ("sluice_floating_ip_troubles", 0)):
            equal((name, float(metrics.get(name, "nan"))), (name, value), "value")
        ensure(float(metrics['sluice_vip_announcements_total{vip="front"}']) >= 6, "announcements of two addresses")
        panels = {panel["name"]: panel for panel in world.nodes["b"].api("GET", "/v1/panels")[1]["panels"]}
        row = dict(zip(panels["vips"]["columns"], panels["vips"]["rows"][0]))
        equal((row["vip"], row["state"], row["priority"]), ("front", "active", "150"), "the panel of VIPs")
        equal(panels["floating-ips"]["rows"], [[FLOATING(1), "10.0.0.21", "public", "", "yes"]], "the panel of floating addresses")
    with s.fact("who returns takes over what was said meanwhile, not what it has kept"):
        world.order("c", "move", address=FLOATING(1), fixed="10.0.0.22")
        world.order("b", "allocate", address=FLOATING(2))
        world.start("a")
        wait(lambda: world.agree("a") == {FLOATING(1): "10.0.0.22", FLOATING(2): None}, "all agree", 10)
        wait(lambda: world.asks(1) == "s22", "the moved server answers through a", 3)
        wait(lambda: "said on c" in " ".join(world.events("a", "10.0.0.22")), "the event says where")
    with s.fact("a release is heard, and outlives a restart of all nodes"):
        world.order("b", "release", address=FLOATING(2))
        wait(lambda: world.agree("a") == {FLOATING(1): "10.0.0.22"}, "all agree", 5)
        for name in NUMBER:
            world.nodes[name].process.kill()
        for name in NUMBER:
            world.start(name)
        wait(lambda: world.agree("a") == {FLOATING(1): "10.0.0.22"}, "all agree", 10)


def conflicts(s, world):
    with s.fact("one server given to two addresses on two sides of a cut: after it the later word counts, on all nodes, and events say so"):
        wait(world.linked, "all nodes hear each other")
        for number in (3, 4):
            world.order("a", "allocate", address=FLOATING(number))
        wait(lambda: world.agree("a"), "all agree", 5)
        world.hosts["c"].cut("eth0")
        wait(lambda: all(p["link"] != "up" for p in world.nodes["c"].api("GET", "/v1/peers")[1]["peers"]), "c is alone", 5)
        world.order("a", "associate", address=FLOATING(3), fixed="10.0.0.23")
        time.sleep(0.002)  # words of one millisecond are ordered by their nodes' names
        world.order("c", "associate", address=FLOATING(4), fixed="10.0.0.23")
        world.hosts["c"].mend("eth0")
        wanted = {FLOATING(1): "10.0.0.22", FLOATING(3): None, FLOATING(4): "10.0.0.23"}
        wait(lambda: world.agree("a") == wanted, "all agree", 15)
        for name in NUMBER:
            wait(lambda: world.events(name, "10.0.0.23 stands behind"), f"an event on {name}")
        equal(world.asks(4), "s23", "the server")


def stranger(s, world):
    with s.fact("a node with another key is no peer: nothing is moved to it, and what it is told stays with it"):
        world.nodes["c"].process.stop()
        world.start("c", key="another-key-that-nobody-else-has")
        # Who of the two calls is up to them.
        wait(lambda: world.events("a", "turned away") or world.events("c", "turned away"), "one has turned the other away", 5)
        contains(world.nodes["a"].cli("vip", "move", "front", "--to", "c").stderr, "c is not connected")
        equal(world.owners(), "a", "who has it")
        world.order("c", "allocate", address=FLOATING(9))
        world.order("b", "allocate", address=FLOATING(10))
        wait(lambda: FLOATING(10) in world.agree("a", "ab"), "a and b agree", 5)
        ensure(FLOATING(9) not in world.table("a") and FLOATING(10) not in world.table("c"), "it was heard")
