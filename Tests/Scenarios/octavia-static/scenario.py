"""Existing hosts as amphorae: three of them in namespaces of their own, each with `sluice amphora --host`.

A pair takes two and the third is free; a dead one is replaced by it and stays in quarantine until it was wiped; with none
left a failover says NO CAPACITY and is tried again. A floating address of a node leads to the VIP through all of it.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import signal
import time

from lib.amphorae import VIP, Cloud, Traffic, run as command
from lib.controller import NETWORK, SUBNET
from lib.scenario import ensure, equal, wait

FLOATING = "203.0.113.7"


class Hosts(Cloud):
    """The small cloud, whose controller has hosts instead of making namespaces."""

    NAMES = ["h1", "h2", "h3"]

    def __init__(self, s, **options):
        places = "".join(
            f"  - {{ name: {name}, address: \"{address}:9444\", directory: {s.path(name)}, interfaces: [ {{ network: {NETWORK}, name: eth1 }} ] }}\n"
            for name, address in self.addresses().items())
        super().__init__(s, compute="static", start=False, subnet=", gateway: 10.77.0.1", extra=f"hosts:\n{places}floating-ips: {s.path('ctl.sock')}\n", **options)
        self.host.ip("addr", "add", "10.250.0.1/16", "dev", "sluicemgmt")
        # The controller's host is the node of the floating addresses, too, and the members' and the amphorae's router.
        self.host.ip("addr", "add", "10.77.0.1/24", "dev", "vip0")
        self.host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.outside = self.net.host("outside")
        self.net.wire(self.outside, "eth0", self.host, "wan", (["198.51.100.9/24"], ["198.51.100.1/24"]))
        self.outside.ip("route", "add", "203.0.113.0/24", "via", "198.51.100.1")
        self.guests, self.agents = {}, {}
        for name, address in self.addresses().items():
            self.guests[name] = self.machine(name, address)
            issued = s.path(f"issued-{name}")
            with self.host:
                command(s.binary, "controller", "issue", self.controller.file, name, "--output", issued)
            equal((issued / "server.pem").stat().st_mode & 0o077, 0, "who else may read the key")
            issued.rename(s.path(name))
            self.lend(name)

    def addresses(self):
        return {name: f"10.250.0.{11 + number}" for number, name in enumerate(self.NAMES)}

    def machine(self, name, address):
        guest = self.net.host(name)
        for inside, bridge, own in (("mgmt", "sluicemgmt", [f"{address}/16"]), ("eth1", "vip0", [])):
            near, far = self.net.cable()
            self.host.ip("link", "add", far, "type", "veth", "peer", "name", near, "netns", guest.space)
            guest.ip("link", "set", near, "name", inside)
            self.host.ip("link", "set", far, "master", bridge, "up")
            guest._prepare(inside, own)
        return guest

    def lend(self, name):
        self.agents[name] = self.guests[name].start(
            name, [self.s.binary, "amphora", "--host", self.s.path(name) / "host.yaml"], expect_exit=True)

    def die(self, name):
        """Everything on it, as when its power is cut; disk and addresses that nobody removes stay."""
        space = self.guests[name].space
        for pid in command("ip", "netns", "pids", space, check=False).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self.agents[name].wait(5)

    def on(self, name):
        found = {host["name"]: host for host in self.controller.get("/sluice/hosts", "hosts")}[name]
        return found["state"], found["amphora"]

    def states(self):
        return sorted(self.on(name)[0] for name in self.NAMES)

    def host_of(self, amphora):
        return next((name for name in self.NAMES if self.on(name)[1] == amphora["id"]), None)

    def carrier(self):
        """The host that has the address."""
        return next((name for name in self.NAMES if self.has_address(name, VIP)), None)

    def has_address(self, name, address=""):
        return f" {address}" in command("ip", "-n", self.guests[name].space, "-4", "-o", "addr", "show", "dev", "eth1", check=False)

    def strays(self, name):
        """What is on a host beside its own agent."""
        pids = [pid for pid in command("ip", "netns", "pids", self.guests[name].space, check=False).split()
                if b"amphorae" in (pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() if pathlib.Path(f"/proc/{pid}").exists() else b"")]
        return pids, self.has_address(name), os.listdir(self.s.path(name) / "amphorae")


def run(s):
    cloud = Hosts(s, amphora="topology: ACTIVE_STANDBY, advertisement: 80ms", health="heartbeat: 300ms, timeout: 1500ms, interval: 200ms, grace: 1s, retry-after: 1s, retry-at-most: 2s")
    controller = cloud.controller
    node = cloud.host.node(s, text=(s.folder / "sluice.yaml").read_text())
    controller.start()
    with s.fact("three hosts that were given certificates are free"):
        equal(cloud.states(), ["FREE", "FREE", "FREE"])
    with s.fact("two load balancers at once and three hosts: none is given away twice, and who gets too few says NO CAPACITY"):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            made = list(pool.map(lambda n: cloud.create(name=f"lb{n}", vip=f"10.77.0.{100 + n}", wait=False)["id"], range(2)))
        found = [wait(lambda: done(controller, id), "an end", 40) for id in made]
        taken = [a["compute_id"] for a in controller.get("/v2/octavia/amphorae", "amphorae")]
        equal(len(taken), len(set(taken)), "amphorae and hosts")
        failed = [lb for lb in found if lb["provisioning_status"] == "ERROR"]
        ensure(failed, "one of two pairs cannot be whole")
        for lb in failed:
            ensure("NO CAPACITY" in " ".join(controller.explain(lb["id"])["why"]), controller.explain(lb["id"])["why"])
            controller.must("DELETE", f"/v2/lbaas/loadbalancers/{lb['id']}?cascade=true")
        for lb in found:
            if lb["provisioning_status"] == "ACTIVE":
                controller.must("DELETE", f"/v2/lbaas/loadbalancers/{lb['id']}?cascade=true")
        wait(lambda: controller.get("/v2/lbaas/loadbalancers", "loadbalancers") == [], "both are gone", 20)
    with s.fact("given back, they are free and nothing is left on them"):
        wait(lambda: cloud.states() == ["FREE"] * 3, "all are free", 10)
        for name in cloud.NAMES:
            equal(cloud.strays(name), ([], False, []), name)

    with s.fact("a controller that dies after it has taken hosts goes on with the same"):
        for step in ("boot", "plug"):
            crashed = cloud.crash(f"create/{step}/after")
            equal(cloud.states(), ["FREE", "TAKEN", "TAKEN"], step)
            controller.must("DELETE", f"/v2/lbaas/loadbalancers/{crashed}?cascade=true")
            wait(lambda: cloud.states() == ["FREE"] * 3, f"{step}: all are free", 20)

    begin = time.monotonic()
    lb = cloud.create()["id"]
    s.figure("created and ACTIVE on existing hosts", f"{time.monotonic() - begin:.2f} s")
    traffic = Traffic(cloud)
    with s.fact("a pair takes two hosts, and the client is served"):
        equal(cloud.states(), ["FREE", "TAKEN", "TAKEN"])
        cloud.online(lb)
        traffic.flows()
    with s.fact("a floating address leads to the VIP"):
        shown = command("nsenter", f"--net=/run/netns/{cloud.host.space}", s.binary, "controller", "floating-ip", "associate", "lb", FLOATING)
        ensure(FLOATING in shown, shown)
        floating = Traffic(cloud, vip=FLOATING, client=cloud.outside)
        floating.flows()
        equal(controller.explain(lb)["floating_ip"], FLOATING)
    with s.fact("asked for twice it is the same; another's address, a strange one and a wrong body are refused"):
        path = f"/sluice/floating-ips/{lb}"
        equal(controller.must("PUT", path, {})["address"], FLOATING)
        equal([controller.call("PUT", path, body)[0] for body in ({"address": "203.0.113.8"}, [], "x")], [409, 400, 400])
        other = controller.must("POST", "/v2/lbaas/loadbalancers", {"loadbalancer": {"name": "other", "vip_subnet_id": SUBNET}})["loadbalancer"]["id"]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: controller.call("PUT", f"/sluice/floating-ips/{other}", {})[0], range(4)))
        ensure(200 in answers and set(answers) <= {200, 409}, answers)
        equal([controller.call("PUT", f"/sluice/floating-ips/{other}", body)[0] for body in ({"address": FLOATING}, {"address": "192.0.2.1"})], [409, 409])
        equal(len(node.api("GET", "/v1/floating-ips")[1]["addresses"]), 2, "allocated addresses")
        wait(lambda: done(controller, other), "an end", 20)
        controller.must("DELETE", f"/v2/lbaas/loadbalancers/{other}?cascade=true")
        wait(lambda: len(node.api("GET", "/v1/floating-ips")[1]["addresses"]) == 1, "its address is given back", 10)
        wait(lambda: cloud.states() == ["FREE", "TAKEN", "TAKEN"], "the third host is free", 10)

    with s.fact("a dead host is replaced by the free one; client and floating address go on"):
        begin, dead = time.monotonic(), wait(cloud.carrier, "somebody has the address", 10)
        cloud.die(dead)
        wait(lambda: cloud.on(dead)[0] == "QUARANTINE" and cloud.states() == ["QUARANTINE", "TAKEN", "TAKEN"], "it is in quarantine", 30)
        controller.settled(lb)
        cloud.online(lb)
        traffic.flows()
        floating.flows()
        s.figure("host killed, replaced, ONLINE", f"{time.monotonic() - begin:.2f} s", f"longest gap {traffic.gap(begin) * 1000:.0f} ms, by the floating address {floating.gap(begin) * 1000:.0f} ms")
    with s.fact("with no host left a failover says NO CAPACITY, and the survivor serves"):
        second = next(name for name in cloud.NAMES if cloud.on(name)[0] == "TAKEN" and name != cloud.carrier())
        begin = time.monotonic()
        cloud.die(second)
        wait(lambda: any("NO CAPACITY" in event["text"] for event in controller.explain(lb)["events"]), "NO CAPACITY", 30)
        traffic.flows()
        ensure(traffic.gap(begin) < 1, f"the survivor's longest gap {traffic.gap(begin):.2f} s")
    with s.fact("the dead host comes back, is wiped, is free, and the retried failover takes it without any help"):
        begin = time.monotonic()
        ensure(os.listdir(s.path(dead) / "amphorae"), "its disk still holds the amphora")
        cloud.lend(dead)
        wait(lambda: cloud.on(dead)[0] == "TAKEN", "it is taken again", 30)
        cloud.online(lb)
        equal([a["status"] for a in controller.amphorae(lb)], ["ALLOCATED"] * 2)
        s.figure("host back, wiped, taken, pair whole", f"{time.monotonic() - begin:.2f} s")
        equal(len(os.listdir(s.path(dead) / "amphorae")), 1, "amphorae on it")
        traffic.flows()
    with s.fact("a host speaks to nobody without the controllers' certificate"):
        url = f"https://{cloud.addresses()[dead]}:9444/1.0/machine"
        answer = cloud.host.run("sh", "-c", f"curl -sk -m 3 -o /dev/null -w '%{{http_code}}' {url} || true")
        equal(answer.strip(), "000")

    floating.stop()
    traffic.stop()
    with s.fact("deleted, the floating address is back in its pool and hosts are clean"):
        cloud.lend(second)
        controller.must("DELETE", f"/v2/lbaas/loadbalancers/{lb}?cascade=true")
        wait(lambda: controller.call("GET", f"/v2/lbaas/loadbalancers/{lb}")[0] == 404, "the load balancer is gone", 20)
        wait(lambda: cloud.states() == ["FREE"] * 3, "all are free", 15)
        for name in cloud.NAMES:
            equal(cloud.strays(name), ([], False, []), name)
        wait(lambda: node.api("GET", "/v1/floating-ips")[1]["addresses"] == [], "no floating address is allocated", 10)


def done(controller, id):
    found = controller.get(f"/v2/lbaas/loadbalancers/{id}", "loadbalancer")
    return found if found["provisioning_status"] in ("ACTIVE", "ERROR") else None
