"""Two nodes, Sluice or keepalived, that share a virtual address, and a client that pings it each 10 ms.

    duel = Duel(s, "sk", Setup(version=3, interval=100))   # a is Sluice with priority 200, b keepalived with 180
    gap = duel.outage(duel.crash)                          # the longest silence that the client saw, in ms
    duel.return_a()                                        # a is back and has the address again
"""

import dataclasses
import http.client
import json
import signal
import threading
import time

from lib.netns import Network
from lib.scenario import Failure, ensure, wait


class Asker(threading.Thread):
    """In a host, one request after the other to a place, each on a new connection; `failed` has when each lost one began."""

    def __init__(self, host, address, port=8080, timeout=3, pause=0):
        super().__init__(daemon=True)
        self.host, self.place, self.timeout, self.pause = host, (address, port), timeout, pause
        self.running, self.good, self.failed, self.times = True, 0, [], []

    def run(self):
        with self.host:
            while self.running:
                begin = time.monotonic()
                try:
                    connection = http.client.HTTPConnection(*self.place, timeout=self.timeout)
                    connection.request("GET", "/")
                    answer = connection.getresponse()
                    answer.read()
                    connection.close()
                    if answer.status != 200:
                        raise OSError(f"status {answer.status}")
                    self.good += 1
                    self.times.append(time.monotonic())
                except Exception as error:  # every kind is a lost request
                    self.failed.append((begin, f"{type(error).__name__}: {error}"))
                time.sleep(self.pause)

    def stop(self):
        """Ends, and tells the longest time without an answer, in ms."""
        self.running = False
        self.join()
        return max((b - a for a, b in zip(self.times, self.times[1:])), default=0) * 1000


@dataclasses.dataclass
class Setup:
    version: int = 3
    # ms
    interval: int = 100
    six: bool = False
    unicast: bool = False
    extra: str = ""

    @property
    def vip(self):
        return "2001:db8::100" if self.six else "198.51.100.100"

    def address(self, number):
        return f"2001:db8::{number}" if self.six else f"198.51.100.{number}"

    @property
    def label(self):
        return f"v{self.version} IPv{6 if self.six else 4} {'unicast' if self.unicast else 'multicast'} {self.interval} ms"

    def skew(self, priority=180):
        unit = self.interval if self.version == 3 else 1000
        return (256 - priority) * unit / 256

    def down(self, priority=180):
        return 3 * self.interval + self.skew(priority)


