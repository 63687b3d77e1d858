"""The controller kills itself with SIGKILL at the steps of its flows; started again it finishes what it had begun: the
load balancer is ACTIVE (or gone), and there is no namespace, process, address or row too many.

OCTAVIA_CRASH=all: before and after every step of every flow of both topologies, with machines, and with rows only.
"""

import os
import signal
import sqlite3
import time

from lib.amphorae import VIP, Cloud, run as command
from lib.controller import SUBNET, Controller
from lib.scenario import ensure, equal, wait

ALL = os.environ.get("OCTAVIA_CRASH") == "all"
LIMIT = 1800 if ALL else 120
BUILD = ["allocate", "boot", "await", "plug"]
MACHINES = [("create", "boot", "after"), ("failover", "plug", "after"), ("failover", "destroy", "before"), ("delete", "destroy", "after")]


def table(pair):
    flows = {
        "create": [*BUILD, "configure", "elect", "settle"],
        "update": ["reconfigure", "settle"],
        "failover": ["condemn", *BUILD, *(["handover"] if pair else []), "destroy", "forget", "reconfigure", "elect", "settle"],
        "delete": ["destroy", "forget", "release", "remove"],
    }
    return [(flow, step, moment) for flow, steps in flows.items() for step in steps for moment in ("before", "after")]


def run(s):
    for pair in (False, True) if ALL else (True,):
        cases = [case for case in table(pair) if ALL or case[2] == "after"]
        settings = f"""
directory: ${{dir}}/rows{pair}
compute: noop
api: {{ bind: "127.0.0.1:${{rows}}" }}
amphora: {{ topology: {"ACTIVE_STANDBY" if pair else "SINGLE"} }}
health: {{ bind: "127.0.0.1:${{rows-health}}", key: k, timeout: 1h }}
"""
        rows = Controller(s, settings, "rows", start=False)
        Crashes(s, rows, s.path(f"rows{pair}"), 2 if pair else 1).play(cases, "rows only")
    for pair in (False, True) if ALL else (True,):
        tag = "p" if pair else "s"
        cloud = Cloud(
            s, amphora=f"topology: {'ACTIVE_STANDBY' if pair else 'SINGLE'}", health="timeout: 1h, grace: 1h", start=False, tag=tag)
        Crashes(s, cloud.controller, s.path(f"state{tag}"), 2 if pair else 1, cloud).play(table(pair) if ALL else MACHINES, "machines")


class Crashes:
    def __init__(self, s, controller, folder, size, cloud=None):
        self.s, self.controller, self.folder, self.size, self.cloud = s, controller, folder, size, cloud
        self.balancer = None

    def play(self, cases, what):
        begin, worst = time.monotonic(), (0, "")
        topology = "ACTIVE_STANDBY" if self.size == 2 else "SINGLE"
        with self.s.fact(f"{topology}, {what}: killed at {len(cases)} moments, every flow ends and nothing is left over"):
            for case in cases:
                worst = max(worst, (self.crash(*case), "/".join(case)))
            self.remove()
            self.count("at the end", 0)
        self.s.figure(f"{topology}, {what}", f"{len(cases)} moments", f"{time.monotonic() - begin:.1f} s", f"slowest: {worst[1]}, settled {worst[0]:.2f} s after the start")

    def crash(self, flow, step, moment):
        """How long after its start the next controller had finished."""
        title = f"{flow}/{step}/{moment}"
        if flow == "create":
            self.remove()
        elif self.balancer is None:
            self.controller.start()
            self.balancer = self.create()
            self.controller.settled(self.balancer)
            self.controller.process.kill()
        self.controller.start(expect_exit=True, SLUICE_CONTROLLER_FAULT=title)
        wait(self.answers, f"{title}: the controller answers", 20, 0.02)
        try:
            self.act(flow)
        except OSError:
            pass  # it may die before it answers
        equal(self.controller.process.wait(20), -signal.SIGKILL, f"{title}: how the controller ended")
        begin = time.monotonic()
        self.controller.start()
        if flow == "delete":
            wait(lambda: not self.found(), f"{title}: it is gone", 20, 0.02)
            self.balancer = None
        else:
            found = self.found()
            equal(len(found), 1, f"{title}: load balancers")
            self.balancer = found[0]["id"]
            self.controller.settled(self.balancer, 20)
        took = time.monotonic() - begin
        self.count(title, 0 if flow == "delete" else self.size)
        self.controller.process.kill()
        return took

    def answers(self):
        try:
            return self.controller.answers()
        except OSError:
            return False

    def found(self):
        return self.controller.get("/v2/lbaas/loadbalancers", "loadbalancers")

    def remove(self):
        if self.balancer is None:
            return
        self.controller.start()
        self.controller.must("DELETE", f"/v2/lbaas/loadbalancers/{self.balancer}?cascade=true")
        wait(lambda: not self.found(), "it is deleted", 20, 0.02)
        self.controller.process.kill()
        self.balancer = None

    def create(self):
        if self.cloud:
            return self.cloud.create(wait=False)["id"]
        body = {"loadbalancer": {"name": "lb", "vip_subnet_id": SUBNET}}
        return self.controller.must("POST", "/v2/lbaas/loadbalancers", body)["loadbalancer"]["id"]

    def act(self, flow):
        path = f"/v2/lbaas/loadbalancers/{self.balancer}"
        if flow == "create":
            self.create()
        elif flow == "update":
            self.controller.must("PUT", path, {"loadbalancer": {"description": "x"}})
        elif flow == "failover":
            self.controller.must("PUT", f"{path}/failover", {})
        else:
            self.controller.must("DELETE", f"{path}?cascade=true")

    def count(self, title, size):
        with sqlite3.connect(self.folder / "controller.sqlite") as rows:
            def ask(question):
                return {row[0] for row in rows.execute(question)}
            amphorae = ask("SELECT id FROM resource WHERE kind = 'amphora'")
            equal(len(amphorae), size, f"{title}: amphorae")
            equal(ask("SELECT id FROM flow"), set(), f"{title}: flows")
            equal(ask("SELECT amphora FROM health"), amphorae, f"{title}: amphorae that are watched")
            equal(ask("SELECT owner FROM port WHERE owner NOT IN (SELECT id FROM resource)"), set(), f"{title}: addresses of nobody")
            if size == 0:
                equal(ask("SELECT id FROM resource"), set(), f"{title}: rows")
                equal(ask("SELECT address FROM port"), set(), f"{title}: addresses")
        if self.cloud is None:
            return
        equal(sorted(self.cloud.spaces()), sorted(self.cloud.space(amphora) for amphora in amphorae), f"{title}: namespaces")
        folders = {path.name for path in (self.folder / "amphorae").iterdir()}
        equal(folders, amphorae, f"{title}: folders")
        for amphora in amphorae:
            ensure(self.cloud.pids(amphora, "agent.yaml") and self.cloud.pids(amphora, "haproxy.cfg"), f"{title}: {amphora} runs")
        # One cable to the management network and one to the VIP's.
        links = [line for line in self.cloud.host.ip("-o", "link").splitlines() if ": sl" in line and "sluicemgmt" not in line.split("@")[0]]
        equal(len(links), 2 * size, f"{title}: cables")
        # Nothing of an amphora that is gone runs anywhere.
        strays = [line for line in command("pgrep", "-af", str(self.folder), check=False).splitlines()
                  if "/amphorae/" in line and not any(amphora in line for amphora in amphorae)]
        equal(strays, [], f"{title}: processes of amphorae that are gone")
        if size:
            wait(lambda: any(self.cloud.has(amphora, VIP) for amphora in amphorae), f"{title}: somebody has the address", 10)
