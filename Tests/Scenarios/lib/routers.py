"""Routers on hosts of lib/netns.py: FRR and BIRD, and a Sluice node beside them."""

import json
import os
import shutil
import subprocess
import time

from lib.node import Node
from lib.scenario import Failure, wait

FRR = "/usr/lib/frr"


def router(host):
    """Makes a host forward, and spread connections over equal paths by their ports too."""
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
             "net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1")
    return host


def link_local(host, device):
    """The link-local address of a device, once there is one."""
    def found():
        for line in host.ip("-6", "-o", "addr", "show", "dev", device, "scope", "link").splitlines():
            return line.split()[3].split("/")[0]
    return wait(found, f"{host.name} has a link-local address on {device}", 5)


def gateways(host, prefix):
    """The gateways that the kernel knows for a prefix, sorted."""
    family = "-6" if ":" in prefix else "-4"
    words = host.ip(family, "route", "show", prefix, check=False).split()
    return sorted(words[i + 1] for i, word in enumerate(words) if word == "via")


def silence(host):
    """Everything in and out of a host is dropped; the carriers stay up."""
    rules = "table inet silence {\n" + "".join(
        f" chain {hook} {{ type filter hook {hook} priority 0; policy drop; }}\n" for hook in ("input", "output", "forward")) + "}\n"
    path = host.network.scenario.path("silence.nft")
    path.write_text(rules)
    host.run("nft", "-f", path)


def speak_again(host):
    host.run("nft", "delete", "table", "inet", "silence")


