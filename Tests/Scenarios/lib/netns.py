"""Networks of their own for a scenario: hosts as network namespaces, switches as bridges, cables as veth pairs.

    net = Network(s)                       # names begin with sl<pid>-; all is removed at the end, also after a failure
    lan = net.switch("lan")                # a bridge in a namespace of its own
    a = net.host("a")                      # a namespace with lo up
    a.attach(lan, "eth0", "198.51.100.11/24", "2001:db8::11/64")
    a.run("ip", "route")                   # a command in it; its output
    a.start("peer", ["keepalived", …])     # a Process of the scenario in it
    a.node(s, config="a.yaml", name="a")   # the real binary in it
    a.unplug("eth0"), a.plug("eth0")       # carrier lost and back: the switch's end goes down
    a.cut("eth0"), a.mend("eth0")          # silent failure: frames vanish, the carrier stays
    with a: …                              # this thread's sockets belong to it
    net.wire(a, "eth1", b, "eth1")         # a cable without a switch

Nothing outside these namespaces is touched.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

from lib.node import Node
from lib.scenario import Failure

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_home = os.open("/proc/self/ns/net", os.O_RDONLY)


def _command(*words, check=True, timeout=20):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, words))}: exit {done.returncode}: {done.stderr.strip()[:300]}")
    return done.stdout


class Network:
    def __init__(self, scenario, tag=""):
        """`tag` keeps several networks of one scenario apart."""
        if os.geteuid() != 0:
            raise Failure("network namespaces need root")
        self.scenario = scenario
        self.prefix = f"sl{os.getpid()}{tag and '-' + tag.strip('-')}"
        self.spaces = []
        self.cables = 0
        scenario.defer(self.remove)

    def _space(self, name):
        space = f"{self.prefix}-{name}"
        _command("ip", "netns", "add", space)
        self.spaces.append(space)
        _command("ip", "-n", space, "link", "set", "lo", "up")
        return space

    def switch(self, name):
        return Switch(self, name)

    def host(self, name):
        return Host(self, name)

    def cable(self):
        """Two names for the ends of a cable, short enough for the kernel."""
        self.cables += 1
        return f"p{self.cables}a", f"p{self.cables}b"

    def wire(self, one, one_name, other, other_name, addresses=((), ())):
        """A cable between two hosts."""
        _command("ip", "-n", one.space, "link", "add", one_name, "type", "veth", "peer", "name", other_name, "netns", other.space)
        for host, name, own in ((one, one_name, addresses[0]), (other, other_name, addresses[1])):
            host._prepare(name, own)

    def remove(self):
        for space in self.spaces:
            for pid in _command("ip", "netns", "pids", space, check=False).split():
                with contextlib.suppress(ProcessLookupError, ValueError):
                    os.kill(int(pid), signal.SIGKILL)
        for space in reversed(self.spaces):
            # The kernel takes a moment to let go of a process that was just killed.
            for _ in range(50):
                if subprocess.run(["ip", "netns", "del", space], capture_output=True).returncode == 0:
                    break
                time.sleep(0.02)
        self.spaces = []


class Space:
    """A namespace; `with` moves the calling thread into it, for sockets that are made there."""

    def __init__(self, network, name):
        self.network, self.name = network, name
        self.space = network._space(name)
        self._local = threading.local()

    def run(self, *words, check=True, timeout=20):
        return _command("ip", "netns", "exec", self.space, *words, check=check, timeout=timeout)

    def ip(self, *words, check=True):
        return _command("ip", "-n", self.space, *words, check=check)

    def start(self, name, command, **options):
        """A process of the scenario in here; the pid is the program's own."""
        return self.network.scenario.start(name, ["ip", "netns", "exec", self.space, *command], **options)

    def __enter__(self):
        fd = os.open(f"/run/netns/{self.space}", os.O_RDONLY)
        try:
            if _libc.setns(fd, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(fd)
        return self

    def __exit__(self, *_):
        if _libc.setns(_home, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns back")

    def tcpdump(self, name, interface, *expression):
        """Packets into NAME.pcap, flushed one by one; returns (process, path) when it listens."""
        path = self.network.scenario.path(f"{name}.pcap")
        process = self.start(f"tcpdump-{name}", ["tcpdump", "-i", interface, "-n", "-U", "--immediate-mode", "-s", "0", "-w", path, *expression],
                             stop_signal=signal.SIGINT)
        deadline = time.monotonic() + 10
        while "listening" not in process.log():
            if time.monotonic() > deadline or not process.running:
                raise Failure(f"tcpdump: {process.log()[-300:]}")
            time.sleep(0.01)
        return process, path


class Switch(Space):
    """A bridge `br0` that learns at once and speaks no spanning tree."""

    def __init__(self, network, name, *addresses):
        super().__init__(network, name)
        self.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self.ip("link", "set", "br0", "up")
        for address in addresses:
            self.address(address)

    def address(self, address, device="br0"):
        """An address on the bridge itself: the switch's namespace can then be a client."""
        self.ip("addr", "add", address, "dev", device, *(["nodad"] if ":" in address else []))

    def split(self, *ports):
        """These ports hear each other and no longer the rest: a cut between two halves of the switch."""
        self.ip("link", "add", "br1", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self.ip("link", "set", "br1", "up")
        for port in ports:
            self.ip("link", "set", port, "master", "br1")

    def join(self, *ports):
        """Undoes `split`; the carrier of the ports never went away."""
        for port in ports:
            self.ip("link", "set", port, "master", "br0")
        self.ip("link", "del", "br1")


class Host(Space):
    def __init__(self, network, name):
        super().__init__(network, name)
        self.ports = {}

    def attach(self, switch, name, *addresses, mac=None):
        """A cable to the switch, with addresses on this end; the name of the switch's port."""
        near, far = self.network.cable()
        _command("ip", "-n", switch.space, "link", "add", far, "type", "veth", "peer", "name", near, "netns", self.space)
        self.ip("link", "set", near, "name", name, *(["address", mac] if mac else []))
        switch.ip("link", "set", far, "master", "br0", "up")
        self.ports[name] = (switch, far)
        self._prepare(name, addresses)
        return far

    def _prepare(self, name, addresses):
        # Link-local addresses are there at once too.
        self.run("sh", "-c", f"echo 0 > /proc/sys/net/ipv6/conf/{name}/accept_dad")
        self.ip("link", "set", name, "up")
        for address in addresses:
            self.ip("addr", "add", address, "dev", name, *(["nodad"] if ":" in address else []))

    def unplug(self, name):
        switch, port = self.ports[name]
        switch.ip("link", "set", port, "down")

    def plug(self, name):
        switch, port = self.ports[name]
        switch.ip("link", "set", port, "up")

    def cut(self, name):
        """Frames of this port vanish in the switch; both carriers stay."""
        switch, port = self.ports[name]
        switch.ip("link", "set", port, "nomaster")

    def mend(self, name):
        switch, port = self.ports[name]
        switch.ip("link", "set", port, "master", "br0")

    def addresses(self, device=None):
        """The addresses on its links, as text without prefix lengths."""
        entries = json.loads(self.ip("-j", "addr", "show", *(["dev", device] if device else []), check=False) or "[]")
        return [info["local"] for entry in entries for info in entry.get("addr_info", [])]

    def mac(self, device="eth0"):
        return json.loads(self.ip("-j", "link", "show", "dev", device))[0]["address"]

    def neighbour(self, address):
        """The MAC that this host has in its table for an address, or None."""
        entries = json.loads(self.ip("-j", "neigh", "show", "to", address) or "[]")
        return next((entry["lladdr"] for entry in entries if "lladdr" in entry), None)

    def node(self, scenario, config="sluice.yaml", name=None, **options):
        """`sluice run` in here; its admin socket is NAME.sock unless the config says otherwise."""
        return HostedNode(self, scenario, config=config, name=name or self.name, **options)


class HostedNode(Node):
    """The template's ${socket} is this node's own admin socket."""

    def __init__(self, host, scenario, name, **options):
        self.host = host
        replace = list(options.pop("replace", ()))
        path = scenario.path(f"{name}.sock")
        text = options.get("text")
        template = text if text is not None else (pathlib.Path(scenario.folder) / options.get("config", "sluice.yaml")).read_text()
        if "${socket}" in template:
            replace.append(("${socket}", str(path)))
        self.own_socket = path
        super().__init__(scenario, name=name, prefix=["ip", "netns", "exec", host.space], replace=replace, **options)

    @property
    def socket(self):
        return self.own_socket

    @socket.setter
    def socket(self, _):
        pass
