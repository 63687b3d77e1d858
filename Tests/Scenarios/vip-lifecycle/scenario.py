"""A VIP's life on one machine: Examples/vip.yaml, pools that decide, hands that interfere, interfaces that vanish, a
killed process's leftovers, groups, virtual MACs, capabilities, and the packets themselves."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

from lib.netns import Network
from lib.scenario import Failure, ensure, equal, wait

LIMIT = 240
VIP, VIP6 = "198.51.100.100", "2001:db8::100"
EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "Examples/vip.yaml"


class Stage:
    def __init__(self, s, tag):
        self.net = Network(s, tag)
        self.lan = self.net.switch("sw")
        self.hosts = {}
        for number, name in ((11, "a"), (12, "b"), (20, "origin"), (30, "client")):
            host = self.net.host(name)
            host.attach(self.lan, "eth0", f"198.51.100.{number}/24", f"2001:db8::{number}/64")
            self.hosts[name] = host

    def owners(self, address=VIP):
        return "".join(name for name in "ab" if address in self.hosts[name].addresses())


def events(node, kind=None):
    return [e["message"] for e in node.api("GET", "/v1/events")[1]["events"] if kind in (None, e["kind"])]


def vip(node, name="front"):
    return next(v for v in node.api("GET", "/v1/vips")[1]["vips"] if v["name"] == name)


def simple(priority, more="", interval="100ms"):
    return (f"admin: {{ socket: ${{socket}} }}\nlisteners: {{}}\nvips:\n  front:\n    interface: eth0\n    addresses: {VIP}\n"
            f"    companions: \"{VIP6}\"\n    router-id: 51\n    priority: {priority}\n    interval: {interval}\n{more}")


def run(s):
    example(s)
    interference(s)
    leftovers(s)
    groups_and_macs(s)
    privileges(s)


def example(s):
    """Two nodes of the example; each has a backend that only it can lose."""
    stage = Stage(s, "ex")
    text = EXAMPLE.read_text() + "admin: { socket: ${socket} }\n"
    nodes = {}
    td, pcap = stage.lan.tcpdump("example", "br0", "ip proto 112 or arp or icmp6")
    for name in "ab":
        host = stage.hosts[name]
        # The backend answers on both nodes' own loopback, at an address that only they know.
        host.ip("addr", "add", "203.0.113.1/32", "dev", "lo")
        host.start(f"origin-{name}", ["/usr/bin/python3", "-m", "http.server", "8000", "--bind", "203.0.113.1", "--directory", s.dir], expect_exit=True)
        wait(lambda: host.run("curl", "-s", "-m", "1", "-o", "/dev/null", "-w", "%{http_code}", "http://203.0.113.1:8000/", check=False) == "200", "the backend serves")
    for name, priority in (("a", 150), ("b", 100)):
        host = stage.hosts[name]
        own = text.replace("priority: 150", f"priority: {priority}").replace("198.51.100.20:8000", "203.0.113.1:8000")
        nodes[name] = host.node(s, text=own, name=f"example-{name}")
    a, b = nodes["a"], nodes["b"]
    with s.fact("Examples/vip.yaml: the higher priority has the address, and serves on it"):
        wait(lambda: stage.owners() == "a", "a has it")
        equal(stage.owners(VIP6), "a", "the companion's owner")
        answer = stage.hosts["client"].run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "5", f"http://{VIP}:8080/")
        equal(answer, "200")
    with s.fact("`sluice vip list` and `show` print state and budget"):
        listed = a.must("vip", "list")
        ensure("front" in listed and "active" in listed and VIP in listed, listed)
        shown = b.must("vip", "show", "front")
        found = re.search(r"crash +at most 300 ms detection \+ 61 ms skew \+ \d+ ms announcement = (\d+) ms", shown)
        ensure(found and int(found[1]) <= 400, shown)
        ensure(re.search(r"clean stop +at most 0 ms detection \+ 61 ms skew", shown), shown)
        equal(json.loads(b.must("vip", "show", "front", "--json"))["state"], "backup")
        failed = a.cli("vip", "show", "frnt")
        ensure(failed.returncode == 1 and "there is no vip frnt" in failed.stderr, failed.stderr)
    with s.fact("a node whose pool has no healthy backend gives the address up to one that has"):
        origin = next(p for p in s._processes if p.name == "origin-a")
        begin = time.monotonic()
        origin.kill()
        wait(lambda: stage.owners() == "b", "b has it", 10)
        s.figure("last backend dead -> address moved", f"{(time.monotonic() - begin) * 1000:.0f} ms")
        wait(lambda: vip(a)["priority"] == 50, "a's priority is 50")
        wait(lambda: any("failing: pool web" in m for m in events(a, "vip")), "the event says what fails")
        links = wait(lambda: (found := a.chain("backup")) and found[0][1] == "front" and found, "the event of the move", 5)
        equal([kind for kind, _ in links], ["backup", "vip", "down"], "what led to it")
    with s.fact("where no node has a healthy backend the address stays with somebody"):
        next(p for p in s._processes if p.name == "origin-b").kill()
        wait(lambda: stage.owners() == "a", "the order of priorities holds again: a", 10)
    for node in (a, b):
        node.process.stop()
    equal(stage.owners(), "", "owners after both stopped")
    wait(lambda: "0" in [row[0] for row in fields(pcap, "vrrp", "vrrp.prio")], "the resignation is in the capture", 5, every=0.3)
    td.stop()
    packets(s, pcap)
    stage.net.remove()


def fields(pcap, display, *names):
    """Of each packet that the filter shows, these fields."""
    words = [w for name in names for w in ("-e", name)]
    out = subprocess.run(["tshark", "-r", pcap, "-Y", display, "-T", "fields", *words], capture_output=True, text=True, timeout=60).stdout
    return [line.split("\t") for line in out.splitlines()]


def packets(s, pcap):
    adverts = fields(pcap, "vrrp", "ip.src", "ip.dst", "ip.ttl", "vrrp.version", "vrrp.virt_rtr_id", "vrrp.prio", "ip.dsfield.dscp", "eth.dst")
    with s.fact("adverts on the wire: version 3, TTL 255, CS6, to the group"):
        ensure(len(adverts) > 10, f"{len(adverts)} adverts")
        equal({(row[1], row[2], row[3], row[4], row[6], row[7]) for row in adverts},
              {("224.0.0.18", "255", "3", "51", "48", "01:00:5e:00:00:12")})
        ensure("0" in {row[5] for row in adverts}, "a resignation at the end")
    with s.fact("gratuitous ARP as request and reply, unsolicited Neighbour Advertisements"):
        arps = fields(pcap, f"arp.src.proto_ipv4 == {VIP} && arp.dst.proto_ipv4 == {VIP}", "arp.opcode")
        equal({row[0] for row in arps}, {"1", "2"}, "operations")
        advertisements = fields(pcap, f"icmpv6.type == 136 && icmpv6.nd.na.target_address == {VIP6}",
                                "icmpv6.nd.na.flag.o", "icmpv6.nd.na.flag.s", "ipv6.hlim", "icmpv6.checksum.status")
        ensure(advertisements, "no Neighbour Advertisement")
        equal({row[2] for row in advertisements}, {"255"}, "hop limit")
        ensure({row[3] for row in advertisements} <= {"1", "Good"}, f"checksums {advertisements[:2]}")


def interference(s):
    stage = Stage(s, "in")
    host = stage.hosts["a"]
    script = s.path("well")
    script.write_text("")
    more = f"    track:\n      - {{ interface: up0 }}\n      - {{ script: [/usr/bin/test, -e, {script}], every: 100ms, rise: 1, fall: 2, weight: -40 }}\n"
    host.ip("link", "add", "up0", "type", "veth", "peer", "name", "up0p")
    host.ip("link", "set", "up0p", "up")
    host.ip("link", "set", "up0", "up")
    a = host.node(s, text=simple(200, more), name="in-a")
    b = stage.hosts["b"].node(s, text=simple(170), name="in-b")
    wait(lambda: stage.owners() == "a", "a has it")
    with s.fact("an address that somebody removes by hand is put back and told"):
        for address in (f"{VIP}/32", f"{VIP6}/128"):
            host.ip("addr", "del", address, "dev", "eth0")
        wait(lambda: VIP in host.addresses() and VIP6 in host.addresses(), "both are back", 2, every=0.005)
        wait(lambda: any("somebody had removed it" in m for m in events(a, "repaired")), "it is told", 2)
    with s.fact("the address's mark is the virtual routers' own, and IPv6 makes no source of it"):
        shown = json.loads(host.ip("-d", "-j", "addr", "show", "dev", "eth0"))[0]["addr_info"]
        six = next(i for i in shown if i["local"] == VIP6)
        equal(six.get("preferred_life_time"), 0, "preferred lifetime")
        equal(six["prefixlen"], 128)
    with s.fact("a script's failure takes its weight off, its success gives it back"):
        script.unlink()
        wait(lambda: stage.owners() == "b", "b has it", 5)
        wait(lambda: vip(a)["priority"] == 160, "a's priority is 160")
        script.write_text("")
        wait(lambda: stage.owners() == "a", "a has it", 5)
    with s.fact("a tracked interface that goes down is a fault, with a resignation"):
        begin = time.monotonic()
        host.ip("link", "set", "up0", "down")
        wait(lambda: stage.owners() == "b", "b has it", 5, every=0.002)
        s.figure("tracked interface down -> address moved", f"{(time.monotonic() - begin) * 1000:.0f} ms")
        wait(lambda: (vip(a)["state"], vip(a)["failing"]) == ("fault", ["interface up0"]), "a is in fault, and says why")
        host.ip("link", "set", "up0", "up")
        wait(lambda: stage.owners() == "a", "a has it", 5)
    with s.fact("an interface that vanishes and returns, under another number"):
        host.ip("link", "del", "eth0")
        wait(lambda: vip(a)["state"] == "fault", "a is in fault", 3)
        wait(lambda: stage.owners() == "b", "b has it", 5)
        host.attach(stage.lan, "eth0", "198.51.100.11/24", "2001:db8::11/64")
        wait(lambda: stage.owners() == "a", "a has it", 8)
        wait(lambda: any("the interface eth0 is gone" in m for m in events(a, "vip")), "gone is told")
    with s.fact("a reload of priority and weights moves the address without a restart of the router"):
        before = vip(b)["transitions"]
        a.reload(simple(100, more).replace("${socket}", str(a.socket)))
        wait(lambda: stage.owners() == "b", "b has it", 5)
        wait(lambda: vip(a)["state"] == "backup" and vip(b)["transitions"] > before, "both say so")
        equal(vip(b)["transitions"], before + 1)
        a.reload(simple(200, more).replace("${socket}", str(a.socket)))
        wait(lambda: stage.owners() == "a", "a has it", 5)
    for node in (a, b):
        node.process.stop()
    stage.net.remove()


def leftovers(s):
    stage = Stage(s, "lo")
    host = stage.hosts["a"]
    a = host.node(s, text=simple(200), name="lo-a")
    wait(lambda: VIP in host.addresses(), "a has it")
    host.ip("addr", "add", "198.51.100.77/32", "dev", "eth0")
    a.process.kill()
    ensure(VIP in host.addresses(), "SIGKILL leaves the address")
    with s.fact("`sluice vip clean` removes what a killed node left, and nothing else"):
        done = host.run(s.binary, "vip", "clean")
        ensure(VIP in done and VIP6 in done, done)
        found = host.addresses("eth0")
        ensure(VIP not in found and VIP6 not in found and "198.51.100.77" in found, f"{found}")
    a = host.node(s, text=simple(200), name="lo-a2")
    wait(lambda: VIP in host.addresses(), "a has it")
    b = stage.hosts["b"].node(s, text=simple(100), name="lo-b")
    wait(lambda: json.loads(b.must("vip", "show", "front", "--json"))["accepted"] > 0, "b hears a")
    a.process.kill()
    wait(lambda: VIP in stage.hosts["b"].addresses(), "b took over")
    with s.fact("the event of a takeover says who was silent, and for how long"):
        told = wait(lambda: events(b, "active"), "the event", 3)
        ensure(re.match(r"router 198\.51\.100\.\d+ silent for \d", told[-1]), f"{told}")
    with s.fact("a node that starts removes its leftovers before it says a word"):
        # Lower than b now, so that it does not come by the address rightly.
        a = host.node(s, text=simple(50), name="lo-a3")
        wait(lambda: stage.owners() == "b", "b alone has it", 3)
        wait(lambda: any("left there by a process that was killed" in m for m in events(a, "repaired")), "the event says so")
    for node in (a, b):
        node.process.stop()
    stage.net.remove()


def groups_and_macs(s):
    stage = Stage(s, "gr")
    two = stage.net.switch("sw2")
    for number, name in ((11, "a"), (12, "b"), (30, "client")):
        stage.hosts[name].attach(two, "eth1", f"203.0.113.{number}/24")

    def text(priority):
        return (f"admin: {{ socket: ${{socket}} }}\nlisteners: {{}}\nvips:\n"
                f"  outside: {{ interface: eth0, addresses: {VIP}, router-id: 51, priority: {priority}, interval: 100ms, group: edge, virtual-mac: true }}\n"
                f"  inside: {{ interface: eth1, addresses: 203.0.113.100, router-id: 52, priority: {priority}, interval: 100ms, group: edge }}\n")

    a = stage.hosts["a"].node(s, text=text(200), name="gr-a")
    b = stage.hosts["b"].node(s, text=text(100), name="gr-b")

    def whole():
        return [stage.owners(VIP), stage.owners("203.0.113.100")]

    def settle(wanted, seconds=10):
        try:
            wait(lambda: whole() == wanted, f"owners are {wanted}", seconds)
        except Failure as failure:
            raise Failure(f"{failure}; they are {whole()}; a: {events(a)[-8:]}; b: {events(b)[-8:]}") from failure

    settle(["a", "a"])
    client = stage.hosts["client"]
    with s.fact("the virtual MAC is what the client sees, and it survives a takeover"):
        client.run("ping", "-c", "1", "-W", "1", VIP)
        equal(client.neighbour(VIP), "00:00:5e:00:01:33")
    with s.fact("a group moves as one when one of its links is lost"):
        stage.hosts["a"].unplug("eth1")
        settle(["b", "b"], 5)
        client.run("ping", "-c", "1", "-W", "1", VIP)
        equal(client.neighbour(VIP), "00:00:5e:00:01:33")
        stage.hosts["a"].plug("eth1")
        settle(["a", "a"], 8)
        client.run("ping", "-c", "2", "-W", "1", VIP)
    a.process.stop()
    b.process.stop()
    with s.fact("no macvlan is left"):
        equal([link for link in re.findall(r"slv\S+", stage.hosts["a"].ip("link"))], [])
    stage.net.remove()


def privileges(s):
    stage = Stage(s, "pr")
    host = stage.hosts["a"]
    config = s.path("pr.yaml")
    config.write_text(simple(200).replace("${socket}", str(s.path("pr.sock"))))
    with s.fact("without CAP_NET_ADMIN and CAP_NET_RAW the node says so and does not start"):
        # Each end meets its workers at another point of their beginning.
        for _ in range(20):
            done = subprocess.run(
                ["ip", "netns", "exec", host.space, "setpriv", "--bounding-set", "-net_admin,-net_raw", "--inh-caps",
                 "-net_admin,-net_raw", s.binary, "run", config], capture_output=True, text=True, timeout=20)
            equal(done.returncode, 1)
            ensure("virtual addresses need CAP_NET_ADMIN and CAP_NET_RAW" in done.stderr, done.stderr)
    a = host.node(s, text=simple(200), name="pr-a")
    with s.fact("every thread has the four capabilities at most, also where root started it"):
        allowed = 1 << 10 | 1 << 12 | 1 << 13 | 1 << 23
        for task in pathlib.Path(f"/proc/{a.pid}/task").iterdir():
            status = (task / "status").read_text()
            for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
                found = int(re.search(rf"{kind}:\s+(\w+)", status)[1], 16)
                ensure(found & ~allowed == 0, f"{task.name} has {kind} {found:x}")
    a.process.stop()
    with s.fact("as an ordinary user with ambient capabilities it works"):
        os.chmod(s.dir, 0o777)
        node = host.start("pr-user", ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "+net_admin,+net_raw",
                                      "--ambient-caps", "+net_admin,+net_raw", s.binary, "run", config])
        wait(lambda: VIP in host.addresses(), "it has the address", 10)
        node.stop()
        wait(lambda: VIP not in host.addresses(), "it gave it up", 3)
    stage.net.remove()
