"""The real binary: started with a scenario's config, asked by CLI and admin API."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess

from lib.scenario import Failure, wait


class Node:
    """`sluice run` of one config. The config's text is a template (Scenario.fill)."""

    def __init__(self, scenario, config="sluice.yaml", name="sluice", serving=True, prefix=(), environment=None, replace=(), output=None, text=None):
        self.scenario = scenario
        self.name = name
        self.config = scenario.path(f"{name}.yaml")
        self.socket = scenario.path("admin.sock")
        self.template = (scenario.folder / config).read_text() if text is None else text
        for old, new in replace:
            if old not in self.template:
                raise Failure(f"{config} has no {old!r}")
            self.template = self.template.replace(old, new)
        self.write(self.template)
        self.process = scenario.start(
            name, [*prefix, scenario.binary, "run", self.config], environment={"SWIFT_BACKTRACE": "enable=no", **(environment or {})}, output=output
        )
        if serving:
            self.wait_serving()

    @property
    def pid(self):
        return self.process.pid

    def write(self, template):
        """Replaces the config file in one step, as an editor or a deployment does."""
        fresh = self.config.with_suffix(".new")
        fresh.write_text(self.scenario.fill(template))
        os.replace(fresh, self.config)

    def wait_serving(self, seconds=20):
        def serving():
            if not self.process.running:
                raise SystemError(f"{self.name} ended with {self.process.popen.returncode}: {self.process.log()[-500:]}")
            return "serving" in self.process.log()
        wait(serving, f"{self.name} says that it serves", seconds)

    def rss(self):
        return self.process.rss()

    # MARK: admin API

    def api(self, method, path, body=None):
        """(status, decoded JSON or text) of one call over the Unix socket."""
        return call_api(UnixHTTP(str(self.socket)), method, path, body)

    def status(self):
        status, body = self.api("GET", "/v1/status")
        if status != 200:
            raise Failure(f"GET /v1/status: {status} {body}")
        return body

    def generation(self):
        return self.status()["generation"]

    def pool(self, name):
        return next(pool for pool in self.status()["pools"] if pool["name"] == name)

    def backend(self, pool, name):
        return next(backend for backend in self.pool(pool)["backends"] if backend["name"] == str(name))

    def wait_verdict(self, pool, name, verdict, seconds=10):
        def reached():
            found = self.backend(pool, name)
            if found["verdict"] not in ((verdict,) if isinstance(verdict, str) else verdict):
                raise Failure(f"it is {found['verdict']}: {found.get('reason')}")
            return found
        return wait(reached, f"{pool}/{name} is {verdict}", seconds)

    def chain(self, kind):
        """From the last event of a kind to the one that began it, by `cause`: their kinds and subjects."""
        events = {event["id"]: event for event in self.api("GET", "/v1/events?after=0")[1]["events"]}
        found = next((event for event in reversed(events.values()) if event["kind"] == kind), None)
        links = []
        while found:
            links.append((found["kind"], found["subject"]))
            found = events.get(found.get("cause"))
        return links

    # MARK: command line

    def cli(self, *words, socket=None):
        """`sluice WORDS --socket …`: the completed process."""
        return subprocess.run(
            [self.scenario.binary, *map(str, words), "--socket", str(socket or self.socket)],
            capture_output=True, text=True, timeout=20, env=dict(os.environ, SWIFT_BACKTRACE="enable=no"),
        )

    def must(self, *words):
        done = self.cli(*words)
        if done.returncode != 0:
            raise Failure(f"sluice {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr.strip()} {done.stdout.strip()}")
        return done.stdout

    def reload(self, template=None):
        """Writes the config if one is given, and swaps it in by the CLI."""
        if template is not None:
            self.write(template)
        return self.must("reload")

    def hangup(self, template):
        """The same by SIGHUP; returns when the new World is in."""
        before = self.generation()
        self.write(template)
        self.process.signal(signal.SIGHUP)
        wait(lambda: self.generation() > before, "SIGHUP brings a new generation")

    # MARK: access log

    def access_log(self, name="access.log"):
        """Its entries so far."""
        path = self.scenario.path(name)
        if not path.exists():
            return []
        lines = path.read_text(errors="replace").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait_logged(self, select, what, seconds=10):
        """The last entry that `select` accepts, once it is there."""
        return wait(lambda: next((e for e in reversed(self.access_log()) if select(e)), None), f"access log: {what}", seconds)


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


def call_api(connection, method, path, body=None, headers=None):
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"content-type": "application/json", **(headers or {})})
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    try:
        return response.status, json.loads(text) if text else None
    except ValueError:
        return response.status, text


def check(scenario, text, name="checked.yaml"):
    """`sluice check` of this text: the completed process, and the file's path."""
    path = scenario.path(name)
    path.write_text(scenario.fill(text))
    done = subprocess.run([scenario.binary, "check", path], capture_output=True, text=True, timeout=20)
    return done, pathlib.Path(path)
