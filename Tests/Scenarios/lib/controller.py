"""A controller: its settings, its process and its API."""

import contextlib
import json
import subprocess
import urllib.error
import urllib.request

from lib.scenario import Failure, wait

NETWORK, SUBNET = "7d1c3f7e-0000-4000-8000-000000000001", "7d1c3f7e-0000-4000-8000-000000000002"


class Controller:
    def __init__(self, scenario, settings, name="controller", port=None, host="127.0.0.1", prefix=(), environment=None, start=True, space=None):
        self.s, self.name, self.prefix, self.space = scenario, name, list(prefix), space or contextlib.nullcontext()
        self.environment = environment or {}
        self.headers = {}
        self.url = f"http://{host}:{port or scenario.port(name)}"
        self.file = scenario.path(f"{name}.yaml")
        self.file.write_text(scenario.fill(settings))
        self.process = None
        if start:
            self.start()

    def start(self, expect_exit=False, **environment):
        self.process = self.s.start(
            f"sluice-{self.name}", [*self.prefix, self.s.binary, "controller", self.file],
            environment={**self.environment, **environment}, expect_exit=expect_exit)
        if not expect_exit:
            wait(lambda: self.answers() or not self.process.running, f"{self.name} answers", 20)
            if not self.process.running:
                raise Failure(f"{self.name} did not start: {self.process.log()}")
        return self

    def answers(self):
        return self.call("GET", "/")[0] == 200

    def call(self, method, path, body=None, headers=None, timeout=20):
        """(status, document)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **self.headers, **(headers or {})}, method=method)
        try:
            with self.space, urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, parse(answer.read())
        except urllib.error.HTTPError as answer:
            return answer.code, parse(answer.read())

    def get(self, path, root=None, **options):
        status, document = self.call("GET", path, **options)
        if status != 200:
            raise Failure(f"GET {path}: {status} {document}")
        return document[root] if root else document

    def must(self, method, path, body=None, status=None, **options):
        found, document = self.call(method, path, body, **options)
        if found not in ([status] if status else [200, 201, 202, 204]):
            raise Failure(f"{method} {path}: {found} {document}")
        return document

    def settled(self, balancer, seconds=30, states=("ACTIVE",)):
        """The load balancer once nothing is pending."""
        def check():
            found = self.get(f"/v2/lbaas/loadbalancers/{balancer}", "loadbalancer")
            return found if found["provisioning_status"] in (*states, "ERROR") else None
        found = wait(check, f"{balancer} is {' or '.join(states)}", seconds, 0.05)
        if found["provisioning_status"] not in states:
            raise Failure(f"ERROR: {self.explain(balancer)['why']}")
        return found

    def explain(self, balancer):
        return self.get(f"/sluice/explain/{balancer}")

    def amphorae(self, balancer):
        return [a for a in self.get("/v2/octavia/amphorae", "amphorae") if a["loadbalancer_id"] == balancer]


def parse(body):
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body


class Shell:
    """The `openstack` command, in a process that stays."""

    def __init__(self, scenario, python, **environment):
        self.process = subprocess.Popen(
            [python, scenario.folder.parent / "lib" / "openstack_shell.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=open(scenario.path("shell.log"), "ab"), text=True, env={"PATH": "/usr/bin:/bin", "HOME": str(scenario.dir), **environment})
        scenario.defer(self.stop)

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run(self, *words):
        """(status, output, errors)."""
        self.process.stdin.write(json.dumps([str(word) for word in words]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise Failure("the openstack shell has ended")
        answer = json.loads(answer)
        return answer["status"], answer["out"], answer["err"]
