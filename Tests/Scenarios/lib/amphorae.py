"""A small cloud for the controller's `process` driver: one namespace with the controller and its bridges, a client and
two nginx members on the VIP's network, and the amphorae that the controller makes, found by their names' prefix.

All is removed at the end by these names, whatever the controller did or was done to.
"""

import asyncio
import contextlib
import os
import pathlib
import signal
import subprocess
import threading
import time

from lib.controller import NETWORK, SUBNET, Controller
from lib.netns import Network
from lib.scenario import Failure, wait

KEY = "a-key-of-this-scenario"
VIP = "10.77.0.100"


class Cloud:
    def __init__(self, s, amphora="", health="", compute="process", extra="", start=True, environment=None, tag="", subnet="", api=""):
        """`tag` is one letter, for a scenario with several clouds."""
        self.s, self.tag = s, tag
        self.prefix = f"x{os.getpid() % 100000}{tag}-"
        self.net = Network(s, tag)
        s.defer(self.sweep)
        self.host = self.net.host("ctl")
        settings = f"""
directory: ${{dir}}/state{tag}
compute: {compute}
namespace-prefix: {self.prefix}
api: {{ bind: "127.0.0.1:9876"{api} }}
management: {{ cidr: 10.250.0.0/16, gateway: 10.250.0.1 }}
networks:
  - {{ id: {NETWORK}, name: net, bridge: vip0, subnets: [ {{ id: {SUBNET}, name: subnet, cidr: 10.77.0.0/24, pool: [10.77.0.50, 10.77.0.250]{subnet} }} ] }}
amphora: {{ {amphora} }}
health: {{ bind: "10.250.0.1:5555", key: {KEY}, {health} }}
{extra}
"""
        self.controller = Controller(
            s, settings, f"controller{tag}", port=9876, prefix=["nsenter", f"--net=/run/netns/{self.host.space}"], space=self.host,
            environment=environment, start=False)
        # The bridges are there before the controller, so that clients and members are plugged once.
        for number, bridge in enumerate(("vip0", "sluicemgmt")):
            # With an address of its own, or it takes a port's, and another one's when that port goes.
            self.host.ip("link", "add", bridge, "address", f"02:00:00:00:00:0{number + 1}", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
            self.host.ip("link", "set", bridge, "up")
        self.client = self.guest("client", "10.77.0.10/24")
        self.members = [self.member(f"m{n}", f"10.77.0.{20 + n}") for n in (1, 2)]
        if start:
            self.controller.start()

    def guest(self, name, address):
        host = self.net.host(name)
        near, far = self.net.cable()
        self.host.ip("link", "add", far, "type", "veth", "peer", "name", near, "netns", host.space)
        host.ip("link", "set", near, "name", "eth0")
        self.host.ip("link", "set", far, "master", "vip0", "up")
        host._prepare("eth0", [address])
        return host

    def member(self, name, address):
        host = self.guest(name, f"{address}/24")
        folder = self.s.path(f"{name}{self.tag}")
        folder.mkdir()
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;"
            f" uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000;\n"
            f" server {{ listen {address}:80; location / {{ default_type text/plain; return 200 {name}; }} }} }}\n")
        host.start(f"{name}{self.tag}", ["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log"])
        return address

    def create(self, name="lb", vip=VIP, provider="amphora", wait=True, protocol="HTTP", seconds=60, **more):
        monitor = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1}
        members = [{"address": address, "protocol_port": 80} for address in self.members]
        body = {"loadbalancer": {
            "name": name, "vip_subnet_id": SUBNET, "vip_address": vip, "provider": provider, "listeners": [
                {"name": "web", "protocol": protocol, "protocol_port": 80, "default_pool": {
                    "name": "pool", "protocol": protocol, "lb_algorithm": "ROUND_ROBIN", "members": members, "healthmonitor": monitor}}], **more}}
        made = self.controller.must("POST", "/v2/lbaas/loadbalancers", body)["loadbalancer"]
        return self.controller.settled(made["id"], seconds) if wait else made

    def crash(self, title):
        """A create during which the controller dies at that step, and is started again; the load balancer once it is ACTIVE."""
        def answers():
            try:
                return self.controller.answers()
            except OSError:
                return False
        self.controller.process.kill()
        self.controller.start(expect_exit=True, SLUICE_CONTROLLER_FAULT=title)
        wait(answers, f"{title}: the controller answers", 20, 0.02)
        with contextlib.suppress(OSError):
            self.create(name="crash", vip="10.77.0.111", wait=False)
        if self.controller.process.wait(20) != -signal.SIGKILL:
            raise Failure(f"{title}: the controller did not die")
        self.controller.start()
        found, = [lb["id"] for lb in self.controller.get("/v2/lbaas/loadbalancers", "loadbalancers") if lb["name"] == "crash"]
        return self.controller.settled(found, 30)["id"]

    def online(self, balancer, seconds=30):
        def check():
            found = self.controller.get(f"/v2/lbaas/loadbalancers/{balancer}", "loadbalancer")
            return found if (found["provisioning_status"], found["operating_status"]) == ("ACTIVE", "ONLINE") else None
        return wait(check, f"{balancer} is ACTIVE and ONLINE", seconds, 0.05)

    # MARK: amphorae as hosts

    def space(self, amphora):
        return self.prefix + amphora.replace("-", "")

    def spaces(self):
        return [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.startswith(self.prefix)]

    def pids(self, amphora, word=""):
        found = []
        for pid in run("ip", "netns", "pids", self.space(amphora), check=False).split():
            with contextlib.suppress(OSError):
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                if word in command:
                    found.append(int(pid))
        return found

    def kill(self, amphora, word="", number=signal.SIGKILL):
        for pid in self.pids(amphora, word):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def holder(self, balancer, vip=VIP):
        """The amphora that has the address."""
        return next((a for a in self.controller.amphorae(balancer) if self.has(a["id"], vip)), None)

    def has(self, amphora, vip=VIP):
        return f" {vip}/" in run("ip", "-n", self.space(amphora), "-o", "addr", check=False)

    def cut(self, amphora):
        """All its cables lose their far ends: frames vanish, carriers stay."""
        links = run("ip", "-n", self.space(amphora), "-o", "link").splitlines()
        for line in links:
            if "@if" in line:
                index = line.split("@if")[1].split(":")[0]
                for far in self.host.ip("-o", "link").splitlines():
                    if far.split(":")[0] == index:
                        # Without ARP, or the far end would answer for the controller itself.
                        self.host.ip("link", "set", far.split(":")[1].strip().split("@")[0], "arp", "off", "nomaster")

    def logs(self):
        for file in sorted(self.s.path(f"state{self.tag}").glob("amphorae/*/*.log")) + sorted(self.s.path(f"state{self.tag}").glob("amphorae/*/*/*.log")):
            text = file.read_text(errors="replace").strip()
            if text:
                print(f"   {file.relative_to(self.s.dir)}:\n     " + "\n     ".join(text.splitlines()[-6:]))

    def sweep(self):
        """Everything that the controller made, by name."""
        if self.s.failures:
            self.logs()
        for space in self.spaces():
            for pid in run("ip", "netns", "pids", space, check=False).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        for space in self.spaces():
            for _ in range(50):
                if subprocess.run(["ip", "netns", "del", space], capture_output=True).returncode == 0:
                    break
                time.sleep(0.02)