class RouteMonitor:
    """When the kernel's routes of a host changed, to the microsecond."""

    def __init__(self, host):
        self.host = host
        self.path = host.network.scenario.path(f"routes-{host.name}.txt")
        output = open(self.path, "wb")
        self.process = host.network.scenario.start(
            f"monitor-{host.name}", ["stdbuf", "-oL", "ip", "-n", host.space, "-o", "-ts", "monitor", "route"], output=output)
        output.close()
        # Nothing says when it listens: a route of our own that it shows does.
        def listens():
            host.ip("route", "replace", "blackhole", "192.0.2.255/32")
            host.ip("route", "del", "blackhole", "192.0.2.255/32")
            return "192.0.2.255" in self.path.read_text()
        wait(listens, f"the route monitor of {host.name} listens", 5)

    def changes(self, prefix, after=0.0):
        """(seconds since the epoch, line) of each change of this prefix after that time."""
        found = []
        for line in self.path.read_text(errors="replace").splitlines():
            if not line.startswith("[") or f"{prefix.split('/')[0]} " not in line + " ":
                continue
            stamp, _, rest = line[1:].partition("] ")
            day, _, clock = stamp.partition("T")
            clock, _, fraction = clock.partition(".")
            moment = time.mktime(time.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M:%S")) + float(f"0.{fraction}")
            if moment > after:
                found.append((moment, rest))
        return found


class FRRouter:
    """zebra, bgpd and bfdd of a host. `bgp` is bgpd's configuration, `bfd` bfdd's."""

    def __init__(self, host, bgp, bfd=None):
        self.host, self.scenario = host, host.network.scenario
        self.space = f"{host.space}"
        self.run_dir = f"/var/run/frr/{self.space}"
        self.scenario.defer(shutil.rmtree, self.run_dir, True)
        os.makedirs(self.run_dir, exist_ok=True)
        os.chmod(self.scenario.dir, 0o755)
        self.folder = self.scenario.path(f"frr-{host.name}")
        self.folder.mkdir()
        (self.folder / "zebra.conf").write_text(f"hostname {host.name}\nlog file {self.folder}/zebra.log\n")
        (self.folder / "bgpd.conf").write_text(f"hostname {host.name}\nlog file {self.folder}/bgpd.log\n{bgp}\n")
        (self.folder / "bfdd.conf").write_text(f"hostname {host.name}\n{bfd or ''}\n")
        subprocess.run(["chown", "-R", "frr:frr", self.run_dir, self.folder], check=True)
        self.processes = {}
        self._daemon("zebra")
        wait(lambda: os.path.exists(f"{self.run_dir}/zserv.api"), f"zebra of {host.name} listens", 10)
        if bfd is not None:
            self._daemon("bfdd", "--bfdctl", f"{self.run_dir}/bfdd.sock")
            wait(lambda: os.path.exists(f"{self.run_dir}/bfdd.vty"), f"bfdd of {host.name} listens", 10)
        self._daemon("bgpd")
        wait(lambda: os.path.exists(f"{self.run_dir}/bgpd.vty"), f"bgpd of {host.name} listens", 10)

    def _daemon(self, name, *more):
        self.processes[name] = self.host.start(f"{name}-{self.host.name}", [
            f"{FRR}/{name}", "-N", self.space, "-f", self.folder / f"{name}.conf", "-i", self.folder / f"{name}.pid",
            "-z", f"{self.run_dir}/zserv.api", "--vty_socket", self.run_dir, "-A", "127.0.0.1", *more])

    def vty(self, *commands):
        words = ["vtysh", "--vty_socket", self.run_dir]
        for line in commands:
            words += ["-c", line]
        return subprocess.run(words, capture_output=True, text=True, timeout=20).stdout

    def json(self, line):
        text = self.vty(f"{line} json")
        return json.loads(text[text.index("{"):])

    def route(self, prefix):
        """The best path that bgpd knows, or nothing."""
        family = "ipv6" if ":" in prefix else "ipv4"
        paths = self.json(f"show bgp {family} unicast {prefix}").get("paths", [])
        return next((path for path in paths if path.get("bestpath")), None)


class Bird:
    """BIRD of a host. `config` follows the router id and the protocols that every one needs."""

    def __init__(self, host, router_id, config, kernel=True, name=None):
        self.host, self.scenario = host, host.network.scenario
        name = name or f"bird-{host.name}"
        self.socket = self.scenario.path(f"{name}.ctl")
        path = self.scenario.path(f"{name}.conf")
        export = "protocol kernel { merge paths on; ipv4 { export all; }; }\nprotocol kernel { merge paths on; ipv6 { export all; }; }\n"
        path.write_text(
            f'log "{self.scenario.path(name)}.txt" all;\nrouter id {router_id};\ndebug protocols {{ states, events }};\n'
            f"protocol device {{ scan time 2; }}\n{export if kernel else ''}{config}\n")
        self.process = host.start(name, ["bird", "-c", path, "-s", self.socket, "-f"])
        wait(lambda: self.socket.exists(), f"BIRD of {host.name} answers", 10)

    def ctl(self, *words):
        done = subprocess.run(["birdc", "-s", self.socket, *map(str, words)], capture_output=True, text=True, timeout=20)
        return done.stdout

    def established(self, protocol):
        return "Established" in self.ctl("show", "protocols", protocol)

    def route(self, prefix):
        return self.ctl("show", "route", "for", prefix, "all")


class SiteNode(Node):
    """A Sluice node in a namespace, with an admin socket of its own. `${socket}` in its template is that."""

    def __init__(self, scenario, host, name, template, serving=True, **options):
        self.scenario, self.name, self.host = scenario, name, host
        self.config = scenario.path(f"{name}.yaml")
        self.socket = scenario.path(f"{name}.sock")
        self.template = template
        self.write(self.template)
        self.options = options
        self.starts = 0
        self.launch(serving)

    def write(self, template):
        super().write(template.replace("${socket}", str(self.socket)))

    def launch(self, serving=True):
        """Starts it, or starts it again."""
        self.starts += 1
        label = f"sluice-{self.name}" + (f"-{self.starts}" if self.starts > 1 else "")
        self.process = self.scenario.start(
            label, ["ip", "netns", "exec", self.host.space, self.scenario.binary, "run", self.config],
            environment={"SWIFT_BACKTRACE": "enable=no"}, **self.options)
        if serving:
            self.wait_serving()

    def bgp(self):
        status, body = self.api("GET", "/v1/bgp")
        if status != 200:
            raise Failure(f"GET /v1/bgp: {status} {body}")
        return body

    def peer(self, name):
        return next(peer for peer in self.bgp()["peers"] if peer["name"] == name)

    def announcement(self, name):
        return next(item for item in self.bgp()["announcements"] if item["name"] == name)

    def wait_established(self, *names, seconds=15):
        def reached():
            for name in names:
                peer = self.peer(name)
                if peer["state"] != "Established":
                    raise Failure(f"{name} is {peer['state']}: {peer.get('lastError')}")
            return True
        return wait(reached, f"{', '.join(names)} established", seconds)

    def events(self, kind=None):
        _, body = self.api("GET", "/v1/events?after=0")
        return [event for event in body["events"] if kind in (None, event["kind"])]
