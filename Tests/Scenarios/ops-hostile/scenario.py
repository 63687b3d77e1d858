"""Those who wish the admin API ill, and what rollouts call: bounded, refused with a reason, and traffic never hears of it."""

import contextlib
import http.client
import json
import pathlib
import resource
import signal
import socket
import subprocess
import threading
import time

from lib.node import Node, call_api
from lib.origin import Origin, Server
from lib.scenario import contains, ensure, equal, wait
from lib.wire import get

LIMIT = 120
OPERATOR, READER, SECRET = "operators-0123456789", "readers-0123456789", "the-secret-0123456789"


def run(s):
    for name in "ab":
        Origin(s, name)
    node = Node(s)
    for name in "ab":
        node.wait_verdict("web", name, "up")
    endless = [Endless(s, "/v1/reload", None, 0), Endless(s, "/v1/check", OPERATOR, 2 << 20)]
    followers(s, node)
    rollouts(s, node)
    calls(s, node)
    secrets(s, node)
    for one, status in zip(endless, (401, 413)):
        with s.fact(f"a body without an end is answered with {status}, and then the connection is ended"):
            wait(lambda: one.over is not None, "the end of the connection", 30)
            contains(one.answer.split("\r\n")[0], f" {status} ")
            ensure(one.over < 25, f"it ended after {one.over:.1f} s")
            s.figure(f"body without an end, {status}", f"ended after {one.over:.1f} s")
    with s.fact("the node serves on"):
        equal(get(s.port("web")).status, 200, "status")
        ensure("Fatal" not in node.process.log(), "it said Fatal")