class Duel:
    PRIORITY = {"a": 200, "b": 180}
    NUMBER = {"a": 11, "b": 12}

    def __init__(self, s, kinds, setup, name=""):
        self.s, self.setup, self.kinds = s, setup, dict(zip("ab", kinds))
        self.tag = f"{name or kinds}-"
        self.net = Network(s, self.tag)
        self.lan = self.net.switch("sw")
        self.lan.address("198.51.100.1/24")
        self.lan.address("2001:db8::1/64")
        self.hosts, self.nodes, self.ports = {}, {}, {}
        for who in "ab":
            host = self.net.host(who)
            number = self.NUMBER[who]
            self.ports[who] = host.attach(self.lan, "eth0", f"198.51.100.{number}/24", f"2001:db8::{number}/64")
            self.hosts[who] = host
        for who in "ab":
            self.start(who)
        self.wait_owner("a")

    def start(self, who):
        self.nodes[who] = (self._sluice if self.kinds[who] == "s" else self._keepalived)(who)

    def _sluice(self, who):
        setup, other = self.setup, "b" if who == "a" else "a"
        text = (
            f"admin: {{ socket: ${{socket}} }}\nlisteners: {{}}\nvips:\n  v:\n    interface: eth0\n    addresses: \"{setup.vip}\"\n"
            f"    router-id: 51\n    version: {setup.version}\n    priority: {self.PRIORITY[who]}\n    interval: {setup.interval}ms\n"
        )
        if setup.version == 2:
            text += '    password: "s3cret"\n'
        if setup.unicast:
            text += f'    peers: "{setup.address(self.NUMBER[other])}"\n'
            if setup.six:
                text += "    hop-limit: 64\n"
        return self.hosts[who].node(self.s, text=text + setup.extra, name=f"sluice-{self.tag}{who}")

    def _keepalived(self, who):
        setup, other = self.setup, "b" if who == "a" else "a"
        base = self.s.path(f"keepalived-{self.tag}{who}")
        base.mkdir(exist_ok=True)
        for stale in ("pid", "vrrp", "check"):  # of one that was killed
            (base / stale).unlink(missing_ok=True)
        words = ""
        if setup.version == 2:
            words += "  authentication {\n    auth_type PASS\n    auth_pass s3cret\n  }\n"
        if setup.unicast:
            words += f"  unicast_src_ip {setup.address(self.NUMBER[who])}\n  unicast_peer {{\n    {setup.address(self.NUMBER[other])}\n  }}\n"
        (base / "conf").write_text(
            f"global_defs {{\n  router_id {who}\n  vrrp_version {setup.version}\n  vrrp_garp_master_repeat 1\n}}\n"
            f"vrrp_instance VI_1 {{\n  state BACKUP\n  interface eth0\n  virtual_router_id 51\n  priority {self.PRIORITY[who]}\n"
            f"  advert_int {setup.interval / 1000:g}\n  version {setup.version}\n{words}"
            f"  virtual_ipaddress {{\n    {setup.vip}{'/128' if setup.six else '/32'} dev eth0\n  }}\n}}\n"
        )
        return self.hosts[who].start(
            f"keepalived-{self.tag}{who}",
            ["keepalived", "-n", "-l", "-D", "-f", base / "conf", "-p", base / "pid", "-r", base / "vrrp", "-c", base / "check"],
        )

    def process(self, who):
        node = self.nodes[who]
        return getattr(node, "process", node)

    # MARK: who has it

    def owners(self):
        return "".join(who for who in "ab" if self.setup.vip in self.hosts[who].addresses("eth0"))

    def wait_owner(self, who, seconds=None):
        wait(lambda: self.owners() == who, f"{self.tag} {self.setup.label}: {who} alone has the address (now {self.owners()!r})",
             seconds or self.setup.down() / 1000 * 3 + 8)

    # MARK: what happens to a

    def crash(self):
        """The machine is gone: nothing leaves or enters it from now on, and its processes are dead."""
        self.hosts["a"].cut("eth0")
        self.process("a").kill()

    def stop(self):
        self.process("a").stop()

    def link_down(self):
        self.hosts["a"].unplug("eth0")

    def return_a(self):
        a = self.hosts["a"]
        if not self.process("a").running:
            if self.kinds["a"] == "k":
                a.ip("addr", "del", f"{self.setup.vip}{'/128' if self.setup.six else '/32'}", "dev", "eth0", check=False)
            a.mend("eth0")
            self.start("a")
        else:
            a.plug("eth0")
        self.wait_owner("a")

    # MARK: what the client sees

    def outage(self, event, settle=None):
        """The longest time without an answer around the event, in ms."""
        name = f"pinger-{self.tag}{time.monotonic_ns()}"
        out = self.s.path(name + ".out")
        with open(out, "wb") as output:
            pinger = self.lan.start(name, ["/usr/bin/python3", "-m", "lib.pinger", self.setup.vip], output=output)
        wait(lambda: out.read_text().startswith("ready"), "the pinger runs")
        time.sleep(0.4)  # a stretch of answers before the event
        event()
        self.wait_owner_b_side()
        time.sleep(settle or 0.3)
        pinger.stop()
        times = [float(line.split()[1]) for line in out.read_text().splitlines()[1:]]
        ensure(len(times) > 20, f"{name}: only {len(times)} answers")
        return max(b - a for a, b in zip(times, times[1:])) * 1000

    def wait_owner_b_side(self):
        wait(lambda: self.setup.vip in self.hosts["b"].addresses("eth0"), f"{self.tag} b takes over", self.setup.down() / 1000 * 2 + 5)