def run(*words, check=True):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=20)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Traffic:
    """A request every few milliseconds from the client's namespace, whether the last one was answered or not."""

    def __init__(self, cloud, vip=VIP, every=0.01, patience=3, client=None):
        self.cloud, self.vip, self.every, self.patience = cloud, vip, every, patience
        self.client = client or cloud.client
        self.good, self.bad, self.names = [], [], {}
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        cloud.s.defer(self.stop)

    def _run(self):
        with self.client:
            asyncio.run(self._pace())

    async def _pace(self):
        tasks = set()
        while self.running:
            begin = time.monotonic()
            task = asyncio.create_task(self._ask(begin))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(max(0, begin + self.every - time.monotonic()))
        if tasks:
            await asyncio.wait(tasks, timeout=self.patience)

    async def _ask(self, begin):
        try:
            async with asyncio.timeout(self.patience):
                reader, writer = await asyncio.open_connection(self.vip, 80)
                try:
                    writer.write(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
                    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
                finally:
                    writer.close()
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise OSError(head.split(b"\r\n")[0].decode() or "closed without an answer")
        except (OSError, TimeoutError) as error:
            self.bad.append((begin, time.monotonic(), f"{type(error).__name__} {error}"))
            return
        self.good.append((begin, time.monotonic()))
        self.names[body.decode()] = self.names.get(body.decode(), 0) + 1

    def flows(self, seconds=15):
        """Whoever asks from now on is answered."""
        begin = time.monotonic()
        wait(lambda: sum(1 for start, _ in self.good[-50:] if start >= begin) > 5, "the client gets answers", seconds)

    def gap(self, since, until=None):
        """The longest time without an answer, from `since` on."""
        until = until or time.monotonic()
        times = sorted([since, until, *(end for _, end in list(self.good) if since <= end <= until)])
        return max(b - a for a, b in zip(times, times[1:]))

    def failures(self, since=0):
        return [f"{end - begin:.2f} s: {why}" for begin, end, why in list(self.bad) if end >= since]

    def slowest(self, since=0):
        return max((end - begin for begin, end in list(self.good) if begin >= since), default=0)

    def stop(self):
        self.running = False
        self.thread.join(self.patience + 2)