class Endless(threading.Thread):
    """Sends chunks as long as it may: some at once, then one each 50 ms."""

    def __init__(self, s, path, token, at_once):
        super().__init__(daemon=True)
        self.place, self.path, self.token, self.at_once = ("127.0.0.1", s.port("admin")), path, token, at_once
        self.answer, self.over = "", None
        self.start()

    def run(self):
        began = time.monotonic()
        with socket.create_connection(self.place, timeout=5) as wire:
            access = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
            wire.sendall(f"POST {self.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{access}\r\n".encode())
            chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
            wire.settimeout(0.05)
            try:
                for _ in range(self.at_once // 1024):
                    wire.sendall(chunk)
                while True:
                    wire.sendall(chunk)
                    try:
                        data = wire.recv(65536)
                        if not data:
                            break
                        self.answer += data.decode()
                    except TimeoutError:
                        pass
            except OSError:
                pass
        self.over = time.monotonic() - began


def followers(s, node):
    """A thousand who follow the node, and read nothing."""
    low, high = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(high, max(low, 4096)), high))
    before = node.rss()
    open_ones = []
    try:
        for _ in range(1000):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", s.port("admin")))
            open_ones.append(one)
        began = time.monotonic()
        asked, served, slowest, most = set(), 0, 0.0, 0
        with s.fact("with 1,000 followers who read nothing, traffic and the Unix socket's API are as before"):
            while time.monotonic() < began + 5:
                for one in open_ones:
                    if one not in asked:
                        try:
                            one.send(f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {READER}\r\n\r\n".encode())
                            asked.add(one)
                        except OSError:
                            pass
                for _ in range(20):
                    start = time.monotonic()
                    equal(get(s.port("web")).status, 200, "status of a request")
                    slowest = max(slowest, time.monotonic() - start)
                    served += 1
                equal(node.api("GET", "/v1/status")[0], 200, "status of the API")
                most = max(most, node.rss())
            ensure(len(asked) > 200, f"only {len(asked)} could ask")
        with s.fact("and memory is bounded"):
            ensure(most - before < 64 * 1024, f"{most - before} KiB more")
        s.figure("followers who read nothing", f"{len(asked)} of 1000 asked", f"{(most - before) / 1024:.1f} MiB more", f"{served} requests beside, slowest {1000 * slowest:.0f} ms")
    finally:
        for one in open_ones:
            one.close()
    with s.fact("afterwards there is room again"):
        def follows():
            connection = http.client.HTTPConnection("127.0.0.1", s.port("admin"), timeout=3)
            try:
                connection.request("GET", "/v1/stream", headers={"Authorization": f"Bearer {READER}"})
                return connection.getresponse().status == 200
            finally:
                connection.close()
        wait(follows, "somebody may follow", 15)


def rollouts(s, node):
    plan = {"pool": "web", "update": {"manual": True}}
    cases = {
        "no JSON": "\0\1\2", "nothing": "", "a list": "[]", "a number": "1e999", "another's": '{"kind": "Deployment"}',
        "deep": "[" * 20000, "no pool": json.dumps(plan | {"pool": "nosuch"}), "a pool of another type": json.dumps(plan | {"pool": 7}),
        "a batch below one": json.dumps(plan | {"batch": -1}), "a batch that is no number": json.dumps(plan | {"batch": "two"}),
        "a soak that is not finite": '{"pool": "web", "update": {"manual": true}, "soak": 1e400}',
        "a long soak": json.dumps(plan | {"soak": 1e12}),
        "backends twice": json.dumps(plan | {"backends": ["a", "a"]}), "no such backend": json.dumps(plan | {"backends": ["../a"]}),
        "two ways": json.dumps(plan | {"update": {"manual": True, "command": ["/bin/true"]}}),
        "no way": json.dumps(plan | {"update": {}}), "a relative command": json.dumps(plan | {"update": {"command": ["true"]}}),
        "no command": json.dumps(plan | {"update": {"command": []}}),
        "another scheme": json.dumps(plan | {"update": {"webhook": "file:///etc/passwd"}}),
        "a second request": json.dumps(plan | {"update": {"webhook": "http://x/ HTTP/1.1\r\nHost: y\r\n\r\nGET /"}}),
        "2 MiB": json.dumps(plan | {"backends": ["a" * (2 << 20)]}),
    }
    generation = node.generation()
    for name, text in cases.items():
        with s.fact(f"a file of a rollout with nonsense is refused: {name}"):
            path = s.path("rollout.json")
            path.write_text(text)
            done = node.cli("rollout", "start", "web", "--file", path)
            ensure(done.returncode == 1 or done.returncode > 63, f"exit {done.returncode}: {done.stdout} {done.stderr}")
            ensure(done.stderr.strip() and "Fatal" not in done.stderr, f"said: {done.stderr[:300]}")
    with s.fact("none of them began anything"):
        equal(json.loads(node.must("rollout", "status", "--json"))["rollouts"], [], "rollouts")
        equal(node.generation(), generation, "generation")
    s.figure("files with nonsense", f"{len(cases)} refused")


def calls(s, node):
    seen = []

    def hook(wire):
        line = wire.line()
        seen.append(line)
        size = dict((k.lower(), v) for k, v in wire.fields()).get("content-length", "0")
        wire.exactly(int(size))
        path = line.split()[1].split("?")[0]
        if path == "/again":
            wire.send("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")
        elif path == "/drip":
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while True:
                wire.send("x")
                time.sleep(0.1)
        elif path == "/flood":
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                wire.send("x" * 65536)
        elif path == "/garbage":
            wire.send("\0" * 1000)
    Server(s, "hook", handle=hook)
    url = f"http://127.0.0.1:{s.port('hook')}"
    before = node.rss()
    for path, words in (
        ("/again", "answered 302"), ("/drip", "no answer within 1.0 seconds"), ("/flood", "the answer is too large"), ("/garbage", ""),
    ):
        with s.fact(f"a webhook that does ill pauses the rollout with a reason: {path}"):
            seen.clear()
            reason = paused(node, "--update-timeout", "1", "--webhook", f"{url}{path}?token=hook-0123456789")
            contains(reason, f"a: update failed: {url}{path}")
            contains(reason, words)
            ensure("hook-0123456789" not in reason + node.must("events"), f"the token is told: {reason}")
            equal(len(seen), 1, "calls")
    with s.fact("an update command that neither ends nor stops writing is ended, with its children, and its words are not kept"):
        script = s.path("update")
        script.write_text(f"#!/bin/sh\ntrap '' TERM\nexport UPDATE={script}\nyes & yes >&2\n")
        script.chmod(0o755)
        begin(node, "--update-timeout", "1", "--command", script)
        wait(lambda: len(below(script)) == 2, "it writes", 5)
        # The rollout and the call have the same limit; either may be the first to see it pass.
        reason = pause(node)
        ensure("it did not end within" in reason or "the update took longer than" in reason, reason)
        wait(lambda: not below(script), "its processes are gone", 5)
    with s.fact("and memory stays as it was"):
        ensure(node.rss() - before < 32 * 1024, f"{node.rss() - before} KiB more")
        ensure(len(node.process.log()) < 100_000, "the log is full of it")


def below(script):
    """Processes of the script's group: what it started has its name in the environment."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if path.read_bytes().find(f"UPDATE={script}".encode()) >= 0:
                found.append(path.parent.name)
    return found


def paused(node, *words):
    """Begins a rollout of one backend, and returns why it paused; it is over afterwards."""
    begin(node, *words)
    return pause(node)


def pause(node):
    def found():
        one = json.loads(node.must("rollout", "status", "--json"))["rollouts"][0]
        return one if one["phase"] == "paused" else None
    reason = wait(found, "it pauses", 10)["reason"]
    equal(node.backend("web", "a")["state"], "drain", "the state of the backend that was being updated")
    equal(get(node.scenario.port("web")).status, 200, "status of a request")
    node.must("rollout", "abort", "web")
    node.must("ready", "web/a")
    return reason


def begin(node, *words):
    done = subprocess.run(
        [node.scenario.binary, "rollout", "start", "web", "--socket", node.socket, "--backends", "a", *map(str, words)],
        capture_output=True, text=True, timeout=20)
    equal((done.returncode, done.stderr), (0, ""), "rollout start")


def secrets(s, node):
    said = []
    broken = node.template.replace('read-token: "readers', 'readtoken: "readers')
    with s.fact("a file whose error stands beside a token is refused without telling it"):
        node.write(broken)
        done = node.cli("reload")
        ensure(done.returncode != 0, "it was taken")
        contains(done.stderr, "readtoken")
        node.process.signal(signal.SIGHUP)
        wait(lambda: "reload refused" in node.process.log(), "SIGHUP is answered")
        check = subprocess.run([s.binary, "check", node.config], capture_output=True, text=True, timeout=20)
        equal(check.returncode, 1, "exit status of check")
        node.write(node.template)
        said += [done.stdout, done.stderr, check.stdout, check.stderr]
    with s.fact("no token and no secret is in the log, in an answer of the API, or in an error"):
        def ask(token, method, path, origin=None):
            headers = {"Authorization": f"Bearer {token}"} | ({"Origin": origin} if origin else {})
            return str(call_api(http.client.HTTPConnection("127.0.0.1", s.port("admin"), timeout=5), method, path, headers=headers)[1])
        for path in ("status", "events?after=0", "panels", "history", "peers", "samples", "rollouts", "vips", "bgp", "floating-ips", "dns", "health"):
            said.append(ask(OPERATOR, "GET", f"/v1/{path}"))
        said.append(ask(OPERATOR, "GET", "/metrics"))
        said.append(ask(OPERATOR + "x", "GET", "/v1/status"))
        said.append(ask(OPERATOR, "POST", "/v1/reload", "http://evil.example"))
        said.append(ask(READER, "POST", "/v1/reload"))
        said.append(node.must("explain", "GET", f"http://127.0.0.1:{s.port('web')}/", "-H", f"Authorization: Bearer {OPERATOR}"))
        said += [node.must("events"), node.process.log()]
        for secret in (OPERATOR, READER, SECRET):
            told = [text for text in said if secret in text]
            ensure(not told, f"told: {told[:1]}")
