"""Name servers: the same zone for each, asked by loadgen; CPU per query, memory and start with many names."""

import pathlib
import shutil
import socket
import subprocess
import time

from lib import load, machine
from lib.processes import wait_until
from lib.settings import BINARY, CONNECTIONS, DURATION, ROOT, WARMUP, Trouble

APEX = "bench.test"
SOA = f"$TTL 300\n@ SOA ns.{APEX}. host.{APEX}. 1 3600 600 604800 60\n@ NS ns.{APEX}.\nns A 127.0.0.1\n"


def zone(names, extra=""):
    """`names` names with an address each."""
    return SOA + extra + "".join(f"h{i} A 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n" for i in range(names))


class NameServer:
    """One server. `balanced` are the kinds of balanced names that it knows."""

    name, balanced = "", ()
    reloads = checks = False
    kinds = ("dns",)

    def binary(self):
        return shutil.which(self.name) or f"/usr/sbin/{self.name}"

    def require(self):
        machine.need(self.binary(), "Benchmarks/run --install brings it")

    def start(self, processes, shape, port, ports, what, wait=True):
        command = self.configure(processes.folder, shape, port)
        popen = processes.start(self.name, command, machine.PROXY_CORE)
        if wait:
            wait_until(lambda: answers(port), popen, 60, what)
        return popen


class Sluice(NameServer):
    name = "sluice-dns"

    def binary(self):
        return str(BINARY)

    def require(self):
        machine.need(self.binary(), "make build makes it")

    def version(self):
        commit = machine.output(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
        return f"{machine.output([self.binary(), 'version'])} ({commit})"

    def configure(self, folder, shape, port):
        names = ""
        plain = shape.hosts
        if shape.policy == "weighted":
            names = '  names: { h0.bench.test: { balance: weighted, from: [{ address: 192.0.2.1, weight: 30 }, { address: 192.0.2.2, weight: 20 }, { address: 192.0.2.3, weight: 10 }] } }\n'
        elif shape.policy == "multifo":
            names = '  names: { h0.bench.test: { balance: all, answers: 3, from: [192.0.2.1, 192.0.2.2, 192.0.2.3] } }\n'
        (folder / "bench.zone").write_text(SOA if names else zone(plain))
        config = folder / "sluice.yaml"
        config.write_text(
            f'workers: 1\nadmin: {{ socket: "{folder}/sluice.sock" }}\ndns:\n  listen: "127.0.0.1:{port}"\n  cookies: false\n'
            f"  zones: {{ {APEX}: {{ file: bench.zone }} }}\n{names}")
        return [self.binary(), "run", config]


class Knot(NameServer):
    name = "knotd"

    def version(self):
        return machine.output([self.binary(), "--version"])

    def configure(self, folder, shape, port):
        (folder / "bench.zone").write_text(zone(shape.hosts))
        config = folder / "knot.conf"
        config.write_text(
            f"server:\n    rundir: {folder}\n    listen: 127.0.0.1@{port}\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n"
            f"database:\n    storage: {folder}\nlog:\n  - target: stderr\n    any: error\nzone:\n  - domain: {APEX}\n    file: {folder}/bench.zone\n")
        return [self.binary(), "-c", config]


class Gdnsd(NameServer):
    name = "gdnsd"

    def version(self):
        return machine.output([self.binary(), "version"]).split("\n")[0]

    def configure(self, folder, shape, port):
        home = folder / "gdnsd"
        for sub in ("zones", "run", "state"):
            (home / sub).mkdir(parents=True, exist_ok=True)
        plugins, extra = "", ""
        if shape.policy == "weighted":
            plugins = ("plugins => { weighted => { multi => false, service_types => up, w => {\n"
                       " a => [ 192.0.2.1, 30 ], b => [ 192.0.2.2, 20 ], c => [ 192.0.2.3, 10 ] } } }\n")
            extra = "h0 DYNA weighted!w\n"
        elif shape.policy == "multifo":
            plugins = "plugins => { multifo => { service_types => up, m => { a => 192.0.2.1, b => 192.0.2.2, c => 192.0.2.3 } } }\n"
            extra = "h0 DYNA multifo!m\n"
        (home / "config").write_text(
            f"options => {{ listen => [ 127.0.0.1:{port} ], udp_threads => 1, tcp_threads => 1, run_dir => {home}/run, state_dir => {home}/state }}\n{plugins}")
        (home / f"zones/{APEX}").write_text(zone(0 if extra else shape.hosts, extra))
        return [self.binary(), "-c", home, "start"]


ALL = {server.name: server for server in (Sluice(), Knot(), Gdnsd())}


def answers(port):
    """Whether h0 has an address."""
    query = bytes.fromhex("123400000001000000000000") + b"\x02h0\x05bench\x04test\0\0\x01\0\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.05)
        client.connect(("127.0.0.1", port))
        try:
            client.send(query)
            response = client.recv(4096)
        except OSError:
            return False
    return response[3] & 15 == 0 and response[7] > 0


def ask(processes, port, seconds, hosts):
    return load.loadgen(processes, "dns", port, seconds, connections=CONNECTIONS * 2, hosts=hosts)


def client(hosts):
    return lambda processes, port, seconds: ask(processes, port, seconds, hosts)


def many(bench):
    """The start with many names: until the first answer; memory afterwards."""
    window = machine.Window([bench.backend.pid])
    start = time.monotonic()
    bench.start(wait=False)
    wait_until(lambda: answers(bench.port), bench.balancer, 120, bench.what)
    taken = (time.monotonic() - start) * 1000
    used = machine.Usage(bench.balancer.pid)
    window.close()
    return {
        "start_ms": taken, "start_cpu_ms": used.total * 1000, "memory": machine.memory(bench.balancer.pid),
        "foreign": window.foreign, "stolen": window.stolen, "disturbed": False,
    }
